"""What one process tells another one again and again, such as that messages have come: together, and not too often."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

SECONDS = 0.002  # between two of them; what comes first after a pause is told at once
LAZY_SECONDS = 0.02  # likewise, where nobody waits for it: whoever begins to wait meanwhile is told in time

Key = TypeVar("Key")


class Collected(Generic[Key]):
    """Counts to be told; lives on an event loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[Mapping[Key, int]], None],
        waited_for: Callable[[], bool] = lambda: True,
    ) -> None:
        """Set up.

        Args:
            loop: where this lives.
            tell: is called with the counts that have come since it was called last.
            waited_for: whether anybody waits for them.
        """
        self._loop = loop
        self._tell = tell
        self._waited_for = waited_for
        self._counts: Counter[Key] = Counter()
        self._told = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._moment = 0.0  # of the handle

    def add(self, key: Key, count: int) -> None:
        """Count."""
        self._counts[key] += count
        moment = self._told + (SECONDS if self._waited_for() else LAZY_SECONDS)
        if self._handle is not None:
            if self._moment <= moment:
                return
            self._handle.cancel()
        if not self._loop.is_closed():
            self._moment = moment
            self._handle = self._loop.call_at(moment, self._flush)

    def _flush(self) -> None:
        self._handle = None
        counts, self._counts = self._counts, Counter()
        self._told = self._loop.time()
        self._tell(dict(counts))
