"""What processes tell each other of the messages they keep, in shared memory: where each queue begins.

Of every queue two numbers, which may be too low, but are never too high:

    what the first one of its Active messages ranks
    the moment (ms) when the first one of those that wait comes due

So who finds nothing at his own may see whether another process could have something, and who claims at his own whether
anything may be due. A third number says when somebody has claimed there, so that it is seen whether messages are looked
after where they are. A queue has the place that its id makes; where several meet at one, what is told of it is only
ever lowered, until the process begins anew.
"""

import functools
import zlib
from collections.abc import MutableSequence

PLACES = 4096
NUMBERS = 3 * PLACES  # that a process needs
NOTHING = 1 << 62  # comes after every rank and every moment
_MOMENT_BITS = 48


def priority_of(rank: int) -> int:
    """The priority in a rank."""
    return rank >> _MOMENT_BITS


def rank(priority: int, visible_at: int) -> int:
    """Where a message that is Active comes among others: by priority, then since when (ms) it is visible."""
    return (priority << _MOMENT_BITS) + visible_at


class Bounds:
    """What one process tells of its messages; all zero, which says nothing, until it does."""

    def __init__(self, numbers: MutableSequence[int] | None = None) -> None:
        """Set up; there are `NUMBERS` numbers, which nobody else sees if they are not given."""
        self._numbers = [0] * NUMBERS if numbers is None else numbers
        self._queues: dict[int, str | None] = {}  # by place, of which anything was told; None: of several

    def first(self, queue_id: str) -> int:
        """What no Active message of a queue ranks before."""
        return self._numbers[_place(queue_id)]

    def is_due(self, queue_id: str, now: int) -> bool:
        """Whether there may be a message that is due."""
        return self._numbers[PLACES + _place(queue_id)] <= now

    def may_have(self, queue_id: str, now: int) -> bool:
        """Whether there may be a message that is Active or due."""
        return self.first(queue_id) < NOTHING or self.is_due(queue_id, now)

    def claimed_at(self, queue_id: str) -> int:
        """When (ms) somebody has claimed who asked this process."""
        return self._numbers[2 * PLACES + _place(queue_id)]

    def clear(self) -> None:
        """There are no messages."""
        for place in range(2 * PLACES):
            self._numbers[place] = NOTHING

    def claim(self, queue_id: str, now: int) -> None:
        """Somebody claims who asked this process."""
        self._numbers[2 * PLACES + _place(queue_id)] = now

    def tell_first(self, queue_id: str, rank: int, *, sure: bool) -> None:
        """A message of a queue is Active; if it is `sure`, none ranks before."""
        self._tell(queue_id, _place(queue_id), rank, sure)

    def tell_due(self, queue_id: str, moment: int, *, sure: bool) -> None:
        """A message waits for a moment (ms); if it is `sure`, none is due before."""
        self._tell(queue_id, PLACES + _place(queue_id), moment, sure)

    def _tell(self, queue_id: str, place: int, number: int, sure: bool) -> None:  # noqa: FBT001  # as above
        if self._queues.setdefault(place, queue_id) != queue_id:
            self._queues[place] = None
            sure = False
        if sure or number < self._numbers[place]:
            self._numbers[place] = number


@functools.lru_cache(maxsize=10_000)
def _place(queue_id: str) -> int:
    return zlib.crc32(queue_id.encode()) % PLACES
