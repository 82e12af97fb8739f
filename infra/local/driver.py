"""The trigger driver: what DynamoDB streams, schedules and time to live do on AWS, done here.

It feeds the very functions that are deployed the very events that Lambda would. A write wakes it; it then reads the
streams, hands the records over, and sees from them which queues to ring for and when which messages come due. Between
writes it sleeps until the next one is due.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from chalicelib import telemetry
from chalicelib.api import workers
from chalicelib.broker import ports
from chalicelib.storage import messages as message_table
from chalicelib.storage import schema
from infra.local import engine as engines
from infra.local import parking

_BATCH = 500  # records handed over at once
_ATTEMPTS = 5  # at a batch that fails, before it is given up and logged
_RETRY_SECONDS = 0.1
_SWEEP_SECONDS = 30  # between looks for items whose time to live is over
_SWEEP_ITEMS = 1000

Handler = Callable[[dict[str, Any], Any], Any]


class _Stream:
    """One table's stream, read from its beginning."""

    def __init__(self, engine: engines.LocalEngine, table: str, handler: Handler) -> None:
        self._engine = engine
        self._handler = handler
        self._arn = engine.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        shards = engine.describe_stream(StreamArn=self._arn)["StreamDescription"]["Shards"]
        self._iterators = [
            engine.get_shard_iterator(StreamArn=self._arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
                "ShardIterator"
            ]
            for shard in shards
        ]

    def drain(self) -> Iterator[list[dict[str, Any]]]:
        """Hand over what is new, batch by batch."""
        for place in range(len(self._iterators)):
            while True:
                answer = self._engine.get_records(ShardIterator=self._iterators[place], Limit=_BATCH)
                self._iterators[place] = answer["NextShardIterator"]
                if not answer["Records"]:
                    break
                records = [_lambda_record(record, self._arn) for record in answer["Records"]]
                self._hand_over(records)
                yield records

    def _hand_over(self, records: list[dict[str, Any]]) -> None:
        rest = records
        for attempt in range(_ATTEMPTS):
            if attempt:
                time.sleep(_RETRY_SECONDS * attempt)
            try:
                answer = self._handler({"Records": rest}, None)
            except Exception:  # noqa: BLE001  # Lambda retries whatever a function raises
                telemetry.logger.exception("a stream batch failed", attempt=attempt + 1)
                continue
            failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
            places = [n for n, record in enumerate(rest) if record["dynamodb"]["SequenceNumber"] in failed]
            if not places:
                return
            rest = rest[places[0] :]
        telemetry.logger.error("a stream batch was given up", records=len(rest))


class Driver:
    """Runs the workers of one application."""

    def __init__(
        self, *, engine: engines.LocalEngine, prefix: str, clock: ports.Clock, lot: parking.ParkingLot
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._lot = lot
        self._due: dict[str, int] = {}  # partition -> when its next message is due, ms
        self._step_lock = threading.Lock()
        self._wake = threading.Event()
        self._stopped = False
        self._next_sweep = 0
        self._messages = _Stream(engine, prefix + schema.MESSAGES.name, workers.tally)
        self._resources = _Stream(engine, prefix + schema.RESOURCES.name, workers.purge)
        self._streamed = {prefix + schema.MESSAGES.name, prefix + schema.RESOURCES.name}
        self._thread = threading.Thread(target=self._run, name="openmns-driver", daemon=True)

    def start(self) -> None:
        """Take up what is there, then go on in a thread."""
        self._release([])
        self.settle()
        self._engine.subscribe(self._written)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is in hand and end."""
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def settle(self) -> None:
        """Do all that is to do now: afterwards the counts are those of this moment."""
        with self._step_lock:
            while self._drain() or self._release_due():
                pass

    def _written(self, tables: Iterable[str]) -> None:
        if not self._streamed.isdisjoint(tables):
            self._wake.set()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._pause())
            self._wake.clear()
            try:
                self._sweep()
                self.settle()
            except Exception:  # noqa: BLE001  # without the driver nothing is counted or released
                telemetry.logger.exception("the driver failed and goes on")
                time.sleep(_RETRY_SECONDS)

    def _pause(self) -> float:
        """Seconds until something is to be done."""
        due = [*self._due.values(), self._next_sweep]
        return max(0, min(due) - self._clock.now()) / 1000

    def _drain(self) -> bool:
        found = False
        for records in self._messages.drain():
            found = True
            for record in records:
                self._observe(record["dynamodb"])
        for _ in self._resources.drain():
            found = True
        return found

    def _observe(self, change: Mapping[str, Any]) -> None:
        """Ring for what became visible; note when what waits is due."""
        new, old = change.get("NewImage") or {}, change.get("OldImage") or {}
        partition = change["Keys"]["pk"]["S"]
        if "ready_key" in new and "ready_key" not in old:
            self._lot.ring(partition.partition("#")[0])
        due = message_table.due_moment(new)
        if due is not None and due < self._due.get(partition, due + 1):
            self._due[partition] = due

    def _release_due(self) -> bool:
        now = self._clock.now()
        partitions = [partition for partition, moment in self._due.items() if moment <= now]
        for partition in partitions:
            del self._due[partition]
        if partitions:
            self._release(partitions)
        return bool(partitions)

    def _release(self, partitions: list[str]) -> None:
        """Run the release function on some partitions, or on all if none are named."""
        detail = {"seconds": 0} | ({"partitions": partitions} if partitions else {})
        answer = workers.release(
            {
                "version": "0",
                "id": "local",
                "detail-type": "Scheduled Event",
                "source": "aws.events",
                "account": "000000000000",
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock.now() / 1000)),
                "region": "local",
                "resources": [],
                "detail": detail,
            },
            None,
        )
        self._due.update({partition: moment for moment, partition in answer["due"]})

    def _sweep(self) -> None:
        now = self._clock.now()
        if now >= self._next_sweep:
            more = self._engine.expire(_SWEEP_ITEMS) == _SWEEP_ITEMS
            self._next_sweep = now if more else now + _SWEEP_SECONDS * 1000


def _lambda_record(record: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A record as Lambda hands it to a function."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": change, "eventSourceARN": arn}
