"""What one process tells another one again and again, such as that messages have come: together, and not too often."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from infra.local import alarm

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
        self._alarm = alarm.Alarm(loop, self._flush)

    def add(self, key: Key, count: int) -> None:
        """Count."""
        self._counts[key] += count
        if not self._loop.is_closed():
            self._alarm.set(self._told + (SECONDS if self._waited_for() else LAZY_SECONDS))

    def _flush(self) -> None:
        counts, self._counts = self._counts, Counter()
        self._told = self._loop.time()
        self._tell(dict(counts))
