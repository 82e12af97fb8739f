"""What can be done with the access to an account's public endpoint."""

from collections.abc import Callable, Sequence

from chalicelib.broker import cache, ports
from chalicelib.model import account, acl


class Acls:
    """Switch the endpoint on and off, say for whom, and let clients in."""

    def __init__(self, *, store: ports.Acls, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: cache.Cache[account.Namespace, acl.Acl] = cache.Cache(clock, store.rules)

    def check(self, namespace: account.Namespace, address: str) -> None:
        """Let a client in by its address, by rules at most `limits.CACHE_SECONDS` old; raises errors.AccessDenied."""
        (self._known.get(namespace) or acl.OPEN).check(address)

    def get(self, namespace: account.Namespace) -> acl.Acl:
        """The rules as they are now."""
        return self._store.rules(namespace)

    def enable(self, namespace: account.Namespace, *, on: bool) -> None:
        """Switch the endpoint on or off; its entries stay."""
        self._change(namespace, lambda before: acl.Acl(enabled=on, entries=before.entries))

    def authorize(self, namespace: account.Namespace, cidrs: Sequence[str]) -> None:
        """Let in addresses; those that are let in already stay as they are.

        Raises:
            errors.InvalidArgument: one is no block of addresses, or there would be too many; nothing is changed then.
        """
        wanted = dict.fromkeys(acl.parse_cidr(text) for text in cidrs)
        now = self._clock.now()

        def change(before: acl.Acl) -> acl.Acl:
            there = {entry.cidr for entry in before.entries}
            new = tuple(acl.Entry(cidr=cidr, created_at=now) for cidr in wanted if cidr not in there)
            return acl.Acl(enabled=before.enabled, entries=acl.check_entries(before.entries + new))

        self._change(namespace, change)

    def revoke(self, namespace: account.Namespace, cidrs: Sequence[str]) -> None:
        """Take back what has been let in; taking back what was not is no error.

        Raises:
            errors.InvalidArgument: one is no block of addresses; nothing is changed then.
        """
        unwanted = {acl.parse_cidr(text) for text in cidrs}
        self._change(
            namespace,
            lambda before: acl.Acl(
                enabled=before.enabled,
                entries=tuple(entry for entry in before.entries if entry.cidr not in unwanted),
            ),
        )

    def forget(self) -> None:
        """Load everything anew the next time it is asked for."""
        self._known.clear()

    def _change(self, namespace: account.Namespace, change: Callable[[acl.Acl], acl.Acl]) -> None:
        before = self._store.rules(namespace)
        while not self._store.put_rules(namespace, before, change(before)):
            before = self._store.rules(namespace)
        self._known.forget(namespace)
