"""The trigger driver: what DynamoDB streams, schedules and time to live do on AWS, done here.

It feeds the very functions that are deployed the very events that Lambda would. A write wakes it; it then reads the
stream, hands the records over, and sees from them which queues to ring for and when which messages and pushes come
due. Between writes it sleeps until the next one is due. Messages of queues that are not in the engine's tables have no
stream: of these it is told when they come due.
"""

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chalicelib.api import workers
from chalicelib.broker import ports
from chalicelib.model import queue
from chalicelib.storage import deliveries as delivery_table
from chalicelib.storage import messages as message_table
from chalicelib.storage import queues as queue_table
from chalicelib.storage import schema
from infra.local import engine as engines
from infra.local import parking, runners, stream

_SWEEP_SECONDS = 1  # between looks for items whose time to live is over, and records that nobody needs any more
_SWEEP_ITEMS = 200
_PUBLICATIONS = 16  # fanned out in one go, so that requests come in between
_CATCH_UP_SECONDS = 0.25  # until another look, while more pushes are due than were taken
_TRIM_RECORDS = 1000
_STEPS = 50  # of all work that who wants counts waits for
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
        messages: engines.LocalEngine | None = None,
    ) -> None:
        """Set up.

        Args:
            engine: what is kept.
            prefix: of the tables' names.
            clock: time.
            lot: where those wait who want messages.
            run: how the work on messages is run.
            messages: the engine of messages, if it is another one.
        """
        self._engine = engine
        self._engines = (engine,) if messages is None else (engine, messages)
        self._in_one = engines.together(*self._engines)
        self._clock = clock
        self._lot = lot
        # Partition, and process that told of it -> when the next message is due, ms; under the lock that follows. Each
        # tells of its first one, and of the next when that has come: another one's must not take its place.
        self._due: dict[tuple[str, int], int] = {}
        self._due_lock = threading.Lock()
        # Of what the messages' thread and others both do; taken before the engine's own by whoever needs both.
        self._lock = threading.RLock()
        self._next_sweep = 0
        self._behind = False  # whether the last slice left something to do
        self._messages = stream.Stream(
            engine=engine, prefix=prefix, table=schema.MESSAGES, handler=workers.tally, clock=clock
        )
        self._publications = stream.Stream(
            engine=engine,
            prefix=prefix,
            table=schema.PUBLICATIONS,
            handler=workers.fan_out,
            clock=clock,
            batch=_PUBLICATIONS,
        )
        self._deliveries = stream.Stream(
            engine=engine, prefix=prefix, table=schema.DELIVERIES, handler=workers.deliver, clock=clock
        )
        self._retry_at: int | None = clock.now()  # when the next push is due, ms
        self._resources = stream.Stream(
            engine=engine, prefix=prefix, table=schema.RESOURCES, handler=self._delete, clock=clock
        )
        self._pushed = {prefix + table.name for table in (schema.PUBLICATIONS, schema.DELIVERIES)}  # pushes are made
        self._upkept = run("openmns-messages", self._upkeep, self._pause)
        self._runners: dict[str, runners.Runner] = {
            **{
                prefix + table.name: self._upkept for table in (schema.MESSAGES, schema.PUBLICATIONS, schema.DELIVERIES)
            },
            prefix + schema.RESOURCES.name: run("openmns-resources", self._purge, self._purge_pause),
        }

    def start(self) -> None:
        """Take up what is there, then go on by the runners."""
        self._release([])
        self.settle()
        self._engine.subscribe(self._written)
        for runner in dict.fromkeys(self._runners.values()):
            runner.start()
            runner.wake()

    def stop(self) -> None:
        """Finish what is in hand and end."""
        for runner in dict.fromkeys(self._runners.values()):
            runner.stop()

    def settle(self) -> None:
        """Count and release all that there is: afterwards the counts are those of this moment."""
        for _ in range(_STEPS):
            if not self._step():
                return
        with self._lock:  # a long row of publications is not worked off while somebody waits for an answer
            while self._count() or self._release_due():
                pass

    def _step(self) -> bool:
        """Do one slice of that; whether there may be more."""
        with self._lock:
            self._behind = any(
                [self._count(), self._release_due(), self._fan_out(), self._deliver(), self._redeliver_due()]
            )
            return self._behind

    def catch_up(self) -> Iterator[None]:
        """Settle, have what is pushed answered, and sweep all that has expired.

        Yields whenever the pushes under way have to be answered first; whoever runs it waits for them as it can.
        """
        yield from self._settle_pushes()
        self._next_sweep = 0
        while self._next_sweep <= self._clock.now():
            self._sweep()
        yield from self._settle_pushes()

    def _settle_pushes(self) -> Iterator[None]:
        """Settle until no push is under way either; what pushes store they store between the transactions of this."""
        while True:
            self._together(self.settle)
            yield
            if not self._step():  # what became of the pushes
                return

    def _together(self, work: Callable[[], object]) -> None:
        """Do some work in one transaction."""
        with self._lock:
            try:
                self._in_one(work)
            except Exception:
                self.rewind()  # nothing of it is stored
                raise

    def rewind(self) -> None:
        """Do again what was done in a transaction that came to nothing."""
        with self._lock:
            for read in (self._messages, self._publications, self._deliveries):
                read.rewind()
            self._retry_at = self._clock.now()
        self._release([])

    def failures(self) -> list[dict[str, Any]]:
        """The stream records that were given up, those of one stream together, oldest first; 1 MB of each at most."""
        return [failure for read in self._streams() for failure in read.failures()]

    def expect(self, queue_id: str, moment: int, process: int = 0) -> None:
        """A message that is kept outside of the engine's tables, by some process, comes due at a moment (ms)."""
        if self._note(queue.partition(queue_id, 0), moment, process) and moment < self._next_sweep:
            self._upkept.wake(soon=True)

    def next_due(self) -> int | None:
        """When the next waiting message becomes visible, or the next push is due (ms)."""
        retries = [] if self._retry_at is None else [self._retry_at]
        with self._due_lock:
            return min([*self._due.values(), *retries], default=None)

    def _written(self, tables: Iterable[str]) -> None:
        for table in tables:
            if table in self._runners:
                self._runners[table].wake(soon=table in self._pushed)

    def _upkeep(self) -> None:
        self._together(self._slice)

    def _slice(self) -> None:
        """Not more than this at once, so that requests come in between."""
        self._sweep()
        self._step()

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
        return max(0, min(self._next_sweep, self.next_due() or self._next_sweep) - self._clock.now()) / 1000

    def _count(self) -> bool:
        for records in self._messages.drain():
            for record in records:
                self._observe(record["dynamodb"])
            return True
        return False

    def _fan_out(self) -> bool:
        return any(True for _ in itertools.islice(self._publications.drain(), 1))

    def _deliver(self) -> bool:
        for records in itertools.islice(self._deliveries.drain(), 1):
            for record in records:
                due = delivery_table.due_moment(record["dynamodb"].get("NewImage") or {})
                if due is not None and (self._retry_at is None or due < self._retry_at):
                    self._retry_at = due
            return True
        return False

    def _redeliver_due(self) -> bool:
        now = self._clock.now()
        if self._retry_at is None or self._retry_at > now:
            return False
        next_due = workers.redeliver(_scheduled(now, []), None)["next_due"]
        behind = round(_CATCH_UP_SECONDS * 1000)
        self._retry_at = None if next_due is None else next_due if next_due > now else now + behind
        return True

    def _streams(self) -> tuple[stream.Stream, ...]:
        return self._messages, self._publications, self._deliveries, self._resources

    def _observe(self, change: Mapping[str, Any]) -> None:
        """Ring for what became visible; note when what waits is due."""
        new, old = change.get("NewImage") or {}, change.get("OldImage") or {}
        partition = change["Keys"]["pk"]["S"]
        if message_table.is_ready(new) and not message_table.is_ready(old):
            self._lot.announce(partition.partition("#")[0])
        due = message_table.due_moment(new)
        if due is not None:
            self._note(partition, due)

    def _note(self, partition: str, due: int, process: int = 0) -> bool:
        """Note when something is due; whether it was not known already, or for later."""
        with self._due_lock:
            is_news = due < self._due.get((partition, process), due + 1)
            if is_news:
                self._due[partition, process] = due
        return is_news

    def _release_due(self) -> bool:
        now = self._clock.now()
        with self._due_lock:
            reached = [told for told, moment in self._due.items() if moment <= now]
            for told in reached:
                del self._due[told]  # first, for what is noted meanwhile counts
        if reached:
            self._release(list(dict.fromkeys([partition for partition, _ in reached])))
        return bool(reached)

    def _release(self, partitions: list[str]) -> None:
        """Run the release function on some partitions, or on all if none are named."""
        answer = workers.release(_scheduled(self._clock.now(), partitions), None)
        for moment, partition in answer["due"]:
            self._note(partition, moment)

    def _sweep(self) -> None:
        now = self._clock.now()
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_SECONDS * 1000
            reached = {read.arn: read.reached for read in self._streams()}
            more = max(each.expire(_SWEEP_ITEMS) for each in self._engines) == _SWEEP_ITEMS
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
