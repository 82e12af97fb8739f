"""Rates: how many of something may happen in a second, as token buckets.

Pure: moments are handed in, in ms since the epoch. All numbers are whole, so nothing is lost to rounding: a bucket
counts thousandths of tokens, of which `rate` come in each millisecond.
"""

from chalicelib.model import limits

_TOKEN = 1_000  # thousandths


class Bucket:
    """What may still happen: at most a second's worth at once, `rate` a second in the long run.

    In any `t` seconds no more than `rate * (t + 1)` are taken, but for what is owed after a `charge`.
    """

    __slots__ = ("_full", "_level", "_then", "rate")

    def __init__(self, rate: int, now: int) -> None:
        """Begin full; `rate` is tokens a second, one at least."""
        self.rate = rate
        self._full = rate * _TOKEN
        self._level = self._full
        self._then = now

    def take(self, now: int) -> bool:
        """Take a token; False: there is none."""
        self._fill(now)
        if self._level < _TOKEN:
            return False
        self._level -= _TOKEN
        return True

    def take_up_to(self, count: int, now: int) -> int:
        """Take as many of `count` tokens as are there; how many."""
        self._fill(now)
        taken = min(count, max(0, self._level) // _TOKEN)
        self._level -= taken * _TOKEN
        return taken

    def give_back(self, count: int) -> None:
        """Put tokens back that were taken and not used."""
        self._level = min(self._full, self._level + count * _TOKEN)

    def charge(self, count: int, now: int) -> None:
        """Take `count` tokens whether they are there or not: what is missing is owed, and comes in first."""
        self._fill(now)
        self._level -= count * _TOKEN

    def next_at(self, now: int) -> int:
        """When a token is there: `now`, or later."""
        self._fill(now)
        missing = _TOKEN - self._level
        return now if missing <= 0 else now + -(-missing // self.rate)

    def is_full(self, now: int) -> bool:
        """Whether it is like a new one."""
        self._fill(now)
        return self._level == self._full

    def _fill(self, now: int) -> None:
        if now != self._then:
            if now > self._then:
                self._level = min(self._full, self._level + (now - self._then) * self.rate)
            self._then = now  # a clock that was set back goes on from there


class Line:
    """Those who want a token each and come back for it at a moment of their own, first come, first served.

    Who finds a token and nobody in line goes at once. All others get a moment each, `rate` of them a second, and who
    comes back at it finds a token.
    """

    __slots__ = ("_bucket", "_last")

    def __init__(self, rate: int, now: int) -> None:
        self._bucket = Bucket(rate, now)
        self._last = 0  # the newest moment given, in 1/rate ms

    @property
    def rate(self) -> int:
        """How many go in a second."""
        return self._bucket.rate

    def turn(self, now: int, *, came_back: bool) -> int:
        """When somebody may go: `now`, or the moment (ms) to come back at."""
        rate = self._bucket.rate
        if (came_back or self._last <= now * rate) and self._bucket.take(now):
            return now
        self._last = max(self._last, now * rate) + _TOKEN
        return -(-self._last // rate)

    def is_full(self, now: int) -> bool:
        """Whether it is like a new one."""
        return self._last <= now * self._bucket.rate and self._bucket.is_full(now)


def check_rate(name: str, rate: int) -> int:
    """Return `rate`; raise ValueError if it is no rate: 0 (none) or tokens a second."""
    if not 0 <= rate <= limits.HIGHEST_RATE:
        raise ValueError(f"{name} should be 0 (no limit) to {limits.HIGHEST_RATE}, not {rate}")
    return rate
