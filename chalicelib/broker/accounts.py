"""What can be done with an account's own attributes."""

from chalicelib.broker import cache, ports
from chalicelib.model import account, errors


class Accounts:
    """Read and change an account's attributes; open the service."""

    def __init__(self, *, store: ports.Accounts, clock: ports.Clock, ids: ports.Ids) -> None:
        self._store = store
        self._ids = ids
        self._known: cache.Cache[account.Namespace, account.AccountAttributes] = cache.Cache(clock, store.attributes)

    def attributes(self, namespace: account.Namespace) -> account.AccountAttributes:
        """The account's attributes in this region."""
        return self._store.attributes(namespace)

    def known(self, namespace: account.Namespace) -> account.AccountAttributes:
        """The account's attributes, at most `limits.CACHE_SECONDS` old."""
        return self._known.get(namespace) or account.AccountAttributes()

    def forget(self) -> None:
        """Load everything anew the next time it is asked for."""
        self._known.clear()

    def set_attributes(self, namespace: account.Namespace, change: account.AccountChange) -> None:
        """Change the attributes named.

        Raises:
            errors.InvalidArgument: logs should be kept, but nobody has said where; nothing is changed then.
        """
        if (
            change.log_enabled
            and not change.log_project
            and (change.log_project == "" or not self._store.attributes(namespace).log_project)
        ):
            raise errors.InvalidArgument("Logs need a ProjectName to go to.")
        self._store.change(namespace, change)
        self._known.forget(namespace)

    def open_service(self, namespace: account.Namespace) -> str:
        """Open the service for the account; the number of the order, the same however often it is opened."""
        return self._store.open(namespace, self._ids.order_id())
