"""What one process tells another one again and again, such as that messages have come: together, and not too often."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

SECONDS = 0.002  # between two of them; what comes first after a pause is told at once

Key = TypeVar("Key")


class Collected(Generic[Key]):
    """Counts to be told; lives on an event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Callable[[Mapping[Key, int]], None]) -> None:
        """Set up; `tell` is called with the counts that have come since it was called last."""
        self._loop = loop
        self._tell = tell
        self._counts: Counter[Key] = Counter()
        self._told = 0.0

    def add(self, key: Key, count: int) -> None:
        """Count."""
        if not self._counts and not self._loop.is_closed():
            pause = self._told + SECONDS - self._loop.time()
            self._loop.call_later(max(0.0, pause), self._flush)
        self._counts[key] += count

    def _flush(self) -> None:
        counts, self._counts = self._counts, Counter()
        self._told = self._loop.time()
        self._tell(dict(counts))
