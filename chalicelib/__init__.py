"""The deployed half of OpenMNS; `docs/architecture.md` draws its rooms and which way imports point."""

__version__ = "0.1.0"
