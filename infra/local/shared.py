"""Numbers that all processes of one server see at once: the clock's, and a few that say that something has changed.

They lie in an unlinked file that every process maps. Each is an aligned 64-bit integer, written by one process, so a
reader sees the old value or the new one.
"""

import mmap
import os
import tempfile
from typing import TYPE_CHECKING

from infra.local import config
from infra.local.store import bounds

if TYPE_CHECKING:
    from collections.abc import MutableSequence

_OFFSET, _FROZEN_AT, _EPOCH, _PARKED = range(4)  # from `_PARKED` on, one for each process
_CLOSED = _PARKED + config.MOST_WORKERS  # from there on, one for each worker
_BOUNDS = _CLOSED + config.MOST_WORKERS  # from there on, what each process tells of its messages
_BYTES = 8 * (_BOUNDS + config.MOST_WORKERS * bounds.NUMBERS)


class Shared:
    """The numbers.

    Attributes:
        file: the descriptor of the file, to be inherited by another process.
        time: the two numbers of `LocalClock`.
    """

    def __init__(self, file: int | None = None, *, processes: int) -> None:
        """Map the file of another process of so many, or a new one."""
        self._all_parked = slice(_PARKED, _PARKED + processes)
        if file is None:
            with tempfile.TemporaryFile() as made:
                made.truncate(_BYTES)
                file = os.dup(made.fileno())
        self.file = file
        self._numbers = memoryview(mmap.mmap(file, _BYTES)).cast("q")
        self.time: MutableSequence[int] = self._numbers[_OFFSET : _FROZEN_AT + 1]  # type: ignore[assignment]

    @property
    def epoch(self) -> int:
        """Grows with every change of what processes remember: queues, keys, accounts."""
        return self._numbers[_EPOCH]

    def turn(self) -> None:
        """Begin a new epoch; only the server's first process does."""
        self._numbers[_EPOCH] += 1

    @property
    def parked(self) -> int:
        """How many polls wait in all processes."""
        return sum(self._numbers[self._all_parked])

    def parked_besides(self, process: int) -> bool:
        """Whether polls wait in other processes."""
        return self.parked > self._numbers[_PARKED + process]

    def parked_in(self, process: int) -> bool:
        """Whether polls wait in a process."""
        return self._numbers[_PARKED + process] > 0

    def park(self, process: int, count: int) -> None:
        """Say how many polls wait in a process."""
        self._numbers[_PARKED + process] = count

    def closed(self, worker: int) -> int:
        """How many connections of a worker have ended."""
        return self._numbers[_CLOSED + worker]

    def close(self, worker: int) -> None:
        """One more has."""
        self._numbers[_CLOSED + worker] += 1

    def told(self, process: int) -> "MutableSequence[int]":
        """The numbers in which a process tells of its messages, see `store.bounds`."""
        start = _BOUNDS + process * bounds.NUMBERS
        return self._numbers[start : start + bounds.NUMBERS]  # type: ignore[return-value]

    def forget(self, process: int) -> None:
        """A process has ended: nothing is known of its messages."""
        self.told(process)[:] = memoryview(bytes(8 * bounds.NUMBERS)).cast("q")
