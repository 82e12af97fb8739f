"""Time and ids: nobody else asks what time it is or makes anything random."""

import itertools
import os
import random
import secrets
import threading
import time

_SEQUENCE_BITS = 16
_POOL_BYTES = 4096


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        time.sleep(seconds)


class RandomIds:
    """Ids that nobody else makes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = (0, 0)  # ms and sequence of the newest message id
        self._requests = itertools.count(secrets.randbits(32))
        self._pool = b""
        os.register_at_fork(after_in_child=self._forget)

    def message_id(self, now: int) -> str:
        """32 upper-case hex digits that rise with time and, within a process, with every call.

        48 bits of milliseconds, 16 of a sequence, 64 random: what is sent in one batch stays in its order.
        """
        with self._lock:
            last, sequence = self._last
            moment, sequence = (now, 0) if now > last else (last, sequence + 1)
            moment, sequence = (moment + 1, 0) if sequence >> _SEQUENCE_BITS else (moment, sequence)
            self._last = (moment, sequence)
        return f"{moment:012X}{sequence:04X}{self._hex(8).upper()}"

    def request_id(self, now: int) -> str:
        """24 upper-case hex digits, the first eight the seconds since the epoch, as MNS does it."""
        return f"{now // 1000:08X}{self._hex(4).upper()}{next(self._requests) & 0xFFFFFFFF:08X}"

    def queue_id(self) -> str:
        """16 hex digits."""
        return self._hex(8)

    def stamp(self) -> str:
        """12 hex digits that tell one claim on a message from the others."""
        return self._hex(6)

    def order_id(self) -> str:
        """The 15-digit number of an order, as OpenService answers it."""
        return str(10**14 + secrets.randbelow(9 * 10**14))

    def pick(self, count: int) -> int:
        """A number from 0 to `count` - 1, for spreading load."""
        return random.randrange(count)  # noqa: S311  # no secret: it picks a shard

    def _forget(self) -> None:
        """Let a forked process draw random bytes of its own."""
        self._pool = b""

    def _hex(self, size: int) -> str:
        """Random bytes in hex; taken from the system in blocks, since every call there lets other threads run first."""
        with self._lock:
            if len(self._pool) < size:
                self._pool = secrets.token_bytes(_POOL_BYTES)
            taken, self._pool = self._pool[:size], self._pool[size:]
        return taken.hex()
