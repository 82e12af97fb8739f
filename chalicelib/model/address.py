"""Addresses of clients and blocks of them; IPv4 written within IPv6 is taken for the IPv4 that it is."""

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def parse(text: str) -> Address:
    """The address; raises ValueError."""
    found = ipaddress.ip_address(text)
    return getattr(found, "ipv4_mapped", None) or found


def parse_network(text: str, *, strict: bool = True) -> Network:
    """The block; raises ValueError for what is none, and if `strict` for one that has bits of a host."""
    found = ipaddress.ip_network(text, strict=strict)
    if isinstance(found, ipaddress.IPv6Network) and found.subnet_of(_MAPPED):
        first = found.network_address.ipv4_mapped
        assert first is not None  # noqa: S101  # for the type checker: the block is among the mapped ones
        return ipaddress.IPv4Network((first, found.prefixlen - _MAPPED.prefixlen))
    return found
