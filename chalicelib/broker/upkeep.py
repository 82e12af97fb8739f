"""What goes on behind the requests: releasing what is due, counting, emptying deleted queues and topics.

Each of these may run twice or late without harm: receives release what is due by themselves, counts remember how far
they came, and a purge only takes what is still there.
"""

import contextlib
import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter

from chalicelib.broker import ports, queues
from chalicelib.model import account, errors, limits, queue, topic


class Release:
    """Make messages Active whose delay or visibility time-out is over, or bring them to the dead-letter queue."""

    def __init__(
        self, *, store: ports.Queues, queues: queues.Queues, messages: ports.Messages, clock: ports.Clock
    ) -> None:
        self._store = store
        self._queues = queues
        self._messages = messages
        self._clock = clock
        self._names: dict[str, tuple[account.Namespace, str]] = {}  # of queues, by id

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
        homes = self._homes(None if partitions is None else list(partitions))
        due = [(started, partition) for partition in homes]
        heapq.heapify(due)
        while due and due[0][0] <= end:
            moment, partition = heapq.heappop(due)
            now = self._clock.now()
            if moment > now:
                self._clock.sleep((moment - now) / 1000)
                now = self._clock.now()
            namespace, of = homes[partition]
            released = self._messages.release(
                of, partition, now=now, limit=limits.RELEASE_PAGE, dead=self._queues.dead_letters(namespace, of)
            )
            if released.next_due is not None:
                earliest = now if released.next_due <= now else now + limits.RELEASE_GRAIN_SECONDS * 1000
                heapq.heappush(due, (max(released.next_due, earliest if seconds else released.next_due), partition))
        return sorted(due)

    def _homes(self, partitions: Sequence[str] | None) -> dict[str, tuple[account.Namespace, queue.Queue]]:
        """The queues of partitions, or of all there are; without those of queues that are no more."""
        if partitions is None:
            return {partition: (namespace, of) for namespace, of in self._everywhere() for partition in of.partitions}
        ids = {partition: partition.partition("#")[0] for partition in partitions}
        if not self._names.keys() >= set(ids.values()):
            for _ in self._everywhere():
                pass
        found = {}
        for partition, queue_id in ids.items():
            namespace, name = self._names.get(queue_id, (None, ""))
            if namespace is None:
                continue
            with contextlib.suppress(errors.QueueNotExist):
                of = self._queues.find(namespace, name)
                if of.queue_id == queue_id:
                    found[partition] = namespace, of
        return found

    def _everywhere(self) -> Iterator[tuple[account.Namespace, queue.Queue]]:
        names = {}
        for namespace, of in self._store.everywhere():
            names[of.queue_id] = namespace, of.name
            yield namespace, of
        self._names = names


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
            self._tallies.apply(partition, [(change.sequence, change.delta) for change in ordered])


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
