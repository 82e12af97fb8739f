"""From where an account's queues and topics can be reached: whether the public endpoint is on, and for whom."""

import functools
import ipaddress
from collections.abc import Callable

from chalicelib.model import address as addresses
from chalicelib.model import errors, limits
from chalicelib.model.frozen import frozen

_ADDRESSES_KEPT = 1024


@frozen
class Entry:
    """Addresses that are let in."""

    cidr: str  # as `parse_cidr` writes it
    created_at: int  # ms


@frozen
class Acl:
    """Who is let in at the public endpoint; without entries everybody is."""

    enabled: bool = True  # whether the endpoint is on at all
    entries: tuple[Entry, ...] = ()

    def check(self, address: str) -> None:
        """Let a client in by the address that it calls from; raises errors.AccessDenied."""
        if not self.enabled:
            raise errors.AccessDenied("The public endpoint of the account is disabled in this region.")
        if self.entries and not self._admits(address):
            raise errors.AccessDenied(
                f"The address {address or 'of the client'} is not in the access control list of the public endpoint."
            )

    @functools.cached_property
    def _admits(self) -> Callable[[str], bool]:
        """Whether an entry has an address; the answers are remembered, as each request asks."""
        networks = [addresses.parse_network(entry.cidr) for entry in self.entries]

        @functools.lru_cache(maxsize=_ADDRESSES_KEPT)
        def admits(text: str) -> bool:
            try:
                address = addresses.parse(text)
            except ValueError:
                return False
            return any(address in network for network in networks)

        return admits


OPEN = Acl()


def parse_cidr(text: str) -> str:
    """A block of addresses, or a single one, in its usual form; raises errors.InvalidArgument."""
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as error:
        raise errors.InvalidArgument(f"{text[:64]!r} is no CIDR block, such as 192.0.2.0/24.") from error


def check_entries(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Return `entries`; raise errors.InvalidArgument if a list cannot have so many."""
    if len(entries) > limits.ACL_ENTRIES:
        raise errors.InvalidArgument(f"The list would have {len(entries)} entries, but {limits.ACL_ENTRIES} is most.")
    return entries
