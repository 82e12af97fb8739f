"""What queues and topics have in common: they are found by name, remembered for a while, and made and changed alike."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from chalicelib.broker import cache, ports
from chalicelib.model import account, errors

R = TypeVar("R")  # a queue or a topic
C_contra = TypeVar("C_contra", contravariant=True)  # a change of attributes


class Store(Protocol[R, C_contra]):
    """What the ports `Queues` and `Topics` have in common."""

    def get(self, namespace: account.Namespace, name: str) -> R | None:
        """The resource as it is now."""

    def create(self, namespace: account.Namespace, new: R) -> R | None:
        """Store `new` and return None; if the name is taken, store nothing and return what has it."""

    def change(self, namespace: account.Namespace, name: str, change: C_contra, modified_at: int) -> R | None:
        """Change the attributes named and return the resource; None: there is none."""

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        """Delete the resource; False: there is none."""

    def count(self, namespace: account.Namespace) -> int:
        """How many the namespace has."""


class Named(Generic[R, C_contra]):
    """The part of `Queues` and `Topics` that does not ask which of them it is."""

    def __init__(
        self,
        *,
        store: Store[R, C_contra],
        clock: ports.Clock,
        is_name: Callable[[str], bool],
        missing: type[errors.MnsError],
        taken: type[errors.MnsError],
    ) -> None:
        """Set up.

        Args:
            store: where they are.
            clock: time.
            is_name: whether one may be called so; the store is not asked for other names.
            missing: raised where there is none of that name.
            taken: raised where there is another one of that name.
        """
        self._resources = store
        self._clock = clock
        self._is_name = is_name
        self._missing = missing
        self._taken = taken
        self._known: cache.Cache[tuple[account.Namespace, str], R] = cache.Cache(clock, self._stored)

    def find(self, namespace: account.Namespace, name: str) -> R:
        """The one of that name, its attributes at most `limits.CACHE_SECONDS` old; raises if there is none."""
        found = self._known.get((namespace, name))
        if found is None:
            raise self._missing
        return found

    def get(self, namespace: account.Namespace, name: str) -> R:
        """The one of that name as it is now; raises if there is none."""
        return self._there(self._stored((namespace, name)))

    def delete(self, namespace: account.Namespace, name: str) -> None:
        """Delete it with all that belongs to it; deleting none is no error."""
        if self._is_name(name):
            self._resources.delete(namespace, name)
        self._known.forget((namespace, name))

    def forget(self) -> None:
        """Load everything anew the next time it is asked for."""
        self._known.clear()

    def _create(
        self,
        namespace: account.Namespace,
        name: str,
        *,
        answers: Callable[[R], bool],
        most: int,
        full: Callable[[], errors.MnsError],
        make: Callable[[int], R],
    ) -> tuple[R, bool]:
        """The one of that name, and whether it is new.

        Args:
            namespace: where.
            name: a valid one.
            answers: whether one that is there is what is asked for, or the name is `taken`.
            most: how many the namespace may have.
            full: what is raised if it has them.
            make: makes it, of the moment (ms).
        """
        existing = self._resources.get(namespace, name)
        if existing is None:
            if self._resources.count(namespace) >= most:
                raise full()
            new = make(self._clock.now())
            existing = self._resources.create(namespace, new)
            if existing is None:
                self._known.keep((namespace, name), new)
                return new, True
        if not answers(existing):
            raise self._taken
        return existing, False

    def _change(self, namespace: account.Namespace, name: str, change: C_contra) -> None:
        """Change the attributes named; raises if there is none of that name."""
        changed = None
        if self._is_name(name):
            changed = self._resources.change(namespace, name, change, self._clock.now())
        if changed is None:
            self._known.forget((namespace, name))
        self._known.keep((namespace, name), self._there(changed))

    def _stored(self, key: tuple[account.Namespace, str]) -> R | None:
        namespace, name = key
        return self._resources.get(namespace, name) if self._is_name(name) else None

    def _there(self, found: R | None) -> R:
        if found is None:
            raise self._missing
        return found
