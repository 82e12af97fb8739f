"""How widely a process spreads its picks over the head of a queue.

One consumer takes the very head, so order is exact. When claims are lost, others want the same messages; the process
then picks from a window that grows with its lost claims and shrinks with its wins.
"""

from collections.abc import Iterator
from typing import TypeVar

from chalicelib.broker import ports
from chalicelib.model import queue

T = TypeVar("T")

_WIDEST = 128
_SHRINK = 8  # a win takes an eighth of the window: with a half, the next claim would meet the others again (ADR 14)


class Spread:
    """The window of each partition, beyond what is asked for."""

    def __init__(self) -> None:
        self._widths: dict[str, int] = {}

    def width(self, partition: str) -> int:
        """How many candidates more than needed to choose from."""
        return self._widths.get(partition, 0)

    def share(self, partition: str, wanted: int) -> int:
        """How many of those wanted to claim at once: the wider the window, the fewer, and one at the widest."""
        return max(1, wanted * (_WIDEST - self.width(partition)) // _WIDEST)

    def learn(self, partition: str, *, won: int, lost: int) -> None:
        """Take in the outcome of some claims."""
        width = self._widths.get(partition, 0)
        if lost:
            self._widths[partition] = min(_WIDEST, 2 * width + lost)
        elif width and won:
            narrower = width - -(-width // _SHRINK)
            if narrower:
                self._widths[partition] = narrower
            else:
                del self._widths[partition]


def pick(ids: ports.Ids, candidates: list[T], count: int, spread: int) -> list[T]:
    """Take `count` candidates out of the list, in their order: the best ones, or any where others want them too."""
    among = min(len(candidates), count + spread)
    if among <= count:
        picks = candidates[:count]
        del candidates[:count]
        return picks
    places = {ids.pick(among) for _ in range(count)}
    return [candidates.pop(place) for place in sorted(places, reverse=True)][::-1]


def shuffled(ids: ports.Ids, of: queue.Queue) -> Iterator[str]:
    """The partitions of a queue, from any one of them on."""
    first = ids.pick(of.shards) if of.shards > 1 else 0
    for step in range(of.shards):
        yield queue.partition(of.queue_id, (first + step) % of.shards)
