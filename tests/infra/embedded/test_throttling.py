"""The limits of one partition."""

import pytest
from botocore.exceptions import ClientError

from infra.embedded import throttling
from infra.embedded.engine import EmbeddedEngine

TABLE = "things"


class Time:
    """Milliseconds that pass when told."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def engine(time):
    plain = EmbeddedEngine(None, now=time)
    strings = [{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "index")]
    plain.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=strings,
        LocalSecondaryIndexes=[
            {
                "IndexName": "local",
                "KeySchema": [
                    {"AttributeName": "pk", "KeyType": "HASH"},
                    {"AttributeName": "index", "KeyType": "RANGE"},
                ],
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )
    yield throttling.ThrottledEngine(plain, now=time, write_units=10, read_units=4)
    plain.close()


def item(pk="a", sk="1", **more):
    return {"pk": {"S": pk}, "sk": {"S": sk}, **{name: {"S": value} for name, value in more.items()}}


def put(engine, *, times=1, **of):
    for _ in range(times):
        engine.put_item(TableName=TABLE, Item=item(**of))


def is_refused(call) -> bool:
    try:
        call()
    except ClientError as error:
        return error.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    return False


def test_a_partition_takes_a_seconds_units_and_then_no_more(engine):
    put(engine, times=10)
    assert is_refused(lambda: put(engine))
    assert engine.throttled == 1


def test_partitions_do_not_disturb_one_another(engine):
    put(engine, times=10, pk="a")
    put(engine, times=10, pk="b")


def test_units_come_back_with_time_up_to_a_seconds_worth(engine, time):
    put(engine, times=10)
    time.now += 200
    put(engine, times=2)
    assert is_refused(lambda: put(engine))
    time.now += 60_000
    put(engine, times=10)
    assert is_refused(lambda: put(engine))


def test_a_call_is_let_in_while_anything_is_left_and_goes_into_debt(engine, time):
    put(engine, times=9)
    put(engine, body="x" * 20_480)  # 21 units
    time.now += 1_900
    assert is_refused(lambda: put(engine))
    time.now += 300
    put(engine)


def test_local_indexes_are_in_the_same_partition(engine):
    for number in range(5):
        put(engine, sk=str(number), index="x")  # two units each
    assert is_refused(lambda: put(engine))


def test_a_write_whose_condition_fails_costs_what_the_item_is_worth(engine):
    put(engine, body="x" * 3_000)  # 3 units

    def fail(**more):
        with pytest.raises(ClientError, match="conditional request failed"):
            engine.put_item(TableName=TABLE, Item=item(), ConditionExpression="attribute_not_exists(pk)", **more)

    fail()  # 1, as far as is known
    fail(ReturnValuesOnConditionCheckFailure="ALL_OLD")  # 3
    assert engine.written == 3 + 1 + 3


def test_reads_have_units_of_their_own(engine):
    put(engine, times=10)
    key = {"TableName": TABLE, "Key": item(), "ConsistentRead": True}
    for _ in range(4):
        engine.get_item(**key)
    assert is_refused(lambda: engine.get_item(**key))
    assert engine.read == 4


def test_queries_count_for_the_partition_they_read(engine):
    query = {
        "TableName": TABLE,
        "KeyConditionExpression": "pk = :pk",
        "ConsistentRead": True,
        "ExpressionAttributeValues": {":pk": {"S": "a"}},
    }
    for _ in range(4):
        engine.query(**query)
    assert is_refused(lambda: engine.query(**query))
    assert not is_refused(lambda: engine.query(**query | {"ExpressionAttributeValues": {":pk": {"S": "b"}}}))


def test_what_of_a_batch_finds_its_partition_used_up_is_left_unprocessed(engine):
    put(engine, times=9)
    batch = [{"PutRequest": {"Item": item(pk=pk, sk=sk)}} for pk in "ab" for sk in "123"]
    answer = engine.batch_write_item(RequestItems={TABLE: batch})
    assert answer["UnprocessedItems"] == {TABLE: batch[1:3]}
    assert engine.throttled == 2
    assert is_refused(lambda: engine.batch_write_item(RequestItems={TABLE: batch[:3]}))


def test_what_of_a_batch_get_cannot_be_read_comes_back_as_it_was_asked_for(engine):
    put(engine, times=3)
    keys = [item(sk=str(number)) for number in range(1, 6)]
    asked = {TABLE: {"Keys": keys, "ConsistentRead": True}}
    answer = engine.batch_get_item(RequestItems=asked)
    assert answer["Responses"] == {TABLE: [item()]}
    assert answer["UnprocessedKeys"] == {TABLE: {"Keys": keys[4:], "ConsistentRead": True}}


def test_a_transaction_costs_twice_and_is_cancelled_by_one_partition_that_takes_no_more(engine):
    actions = [{"Put": {"TableName": TABLE, "Item": item(pk=pk)}} for pk in "ab"]
    for _ in range(5):
        engine.transact_write_items(TransactItems=actions)
    assert engine.written == 20
    with pytest.raises(ClientError) as caught:
        engine.transact_write_items(TransactItems=[*actions, {"Delete": {"TableName": TABLE, "Key": item(pk="c")}}])
    assert [reason["Code"] for reason in caught.value.response["CancellationReasons"]] == [
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceeded",
        "None",
    ]


def test_capacity_is_reported_to_those_who_ask(engine):
    assert "ConsumedCapacity" not in engine.put_item(TableName=TABLE, Item=item())
    answer = engine.put_item(TableName=TABLE, Item=item(), ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == 1.0
