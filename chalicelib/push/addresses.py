"""Which addresses a push may reach: public ones, and those that the deployment allows.

A name is resolved for every attempt, and the connection is made to the very address that was checked.
"""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Any

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_IPV4_BITS = 0xFFFFFFFF
_SPECIAL = tuple(  # what Python 3.11 takes for public: for protocols (clouds serve metadata there), sites, documents
    map(ipaddress.ip_network, ("192.0.0.0/24", "fec0::/10", "3fff::/20"))
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class RefusedError(Exception):
    """The host has no address that a push may reach."""


class Guard:
    """Resolves host names and drops the addresses that pushes may not reach."""

    def __init__(self, allowed: str = "", resolve: Callable[..., Sequence[Any]] = socket.getaddrinfo) -> None:
        """Set up.

        Args:
            allowed: networks that may be reached though they are not public, such as "127.0.0.0/8,::1/128".
            resolve: as `socket.getaddrinfo`.

        Raises:
            ValueError: `allowed` is no list of networks.
        """
        self._allowed = [ipaddress.ip_network(text.strip()) for text in allowed.split(",") if text.strip()]
        self._resolve = resolve

    def addresses(self, host: str, port: int) -> list[tuple[int, tuple[Any, ...]]]:
        """The family and the socket address of each address of `host` that may be reached.

        Raises:
            RefusedError: there is none.
        """
        try:
            found = self._resolve(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise RefusedError(f"{host} does not resolve") from error
        allowed = [(entry[0], entry[4]) for entry in found if self._may_reach(str(entry[4][0]))]
        if not allowed:
            raise RefusedError(f"{host} has no address that may be reached")
        return allowed

    def _may_reach(self, text: str) -> bool:
        address = ipaddress.ip_address(text.partition("%")[0])
        reached = _behind(address)
        for network in self._allowed:
            if any(form.version == network.version and form in network for form in (address, reached)):
                return True
        if any(reached.version == network.version and reached in network for network in _SPECIAL):
            return False
        return reached.is_global and not reached.is_multicast and not reached.is_reserved


def _behind(address: Address) -> Address:
    """The IPv4 address that an IPv6 address leads to; itself if it leads to none."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & _IPV4_BITS)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address
