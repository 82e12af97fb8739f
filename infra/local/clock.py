"""A clock that can be moved, so that a delay of seven days is tested in a millisecond.

It follows the machine's clock at an offset, or stands still. Only what the queues live by is moved; the dates of
requests are checked against the machine's clock, by which clients date them.
"""

import threading
import time
from collections.abc import Callable, Iterator, MutableSequence


class LocalClock:
    """The time of a local server; safe for threads, and for processes that share its two numbers."""

    def __init__(self, numbers: MutableSequence[int] | None = None) -> None:
        """Set up; `numbers` are the ms it is ahead of the machine's clock, and the ms it is frozen at or 0."""
        self._lock = threading.Lock()
        self._numbers = [0, 0] if numbers is None else numbers

    @property
    def frozen(self) -> bool:
        """Whether it stands still."""
        return self._numbers[1] != 0

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return self._numbers[1] or time.time_ns() // 1_000_000 + self._numbers[0]

    def sleep(self, seconds: float) -> None:
        """Do nothing for a while, by the machine's clock."""
        time.sleep(seconds)

    def set(self, now: int, *, frozen: bool) -> None:
        """Make it `now` (ms), from where it goes on unless `frozen`."""
        with self._lock:
            self._numbers[0] = now - time.time_ns() // 1_000_000
            self._numbers[1] = now if frozen else 0


def move(
    of: LocalClock,
    target: int,
    *,
    frozen: bool,
    next_due: Callable[[], int | None],
    settle: Callable[[], Iterator[None]],
) -> Iterator[None]:
    """Move a clock to `target` (ms) and have everything run that comes due on the way, each at its own moment.

    Yields whenever what is under way elsewhere has to come to its end first.

    Args:
        of: the clock; it stands still on the way.
        target: where it ends.
        frozen: whether it stands still there.
        next_due: when something is due next (ms), None: never.
        settle: does what is due, and yields likewise.
    """
    while (moment := next_due()) is not None and of.now() < moment < target:
        of.set(moment, frozen=True)
        yield from settle()
    of.set(target, frozen=frozen)
    yield from settle()
