"""Time and ids: nobody else asks what time it is or makes anything random."""

import os
import random
import secrets
import string
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SEQUENCE_BITS = 16
_MILLISECOND = 1_000_000  # ns
_UNIT_BITS = 4  # 16 ns, of which a millisecond has fewer than a sequence has numbers
_BLOCK = 512  # times sixteen random digits that are taken from the system at once
_ALPHABET = string.ascii_letters + string.digits


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        time.sleep(seconds)


def random_bytes(count: int) -> bytes:
    """As many bytes that nobody can guess."""
    return secrets.token_bytes(count)


def _characters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


class RandomIds:
    """Ids that nobody else makes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0  # ms and sequence of the newest message id, as one number
        self._digits: Iterator[str] = iter(())  # random upper-case hex digits, sixteen at a time
        os.register_at_fork(after_in_child=self._forget)

    def message_id(self, now: int) -> str:
        """32 upper-case hex digits that rise with time and, within a process, with every call.

        48 bits of milliseconds, 16 of a sequence, 64 random: what is sent in one batch stays in its order. The sequence
        begins at the part of the millisecond that is over, so that ids of several processes of one machine are in the
        order of their calls, too.
        """
        order = now << _SEQUENCE_BITS | time.time_ns() % _MILLISECOND >> _UNIT_BITS
        with self._lock:
            if order <= self._last:
                order = self._last + 1
            self._last = order
        return f"{order:016X}{next(self._digits, None) or self._draw()}"

    def request_id(self, now: int) -> str:
        """24 upper-case hex digits, the first eight the seconds since the epoch, as MNS does it."""
        return f"{now // 1000:08X}{next(self._digits, None) or self._draw()}"

    def queue_id(self) -> str:
        """16 hex digits."""
        return (next(self._digits, None) or self._draw()).lower()

    def stamp(self) -> str:
        """12 hex digits that tell one claim on a message from the others."""
        return (next(self._digits, None) or self._draw())[:12].lower()

    def order_id(self) -> str:
        """The 15-digit number of an order, as OpenService answers it."""
        return str(10**14 + secrets.randbelow(9 * 10**14))

    def account_id(self) -> str:
        """The 16-digit number of an account, as Alibaba Cloud makes them."""
        return str(10**15 + secrets.randbelow(9 * 10**15))

    def entity_id(self) -> str:
        """The 18-digit number of a user, a group or a role."""
        return str(2 * 10**17 + secrets.randbelow(10**17))

    def access_key_id(self) -> str:
        """LTAI and 20 letters and digits, as Alibaba Cloud makes them."""
        return "LTAI" + _characters(20)

    def temporary_key_id(self) -> str:
        """STS. and 24 letters and digits."""
        return "STS." + _characters(24)

    def secret(self) -> str:
        """30 letters and digits, as Alibaba Cloud makes them."""
        return _characters(30)

    def pick(self, count: int) -> int:
        """A number from 0 to `count` - 1, for spreading load."""
        return random.randrange(count) if count > 1 else 0  # noqa: S311  # no secret: it picks a shard

    def _forget(self) -> None:
        """Let a forked process draw random digits of its own."""
        self._digits = iter(())

    def _draw(self) -> str:
        """Sixteen random hex digits.

        They are taken from the system in blocks, since every call there lets other threads run first.
        """
        drawn = secrets.token_hex(_BLOCK * 8).upper()
        self._digits = iter([drawn[start : start + 16] for start in range(16, len(drawn), 16)])
        return drawn[:16]
