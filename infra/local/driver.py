"""The trigger driver: what DynamoDB streams, schedules and time to live do on AWS, done here.

It feeds the very functions that are deployed the very events that Lambda would. A write wakes it; it then reads the
stream, hands the records over, and sees from them which queues to ring for and when which messages come due. Between
writes it sleeps until the next one is due.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from chalicelib.api import workers
from chalicelib.broker import ports
from chalicelib.storage import messages as message_table
from chalicelib.storage import queues as queue_table
from chalicelib.storage import schema
from infra.local import engine as engines
from infra.local import parking, runners, stream

_SWEEP_SECONDS = 1  # between looks for items whose time to live is over, and records that nobody needs any more
_SWEEP_ITEMS = 200
_TRIM_RECORDS = 1000
_BREATH_SECONDS = 0.05  # between the pages of a purge, so that it takes a fifth of the time at most


class Driver:
    """Runs the workers of one application.

    Messages and deleted queues are worked on by a runner each, so that neither holds up the other.
    """

    def __init__(
        self,
        *,
        engine: engines.LocalEngine,
        prefix: str,
        clock: ports.Clock,
        lot: parking.ParkingLot,
        run: runners.Run = runners.ThreadRunner,
        heed: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up; `heed` is called before the stream is read for what other processes have written."""
        self._heed = heed
        self._engine = engine
        self._clock = clock
        self._lot = lot
        self._due: dict[str, int] = {}  # partition -> when its next message is due, ms
        self._lock = threading.Lock()  # of what the messages' thread and `settle` both do
        self._next_sweep = 0
        self._behind = False  # whether the last slice left something to do
        self._messages = stream.Stream(
            engine=engine, prefix=prefix, table=schema.MESSAGES, handler=workers.tally, clock=clock
        )
        self._resources = stream.Stream(
            engine=engine, prefix=prefix, table=schema.RESOURCES, handler=self._delete, clock=clock
        )
        self._upkeep_runner = run("openmns-messages", self._upkeep, self._pause)
        self._runners: dict[str, runners.Runner] = {
            prefix + schema.MESSAGES.name: self._upkeep_runner,
            prefix + schema.RESOURCES.name: run("openmns-resources", self._purge, self._purge_pause),
        }

    def start(self) -> None:
        """Take up what is there, then go on by the runners."""
        self._release([])
        self.settle()
        self._engine.subscribe(self._written)
        for runner in self._runners.values():
            runner.start()
            runner.wake()

    def stop(self) -> None:
        """Finish what is in hand and end."""
        for runner in self._runners.values():
            runner.stop()

    def settle(self) -> None:
        """Count and release all that there is: afterwards the counts are those of this moment."""
        while self._step():
            pass

    def _step(self) -> bool:
        """Do one slice of that; whether there may be more."""
        with self._lock:
            self._behind = self._count() or self._release_due()
            return self._behind

    def catch_up(self) -> None:
        """Settle, and sweep all that has expired."""
        self.settle()
        self._next_sweep = 0
        while self._next_sweep <= self._clock.now():
            self._sweep()
        self.settle()

    def rewind(self) -> None:
        """Do again what was done in a transaction that came to nothing."""
        with self._lock:
            self._messages.rewind()
        self._release([])

    def failures(self) -> list[dict[str, Any]]:
        """The stream records that were given up, those of one stream together, oldest first; 1 MB of each at most."""
        return [failure for read in (self._messages, self._resources) for failure in read.failures()]

    def next_due(self) -> int | None:
        """When the next waiting message becomes visible (ms)."""
        return min(self._due.values(), default=None)

    def _written(self, tables: Iterable[str]) -> None:
        for table in tables:
            if table in self._runners:
                self._runners[table].wake()

    def nudge(self) -> None:
        """Another process has written messages."""
        self._upkeep_runner.wake()

    def _upkeep(self) -> None:
        self._heed()
        try:
            with self._engine.batch():
                self._sweep()
                self._step()  # one slice, so that requests come in between
        except Exception:
            self.rewind()  # nothing of it is stored
            raise

    def _purge(self) -> None:
        for _ in self._resources.drain():
            pass

    def _purge_pause(self) -> float | None:
        return _BREATH_SECONDS if self._resources.behind else None

    def _delete(self, event: dict[str, Any], context: Any) -> Any:
        """Tell those who wait at deleted queues, then purge them."""
        for _, deleted in queue_table.read_deletions(event["Records"]):
            self._lot.stir_everywhere(deleted.queue_id)
        return workers.purge(event, context)

    def _pause(self) -> float:
        if self._behind:
            return 0
        due = [*self._due.values(), self._next_sweep]
        return max(0, min(due) - self._clock.now()) / 1000

    def _count(self) -> bool:
        for records in self._messages.drain():
            for record in records:
                self._observe(record["dynamodb"])
            return True
        return False

    def _observe(self, change: Mapping[str, Any]) -> None:
        """Ring for what became visible; note when what waits is due."""
        new, old = change.get("NewImage") or {}, change.get("OldImage") or {}
        partition = change["Keys"]["pk"]["S"]
        if "ready_key" in new and "ready_key" not in old:
            self._lot.announce(partition.partition("#")[0])
        due = message_table.due_moment(new)
        if due is not None and due < self._due.get(partition, due + 1):
            self._due[partition] = due

    def _release_due(self) -> bool:
        now = self._clock.now()
        partitions = [partition for partition, moment in self._due.items() if moment <= now]
        if partitions:
            self._release(partitions)
        return bool(partitions)

    def _release(self, partitions: list[str]) -> None:
        """Run the release function on some partitions, or on all if none are named."""
        answer = workers.release(_scheduled(self._clock.now(), partitions), None)
        for partition in partitions:
            del self._due[partition]
        self._due.update({partition: moment for moment, partition in answer["due"]})

    def _sweep(self) -> None:
        now = self._clock.now()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_SECONDS * 1000
            reached = {read.arn: read.reached for read in (self._messages, self._resources) if read.reached}
            more = self._engine.expire(_SWEEP_ITEMS) == _SWEEP_ITEMS
            more |= self._engine.trim(_TRIM_RECORDS, reached) == _TRIM_RECORDS
            if more:
                self._next_sweep = now


def _scheduled(now: int, partitions: list[str]) -> dict[str, Any]:
    """The event of a schedule, narrowed down to what is due now."""
    return {
        "version": "0",
        "id": "local",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now / 1000)),
        "region": "local",
        "resources": [],
        "detail": {"seconds": 0} | ({"partitions": partitions} if partitions else {}),
    }
