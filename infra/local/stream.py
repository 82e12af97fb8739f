"""One table's stream, handed to a Lambda function as an event source mapping does on AWS.

What becomes of a batch of records:

    done             its last record is the checkpoint, which a later process reads on from
    done in part     the checkpoint is before the first record that the function named; the rest comes again
    failed           it comes again after a pause, `_ATTEMPTS` times, then in halves, until one record is left over
    a record failed  it is kept in the table `failures`, and passed over: the dead-letter end
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore import exceptions

from chalicelib import telemetry
from chalicelib.broker import ports
from chalicelib.storage import schema
from infra.local import engine as engines

BATCH = 200  # records handed over at once
ATTEMPTS = 5  # at a batch that fails, before it is halved

Handler = Callable[[dict[str, Any], Any], Any]


class Stream:
    """See the module.

    Attributes:
        arn: the stream's resource name.
        reached: the sequence number of the last record done; None: of none.
        behind: whether the function left something to do the last time, without having failed.
    """

    def __init__(
        self,
        *,
        engine: engines.LocalEngine,
        prefix: str,
        table: schema.Table,
        handler: Handler,
        clock: ports.Clock,
        batch: int = BATCH,
    ) -> None:
        """Set up; up to `batch` records are handed over at once."""
        self._engine = engine
        self._handler = handler
        self._clock = clock
        self._checkpoints = prefix + engines.CHECKPOINTS.name
        self._failures = prefix + engines.FAILURES.name
        self.arn = engine.describe_table(TableName=prefix + table.name)["Table"]["LatestStreamArn"]
        [shard] = engine.describe_stream(StreamArn=self.arn)["StreamDescription"]["Shards"]
        self._shard_id = shard["ShardId"]
        self._iterator = ""
        self._batch = self._limit = batch
        self._attempts = 0
        self.behind = False
        self.reached: str | None = None
        self.rewind()

    def rewind(self) -> None:
        """Go back to what the engine knows to be done."""
        answer = self._engine.get_item(TableName=self._checkpoints, Key={"pk": {"S": self.arn}}, ConsistentRead=True)
        self.reached = answer["Item"]["sequence"]["S"] if "Item" in answer else None
        self._read_on()

    def drain(self) -> Iterator[list[dict[str, Any]]]:
        """Hand over what is new, batch by batch, and tell what was done.

        Raises:
            Exception: whatever the function raised; the batch comes again the next time.
        """
        self.behind = False
        while not self.behind:
            answer = self._get_records()
            if not answer["Records"]:
                return
            records = [lambda_record(record, self.arn) for record in answer["Records"]]
            done = self._hand_over(records)
            if done:
                self.reached = _sequence(done[-1])
                checkpoint = {"pk": {"S": self.arn}, "sequence": {"S": self.reached}}
                self._engine.put_item(TableName=self._checkpoints, Item=checkpoint)
            self.behind = len(done) < len(records)
            if self.behind:
                self._read_on()
            else:
                self._iterator = answer["NextShardIterator"]
            if done:
                yield done

    def failures(self) -> list[dict[str, Any]]:
        """The records that were given up, oldest first; 1 MB of them at most."""
        answer = self._engine.query(
            TableName=self._failures,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": self.arn}},
            ConsistentRead=True,
        )
        return [
            {"at": int(item["at"]["N"]), "error": item["error"]["S"], "record": json.loads(item["record"]["S"])}
            for item in answer["Items"]
        ]

    def _read_on(self) -> None:
        start = (
            {"ShardIteratorType": "TRIM_HORIZON"}
            if self.reached is None
            else {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": self.reached}
        )
        try:
            self._iterator = self._iterator_at(**start)
        except exceptions.ClientError as error:
            self._begin_anew(error)

    def _get_records(self) -> dict[str, Any]:
        while True:
            try:
                return self._engine.get_records(ShardIterator=self._iterator, Limit=self._limit)
            except exceptions.ClientError as error:
                self._begin_anew(error)

    def _iterator_at(self, **start: str) -> str:
        answer = self._engine.get_shard_iterator(StreamArn=self.arn, ShardId=self._shard_id, **start)
        return str(answer["ShardIterator"])

    def _begin_anew(self, error: exceptions.ClientError) -> None:
        """Go on with the oldest record there is, if those wanted are gone: an old file, or one put together by hand."""
        if error.response["Error"]["Code"] != "TrimmedDataAccessException":
            raise error
        telemetry.logger.error("stream records were trimmed before they were read", stream=self.arn)
        self._iterator = self._iterator_at(ShardIteratorType="TRIM_HORIZON")

    def _hand_over(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Those at the beginning of `records` that are done with."""
        try:
            answer = self._handler({"Records": records}, None)
        except Exception as error:
            self._attempts += 1
            if self._attempts < ATTEMPTS:
                raise
            self._attempts = 0
            if len(records) > 1:
                self._limit = len(records) // 2
                raise
            self._give_up(records[0], error)
            return records
        self._attempts = 0
        self._limit = min(self._batch, 2 * self._limit)
        failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
        return records[: next((n for n, record in enumerate(records) if _sequence(record) in failed), len(records))]

    def _give_up(self, record: dict[str, Any], error: Exception) -> None:
        """Keep a record that the function cannot do."""
        telemetry.logger.error("a stream record was given up", sequence=_sequence(record), stream=self.arn)
        item = {
            "pk": {"S": self.arn},
            "sk": {"S": _sequence(record)},
            "at": {"N": str(self._clock.now())},
            "error": {"S": f"{type(error).__name__}: {error}"},
            "record": {"S": json.dumps(record, default=_base64)},
        }
        self._engine.put_item(TableName=self._failures, Item=item)


def _base64(content: object) -> str:
    """Bytes, as Lambda hands them over."""
    assert isinstance(content, bytes)  # noqa: S101  # all else of a record is JSON's
    return base64.b64encode(content).decode()


def _sequence(record: Mapping[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def lambda_record(record: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """A record as Lambda hands it to a function."""
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    return {**record, "dynamodb": change, "eventSourceARN": arn}
