"""How a thread waits for a long poll between two looks."""

from typing import Protocol

from chalicelib.api import operations
from chalicelib.broker import ports
from chalicelib.model import limits


class Waiter(Protocol):
    """Waiting; on Lambda by sleeping, locally by being woken."""

    def mark(self) -> int:
        """What has been heard of so far; taken before a look, so that nothing is missed between look and wait."""

    def wait(self, step: operations.Waiting, *, mark: int, looks: int) -> None:
        """Return when another look may find something, or at the deadline, after `looks` that found nothing."""

    def pass_on(self, queue_id: str) -> None:
        """A look after a wait found messages: there may be more, for the next one who waits."""


class SleepingWaiter:
    """Sleeps: the looks grow rarer, and meet what is known to become due."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock

    def mark(self) -> int:
        """Nothing is heard of while asleep."""
        return 0

    def wait(self, step: operations.Waiting, *, mark: int, looks: int) -> None:  # noqa: ARG002  # see `mark`
        """Sleep for a while that grows with the number of looks."""
        now = self._clock.now()
        pause = min(
            limits.LONG_POLL_FIRST_LOOK_SECONDS * limits.LONG_POLL_GROWTH ** (looks - 1),
            limits.LONG_POLL_LAST_LOOK_SECONDS,
        )
        next_look = min(step.deadline, step.next_due or step.deadline, now + int(pause * 1000))
        next_look = min(step.deadline, max(next_look, step.held_until or next_look))
        self._clock.sleep(max(1, next_look - now) / 1000)

    def pass_on(self, queue_id: str) -> None:
        """Nobody else is known who waits."""
