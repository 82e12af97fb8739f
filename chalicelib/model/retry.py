"""How often and when a push that failed is made again (D "NotifyStrategy"); the numbers are in `limits`.

    BACKOFF_RETRY             3 retries, each a random 10 to 20 s after the attempt before
    EXPONENTIAL_DECAY_RETRY   176 retries: 1, 2, 4, ... 256 s, then 512 s each; 86,015 s together

An interval runs from the beginning of an attempt to the beginning of the next, so that slow endpoints do not push the
last retries past the retention.
"""

from enum import Enum

from chalicelib.model import limits


class Strategy(Enum):
    """The strategies, as on the wire."""

    BACKOFF_RETRY = "BACKOFF_RETRY"
    EXPONENTIAL_DECAY_RETRY = "EXPONENTIAL_DECAY_RETRY"

    @property
    def retries(self) -> int:
        """How many attempts may follow the first."""
        return limits.BACKOFF_RETRIES if self is Strategy.BACKOFF_RETRY else limits.DECAY_RETRIES

    def after(self, attempt: int, started_at: int, *, drawn: int) -> int | None:
        """When the attempt after number `attempt` (from 1), which began at `started_at` (ms), should begin.

        Args:
            attempt: the number of the attempt that failed.
            started_at: when it began (ms).
            drawn: a random number from 0 to `limits.BACKOFF_SPREAD_MS`.

        Returns:
            the moment (ms); None: it was the last one.
        """
        if attempt > self.retries:
            return None
        if self is Strategy.BACKOFF_RETRY:
            return started_at + limits.BACKOFF_SECONDS * 1000 + drawn
        return started_at + min(1 << (attempt - 1), limits.DECAY_LONGEST_SECONDS) * 1000
