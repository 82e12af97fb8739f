"""A clock that tests move, engines in memory and on files, and a table with every kind of index."""

import dataclasses

import pytest
from botocore.exceptions import ClientError

from infra.embedded import engine as embedded

START = 1_700_000_000_000


@dataclasses.dataclass
class Clock:
    """Milliseconds that only move when told to."""

    now: int = START

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += round(seconds * 1000)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def engine(clock):
    engine = embedded.EmbeddedEngine(None, now=clock)
    yield engine
    engine.close()


@pytest.fixture
def open_engine(clock, tmp_path):
    """Opens engines on files of this test and closes them at its end."""
    opened = []

    def open_one(name="mns.db", **options):
        engine = embedded.EmbeddedEngine(tmp_path / name, now=options.pop("now", clock), **options)
        opened.append(engine)
        return engine

    yield open_one
    for engine in opened:
        engine.close()


def key_schema(*names):
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, ("HASH", "RANGE"), strict=False)]


def index(name, keys, projection="ALL", *include):
    described = {"ProjectionType": projection}
    if include:
        described["NonKeyAttributes"] = list(include)
    return {"IndexName": name, "KeySchema": key_schema(*keys), "Projection": described}


def table_request(name="things", **changes):
    """A table with a string and a number key, two LSIs, three GSIs and a stream."""
    return {
        "TableName": name,
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": kind}
            for attribute, kind in (("p", "S"), ("s", "N"), ("l", "S"), ("m", "N"), ("g", "S"), ("h", "B"))
        ],
        "KeySchema": key_schema("p", "s"),
        "BillingMode": "PAY_PER_REQUEST",
        "LocalSecondaryIndexes": [index("by-l", ("p", "l"), "KEYS_ONLY"), index("by-m", ("p", "m"))],
        "GlobalSecondaryIndexes": [
            index("by-g", ("g",), "KEYS_ONLY"),
            index("by-gm", ("g", "m"), "INCLUDE", "x"),
            index("by-h", ("h", "s")),
        ],
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        **changes,
    }


def plain_request(name="plain", **changes):
    """A table with one string key and nothing else."""
    return {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": "p", "AttributeType": "S"}],
        "KeySchema": key_schema("p"),
        "BillingMode": "PAY_PER_REQUEST",
        **changes,
    }


@pytest.fixture
def requests_for_tables():
    return {"things": table_request, "plain": plain_request}


@pytest.fixture
def things(engine):
    engine.create_table(**table_request())
    return engine


@pytest.fixture
def plain(engine):
    engine.create_table(**plain_request())
    return engine


@pytest.fixture
def refusal():
    """Calls a method and returns what it was refused with."""

    def refused(method, /, **request):
        with pytest.raises(ClientError) as caught:
            method(**request)
        return caught.value.response

    return refused


@pytest.fixture
def message(refusal):
    """Calls a method that must be refused as invalid, and returns the reason given."""

    def reason(method, /, **request):
        error = refusal(method, **request)["Error"]
        assert error["Code"] == "ValidationException"
        return error["Message"]

    return reason


@pytest.fixture
def records():
    """Reads a table's whole stream from its beginning."""

    def read(engine, table="things"):
        stream = engine.describe_table(TableName=table)["Table"]["LatestStreamArn"]
        (shard,) = engine.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
        iterator = engine.get_shard_iterator(
            StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        return engine.get_records(ShardIterator=iterator["ShardIterator"])["Records"]

    return read
