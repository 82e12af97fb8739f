"""How records of a stream reach a function, and what becomes of those that it cannot do; on each engine."""

import contextlib
import json
from typing import Any

import pytest

from chalicelib.storage import schema
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import stream


class Function:
    """A Lambda function that raises for some records, and names others as failed."""

    def __init__(self) -> None:
        self.seen: list[list[str]] = []
        self.raises_for: set[str] = set()
        self.names: set[str] = set()

    def __call__(self, event: dict[str, Any], _context: object) -> dict[str, Any]:
        ids = [record["dynamodb"]["Keys"]["sk"]["S"] for record in event["Records"]]
        self.seen.append(ids)
        if self.raises_for & set(ids):
            raise ValueError("cannot do that")
        numbers = [
            record["dynamodb"]["SequenceNumber"]
            for record, name in zip(event["Records"], ids, strict=True)
            if name in self.names
        ]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in numbers]}


@pytest.fixture
def function() -> Function:
    return Function()


@pytest.fixture
def read(engine, prefix, function, clock) -> stream.Stream:
    return stream.Stream(engine=engine, prefix=prefix, table=schema.MESSAGES, handler=function, clock=clock)


@pytest.fixture
def write(engine, prefix):
    def write(*ids: str) -> None:
        for name in ids:
            engine.put_item(TableName=prefix + schema.MESSAGES.name, Item={"pk": {"S": "q#0"}, "sk": {"S": name}})

    return write


def drain(read: stream.Stream, attempts: int = 1) -> list[list[str]]:
    """What is done with after so many attempts, in batches."""
    done = []
    for _ in range(attempts):
        with contextlib.suppress(ValueError):
            for records in read.drain():
                done.append([record["dynamodb"]["Keys"]["sk"]["S"] for record in records])  # noqa: PERF401  # it raises
    return done


def test_records_are_handed_over_in_their_order_and_once(read, write, function):
    write("1", "2")
    assert drain(read) == [["1", "2"]]
    write("3")
    assert drain(read, 2) == [["3"]]
    assert function.seen == [["1", "2"], ["3"]]


def test_a_record_has_the_shape_that_lambda_hands_over(read, write):
    write("1")
    [[record]] = list(read.drain())
    assert record["eventSourceARN"] == read.arn
    assert (record["eventName"], record["eventSource"]) == ("INSERT", "aws:dynamodb")
    assert record["dynamodb"]["NewImage"] == {"pk": {"S": "q#0"}, "sk": {"S": "1"}}
    assert isinstance(record["dynamodb"]["ApproximateCreationDateTime"], float)
    assert json.loads(json.dumps(record)) == record


def test_no_more_than_a_batch_is_handed_over_at_once(read, write, function):
    write(*map(str, range(stream.BATCH + 1)))
    drain(read)
    assert [len(ids) for ids in function.seen] == [stream.BATCH, 1]


def test_a_batch_that_failed_comes_again_before_the_next_one(read, write, function):
    write("1", "2")
    function.raises_for = {"1"}
    assert drain(read) == []
    function.raises_for = set()
    assert drain(read) == [["1", "2"]]
    assert function.seen == [["1", "2"], ["1", "2"]]


def test_a_batch_comes_again_from_the_first_record_that_the_function_named(read, write, function):
    write("1", "2", "3")
    function.names = {"2"}
    assert (drain(read), read.behind) == ([["1"]], True)
    assert (drain(read), read.behind) == ([], True)
    function.names = set()
    assert (drain(read), read.behind) == ([["2", "3"]], False)
    assert function.seen == [["1", "2", "3"], ["2", "3"], ["2", "3"]]


def test_a_batch_that_fails_again_and_again_is_halved_until_the_record_at_fault_is_alone(read, write, function):
    write("1", "2", "3", "4")
    function.raises_for = {"3"}
    done = drain(read, 4 * stream.ATTEMPTS)
    assert done == [["1", "2"], ["3"], ["4"]]
    assert function.seen.count(["3"]) == stream.ATTEMPTS


def test_a_record_that_cannot_be_done_is_kept_and_passed_over(read, write, function, clock):
    write("1", "2")
    function.raises_for = {"1"}
    drain(read, 3 * stream.ATTEMPTS)
    [failure] = read.failures()
    assert (failure["at"], failure["error"]) == (clock.now(), "ValueError: cannot do that")
    assert failure["record"]["dynamodb"]["Keys"]["sk"] == {"S": "1"}
    assert function.seen[-1] == ["2"]


def test_after_a_failure_batches_grow_again(read, write, function):
    write(*map(str, range(8)))
    function.raises_for = {"0"}
    drain(read, 8 * stream.ATTEMPTS)
    assert [len(ids) for ids in function.seen[-3:]] == [1, 2, 4]


def test_a_later_process_reads_on_after_what_was_done(read, write, engine, prefix, function, clock):
    write("1", "2", "3")
    function.names = {"3"}
    drain(read)
    function.names = set()
    later = stream.Stream(engine=engine, prefix=prefix, table=schema.MESSAGES, handler=function, clock=clock)
    assert drain(later) == [["3"]]


def test_a_stream_whose_records_were_trimmed_goes_on_with_those_that_are_left(open_engine, function, clock):
    local = open_engine()
    engines.make_tables(local, "")
    table = schema.MESSAGES.name
    read = stream.Stream(engine=local, prefix="", table=schema.MESSAGES, handler=function, clock=clock)
    for name in ("1", "2"):
        local.put_item(TableName=table, Item={"pk": {"S": "q#0"}, "sk": {"S": name}})
    drain(read)
    for name in ("3", "4"):
        local.put_item(TableName=table, Item={"pk": {"S": "q#0"}, "sk": {"S": name}})
    local.trim(3, {read.arn: str(10**20 + 3)})  # without having been read
    assert drain(read) == [["4"]]
    later = stream.Stream(engine=local, prefix="", table=schema.MESSAGES, handler=function, clock=clock)
    local.put_item(TableName=table, Item={"pk": {"S": "q#0"}, "sk": {"S": "5"}})
    assert drain(later) == [["5"]]


def test_records_that_nobody_has_read_are_kept_however_old_they_are(open_engine, function, clock):
    local = open_engine()
    engines.make_tables(local, "")
    read = stream.Stream(engine=local, prefix="", table=schema.MESSAGES, handler=function, clock=clock)
    local.put_item(TableName=schema.MESSAGES.name, Item={"pk": {"S": "q#0"}, "sk": {"S": "1"}})
    clock.advance(3 * 86_400)
    assert local.trim(100, {read.arn: read.reached}) == 0
    assert drain(read) == [["1"]]


@pytest.fixture
def open_engine(tmp_path, clock):
    """A way to an embedded engine on a file."""
    opened = []

    def open_engine() -> EmbeddedEngine:
        opened.append(EmbeddedEngine(tmp_path / "openmns.db", now=clock.now))
        return opened[-1]

    yield open_engine
    for each in opened:
        each.close()
