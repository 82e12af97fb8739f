"""How a thread waits for a long poll between two looks."""

from typing import Any, Protocol

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
        """Sleep for a while that grows with the number of looks.

        What was due before this moment has just been looked for: others were quicker, or it is not to be had.
        """
        now = self._clock.now()
        pause = min(
            limits.LONG_POLL_FIRST_LOOK_SECONDS * limits.LONG_POLL_GROWTH ** (looks - 1),
            limits.LONG_POLL_LAST_LOOK_SECONDS,
        )
        due = step.next_due if step.next_due is not None and step.next_due > now else step.deadline
        next_look = min(step.deadline, due, now + int(pause * 1000))
        next_look = min(step.deadline, max(next_look, step.held_until or next_look))
        self._clock.sleep(max(1, next_look - now) / 1000)

    def pass_on(self, queue_id: str) -> None:
        """Nobody else is known who waits."""


def last_moment(context: Any, clock: ports.Clock) -> int | None:
    """Until when a Lambda function may wait (ms), so that it has answered before Lambda ends it; None: no context.

    Args:
        context: Lambda's; None where there is none, as in tests.
        clock: by which the function waits.
    """
    if context is None:
        return None
    return clock.now() + int(context.get_remaining_time_in_millis()) - limits.LONG_POLL_MARGIN_SECONDS * 1000
