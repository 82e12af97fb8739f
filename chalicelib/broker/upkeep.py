"""What goes on behind the requests: releasing what is due, counting, emptying deleted queues and topics.

Each of these may run twice or late without harm: receives release what is due by themselves, counts remember how far
they came, and a purge only takes what is still there.
"""

import heapq
import itertools
from collections.abc import Iterable, Sequence
from operator import attrgetter

from chalicelib.broker import ports
from chalicelib.model import account, limits, message, queue, topic

_ONE = {
    message.State.ACTIVE: queue.Counts(active=1),
    message.State.INACTIVE: queue.Counts(inactive=1),
    message.State.DELAYED: queue.Counts(delayed=1),
    None: queue.Counts(),
}
_DELTAS = {(before, after): _ONE[after] - _ONE[before] for before, after in itertools.product(_ONE, repeat=2)}


class Release:
    """Make messages Active whose delay or visibility time-out is over."""

    def __init__(self, *, queues: ports.Queues, messages: ports.Messages, clock: ports.Clock) -> None:
        self._queues = queues
        self._messages = messages
        self._clock = clock

    def run(self, *, partitions: Iterable[str] | None = None, seconds: float = 0) -> list[tuple[int, str]]:
        """Release what is due now and, if it comes due within `seconds`, later.

        Args:
            partitions: where to look; None: in all queues.
            seconds: how long to go on; it ends earlier when nothing more will be due.

        Returns:
            when the next message of each partition is due (ms), of those that have any.
        """
        started = self._clock.now()
        end = started + int(seconds * 1000)
        due = [(started, partition) for partition in (self._everywhere() if partitions is None else partitions)]
        heapq.heapify(due)
        while due and due[0][0] <= end:
            moment, partition = heapq.heappop(due)
            now = self._clock.now()
            if moment > now:
                self._clock.sleep((moment - now) / 1000)
                now = self._clock.now()
            released = self._messages.release(partition, now=now, limit=limits.RELEASE_PAGE)
            if released.next_due is not None:
                earliest = now if released.next_due <= now else now + limits.RELEASE_GRAIN_SECONDS * 1000
                heapq.heappush(due, (max(released.next_due, earliest if seconds else released.next_due), partition))
        return sorted(due)

    def _everywhere(self) -> Iterable[str]:
        return itertools.chain.from_iterable(item.partitions for item in self._queues.everywhere())


class Count:
    """Keep the counts of Active, Inactive and Delayed messages true."""

    def __init__(self, *, tallies: ports.Tallies) -> None:
        self._tallies = tallies

    def run(self, changes: Sequence[ports.Change]) -> None:
        """Count changes of messages, each once however often it comes."""
        for partition, group in itertools.groupby(
            sorted(changes, key=attrgetter("partition")), attrgetter("partition")
        ):
            ordered = sorted(group, key=lambda change: int(change.sequence))
            self._tallies.apply(
                partition, [(change.sequence, _DELTAS[change.before, change.after]) for change in ordered]
            )


class Purge:
    """Empty deleted queues and topics.

    With a queue its data keys go; those of a topic stay, for its messages end with their time to live.
    """

    def __init__(
        self,
        *,
        messages: ports.Messages,
        subscriptions: ports.Subscriptions,
        tallies: ports.Tallies,
        sealing: ports.Sealing,
        clock: ports.Clock,
        seconds: float = limits.PURGE_SECONDS,
    ) -> None:
        """Set up; a run takes `seconds` and the page in hand, where it takes the time of requests just that page."""
        self._messages = messages
        self._subscriptions = subscriptions
        self._tallies = tallies
        self._sealing = sealing
        self._clock = clock
        self._seconds = seconds

    def run(self, deleted: queue.Queue) -> bool:
        """Delete the messages of a deleted queue; False: time ran out, run it again."""
        end = self._clock.now() + int(self._seconds * 1000)
        for partition in deleted.partitions:
            while self._messages.purge(partition):
                if self._clock.now() >= end:
                    return False
            self._tallies.retire(partition, now=self._clock.now())
        self._sealing.delete(deleted.queue_id)
        return True

    def run_topic(self, namespace: account.Namespace, deleted: topic.Topic) -> None:
        """Delete the subscriptions of a deleted topic; its messages end with their time to live."""
        self._subscriptions.purge(namespace, deleted)
        for partition in deleted.partitions:
            self._tallies.retire(partition, now=self._clock.now())
