"""The MNS dialect: bytes and headers into values, values into bytes and headers."""
