"""The engine over HTTP, called by boto3: what goes in and out is what the engine itself takes and answers."""

import threading
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from infra.embedded import engine as embedded
from infra.embedded import serve

START = 1_700_000_000_000


class Served:
    """boto3's clients of an engine that is served in this process, and the engine."""

    def __init__(self, url, engine):
        self.url = url
        self.engine = engine
        arguments = {
            "endpoint_url": url,
            "region_name": "us-east-1",
            "aws_access_key_id": "x",
            "aws_secret_access_key": "y",
            "config": Config(account_id_endpoint_mode="disabled", retries={"max_attempts": 0}),
        }
        session = boto3.session.Session()
        self.tables = session.client("dynamodb", **arguments)
        self.streams = session.client("dynamodbstreams", **arguments)


@pytest.fixture
def served(clock, requests_for_tables):
    engine = embedded.EmbeddedEngine(None, now=clock)
    with serve.EngineServer(engine, ("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        made = Served(f"http://127.0.0.1:{server.server_port}", engine)
        made.tables.create_table(**requests_for_tables["things"]())
        yield made
        for client in (made.tables, made.streams):
            client.close()
        server.shutdown()
        thread.join()
    engine.close()


KEY = {"p": {"S": "p"}, "s": {"N": "1"}}
ITEM = KEY | {
    "B": {"B": b"\x00\xff"},
    "BS": {"BS": [b"one", b"two"]},
    "S": {"S": "杭州 \u2028"},
    "M": {"M": {"B": {"S": "a name that is a type"}, "L": {"L": [{"NULL": True}, {"B": b""}]}}},
}


def test_an_item_of_every_type_comes_back_as_it_was_put(served):
    served.tables.put_item(TableName="things", Item=ITEM)
    assert served.tables.get_item(TableName="things", Key=KEY)["Item"] == ITEM
    assert served.engine.get_item(TableName="things", Key=KEY)["Item"] == ITEM


def test_every_method_of_the_engine_can_be_called_over_http(served):
    public = {name for name in vars(embedded.EmbeddedEngine) if not name.startswith("_")}
    local = {
        "close",
        "host",
        "milliseconds",
        "read",
        "transact",
        "subscribe",
        "foreign_commits",
        "batch",
        "expire",
        "trim",
    }
    assert set(serve._METHODS.values()) == public - local


def test_a_refusal_is_the_exception_that_the_engine_raises(served):
    served.tables.put_item(TableName="things", Item=ITEM)
    arguments = {
        "TableName": "things",
        "Item": KEY,
        "ConditionExpression": "attribute_not_exists(p)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    with pytest.raises(served.tables.exceptions.ConditionalCheckFailedException) as over_http:
        served.tables.put_item(**arguments)
    with pytest.raises(ClientError) as direct:
        served.engine.put_item(**arguments)
    assert over_http.value.response["Error"] == direct.value.response["Error"]
    assert over_http.value.response["Item"] == direct.value.response["Item"] == ITEM


def test_a_cancelled_transaction_tells_its_reasons(served):
    check = {"TableName": "things", "Key": KEY, "ConditionExpression": "attribute_exists(p)"}
    with pytest.raises(served.tables.exceptions.TransactionCanceledException) as caught:
        served.tables.transact_write_items(TransactItems=[{"ConditionCheck": check}])
    [reason] = caught.value.response["CancellationReasons"]
    assert reason["Code"] == "ConditionalCheckFailed"


def test_a_stream_is_read_over_http(served):
    served.tables.put_item(TableName="things", Item=ITEM)
    arn = served.tables.describe_table(TableName="things")["Table"]["LatestStreamArn"]
    [shard] = served.streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = served.streams.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    [record] = served.streams.get_records(ShardIterator=iterator)["Records"]
    assert record["dynamodb"]["NewImage"] == ITEM
    assert record["dynamodb"]["ApproximateCreationDateTime"].timestamp() == START // 1000


def test_what_time_to_live_takes_away_goes_by_itself(served, clock):
    specification = {"Enabled": True, "AttributeName": "ttl"}
    served.tables.update_time_to_live(TableName="things", TimeToLiveSpecification=specification)
    served.tables.put_item(TableName="things", Item=KEY | {"ttl": {"N": str(START // 1000 + 5)}})
    clock.advance(10)
    served_last = threading.Event()
    served.engine.subscribe(lambda _tables: served_last.set())
    served_last.wait(10)
    assert "Item" not in served.tables.get_item(TableName="things", Key=KEY)


@pytest.mark.parametrize(
    ("target", "body", "code"),
    [
        ("DynamoDB_20120810.ExecuteStatement", b"{}", "UnknownOperationException"),
        ("DynamoDB_20120810.PutItem", b"{", "SerializationException"),
        ("DynamoDB_20120810.PutItem", b"[]", "SerializationException"),
        ("DynamoDB_20120810.PutItem", b'{"TableName": "things", "Item": {"p": {"B": "%"}}}', "SerializationException"),
        ("DynamoDB_20120810.PutItem", b'{"TableName": "things"}', "SerializationException"),
    ],
)
def test_what_is_no_call_is_refused(served, target, body, code):
    request = urllib.request.Request(served.url, data=body, headers={"X-Amz-Target": target})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        assert answer.status == 400
        assert f"#{code}".encode() in answer.read()
