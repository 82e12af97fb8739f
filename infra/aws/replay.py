"""What functions gave up, handed to them again: for when the cause is mended.

Lambda leaves a message in the queue of dead records. Of a stream it names the records, which the stream keeps for a
day; of a bucket's event it has the event itself. Whatever a function has done before, it may do again: each step of
OpenMNS may run twice.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from botocore import exceptions

from infra.aws import functions
from infra.local import stream

Json = dict[str, Any]

_HIDDEN_SECONDS = 3_600  # a message in hand; what is left over is shown again in the end
_AT_ONCE = 10  # messages; SQS's most
_EMPTY_PAGES = 100  # of a stream's shard, in a row: what is wanted is not there
_BATCH = {"streamArn", "shardId", "startSequenceNumber", "endSequenceNumber", "batchSize"}  # what is told of one
_GONE = ("TrimmedDataAccessException", "ResourceNotFoundException")

Invoke = Callable[[str, Json], Any]


class FunctionError(Exception):
    """A function failed again; the message is its own."""


class GoneError(Exception):
    """Records are no longer in their stream."""


class Outcome(StrEnum):
    """What became of a message."""

    DONE = "done"  # it has left the queue
    FAILED = "failed"  # it stays
    GONE = "gone"  # its records are no longer in the stream; it stays, unless told otherwise
    SEEN = "seen"  # it was only looked at


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """One message of the queue."""

    outcome: Outcome
    function: str  # its ARN
    given_up_at: str
    detail: str


class Replay:
    """See the module."""

    def __init__(self, *, queue: Any, url: str, streams: Any, invoke: Invoke, patience: int = 2) -> None:
        """Set up.

        Args:
            queue: the client of SQS.
            url: of the queue of dead records.
            streams: the client of DynamoDB's streams.
            invoke: hands an event to a function, by its ARN, and returns its answer; raises FunctionError.
            patience: seconds after which a queue that shows nothing is empty.
        """
        self._queue = queue
        self._url = url
        self._streams = streams
        self._invoke = invoke
        self._patience = patience

    def run(self, *, look: bool = False, discard: bool = False) -> Iterator[Replayed]:
        """Do again what the messages tell of, the oldest first as far as SQS has it so.

        Args:
            look: do nothing, only tell.
            discard: delete messages whose records are gone, too.
        """
        left = []
        try:
            while batch := self._receive():
                left += [message["ReceiptHandle"] for message in batch]
                for message in batch:
                    replayed = self._replay(message["Body"], look=look)
                    if replayed.outcome is Outcome.DONE or (discard and replayed.outcome is Outcome.GONE):
                        self._queue.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
                        left.remove(message["ReceiptHandle"])
                    yield replayed
        finally:
            for handle in left:
                self._queue.change_message_visibility(QueueUrl=self._url, ReceiptHandle=handle, VisibilityTimeout=0)

    def _receive(self) -> list[Json]:
        answer = self._queue.receive_message(
            QueueUrl=self._url,
            MaxNumberOfMessages=_AT_ONCE,
            VisibilityTimeout=_HIDDEN_SECONDS,
            WaitTimeSeconds=self._patience,
        )
        found: list[Json] = answer.get("Messages", [])
        return found

    def _replay(self, body: str, *, look: bool) -> Replayed:
        told = _read(body)
        if told is None:
            detail = "this is no message of Lambda's: delete it by hand"
            return Replayed(outcome=Outcome.FAILED, function="-", given_up_at="-", detail=detail)
        try:
            detail = self._again(told, look=look)
            outcome = Outcome.SEEN if look else Outcome.DONE
        except GoneError as error:
            outcome, detail = Outcome.GONE, str(error)
        except FunctionError as error:
            outcome, detail = Outcome.FAILED, str(error)
        function = told["requestContext"]["functionArn"]
        return Replayed(outcome=outcome, function=function, given_up_at=told["timestamp"], detail=detail)

    def _again(self, told: Json, *, look: bool) -> str:
        """What a message is about, which is done unless it is only looked at."""
        function, batch = told["requestContext"]["functionArn"], told.get("DDBStreamBatchInfo")
        if batch is None:
            if not look:
                self._invoke(function, told["requestPayload"])
            return "an event of a bucket"
        records = self._records(batch)
        if not look:
            self._hand_over(function, records)
        return f"{len(records)} records of {_table(batch)}"

    def _hand_over(self, function: str, records: Sequence[Json]) -> None:
        """Have all records done, those that the function leaves over included, as long as it gets on."""
        left = list(records)
        while left:
            answer = self._invoke(function, {"Records": left})
            failed = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
            first = next((place for place, record in enumerate(left) if _sequence(record) in failed), len(left))
            if not first:
                raise FunctionError(f"{len(left)} records are left over, from {_sequence(left[0])} on")
            left = left[first:]

    def _records(self, batch: Mapping[str, Any]) -> list[Json]:
        """The records of a batch, as the function was handed them."""
        arn, last = batch["streamArn"], int(batch["endSequenceNumber"])
        filters = _filters(_table(batch))
        found: list[Json] = []
        try:
            iterator = self._streams.get_shard_iterator(
                StreamArn=arn,
                ShardId=batch["shardId"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=batch["startSequenceNumber"],
            )["ShardIterator"]
            empty = 0
            while iterator and empty < _EMPTY_PAGES:
                page = self._streams.get_records(ShardIterator=iterator)
                empty = 0 if page["Records"] else empty + 1
                for record in page["Records"]:
                    if int(record["dynamodb"]["SequenceNumber"]) > last:
                        return found
                    handed = stream.lambda_record(record, arn)
                    if any(functions.matches(pattern, handed) for pattern in filters):
                        found.append(handed)
                    if int(record["dynamodb"]["SequenceNumber"]) == last:
                        return found
                iterator = page.get("NextShardIterator")
        except exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in _GONE:
                raise
        raise GoneError(f"{batch['batchSize']} records of {_table(batch)} can be read no more")


def _read(body: str) -> Json | None:
    """A message of Lambda's; None: it is something else."""
    try:
        told: Json = json.loads(body)
        is_lambdas = told["timestamp"] and told["requestContext"]["functionArn"]
        is_whole = "requestPayload" in told or told["DDBStreamBatchInfo"].keys() >= _BATCH
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return told if is_lambdas and is_whole else None


def _filters(table: str) -> Sequence[Mapping[str, Any]]:
    """Those of the function that reads a table's stream."""
    sources = [function.source for function in functions.FUNCTIONS if function.source is not None]
    [filters] = [source.filters for source in sources if table.endswith(f"-{source.table.name}")]
    return filters


def _table(batch: Mapping[str, Any]) -> str:
    """The table's name, of `arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/LABEL`."""
    return str(batch["streamArn"]).split("/")[1]


def _sequence(record: Mapping[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])


def by_lambda(client: Any) -> Invoke:
    """How functions are invoked by a client of Lambda."""

    def invoke(function: str, event: Json) -> Any:
        payload = json.dumps(event, default=lambda held: base64.b64encode(held).decode())
        answer = client.invoke(FunctionName=function, Payload=payload.encode())
        said = json.loads(answer["Payload"].read() or b"null")
        if answer.get("FunctionError"):
            raise FunctionError(said.get("errorMessage", answer["FunctionError"]))
        return said

    return invoke
