"""A small per-process cache with a stated staleness."""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from chalicelib.broker import ports
from chalicelib.model import limits

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_LONGEST = limits.CACHE_SECONDS * 1000  # ms
_MOST_ENTRIES = 10_000  # then it starts anew: what is used is soon back


class Cache(Generic[K, V]):
    """Values that may be up to `limits.CACHE_SECONDS` old; what was not found is not remembered."""

    def __init__(self, clock: ports.Clock, load: Callable[[K], V | None]) -> None:
        """Set up; `load` finds a value by its key."""
        self._now = clock.now
        self._load = load
        self._entries: dict[K, tuple[int, V]] = {}

    def get(self, key: K) -> V | None:
        """The value of `key`, loaded if it is not here or too old."""
        now = self._now()
        entry = self._entries.get(key)
        if entry is not None and 0 <= now - entry[0] < _LONGEST:
            return entry[1]
        value = self._load(key)
        if value is None:
            self.forget(key)
        else:
            self._keep(key, value, now)  # as of before it was read
        return value

    def keep(self, key: K, value: V) -> None:
        """Remember `value` from now on."""
        self._keep(key, value, self._now())

    def _keep(self, key: K, value: V, since: int) -> None:
        if len(self._entries) >= _MOST_ENTRIES:
            self._entries.clear()
        self._entries[key] = (since, value)

    def clear(self) -> None:
        """Load everything the next time it is asked for."""
        self._entries.clear()

    def forget(self, key: K) -> None:
        """Load `key` the next time it is asked for."""
        self._entries.pop(key, None)
