"""Stream records: what they say, in which order, and how they are read and trimmed."""

import json

import pytest

from infra.embedded import codec, sizes

KEY = {"p": {"S": "a"}, "s": {"N": "1"}}


def put(engine, **attributes):
    engine.put_item(TableName="things", Item={**KEY, **attributes})


def iterator(engine, kind, number=None):
    stream = engine.list_streams(TableName="things")["Streams"][0]["StreamArn"]
    (shard,) = engine.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    position = {} if number is None else {"SequenceNumber": number}
    response = engine.get_shard_iterator(StreamArn=stream, ShardId=shard["ShardId"], ShardIteratorType=kind, **position)
    return response["ShardIterator"]


def values_at(engine, position, **request):
    """The values of `v` in the records from an iterator on, and the next iterator."""
    response = engine.get_records(ShardIterator=position, **request)
    found = [record["dynamodb"]["NewImage"]["v"]["S"] for record in response["Records"]]
    return found, response["NextShardIterator"]


def test_a_record_tells_what_changed(things, records, clock):
    put(things, v={"B": b"\xff"})
    clock.advance(1)
    put(things, v={"S": "new"})
    things.delete_item(TableName="things", Key=KEY)
    inserted, modified, removed = records(things)
    assert [record["eventName"] for record in (inserted, modified, removed)] == ["INSERT", "MODIFY", "REMOVE"]
    assert modified["eventSource"] == "aws:dynamodb"
    assert modified["dynamodb"]["ApproximateCreationDateTime"].timestamp() * 1000 == clock.now
    change = {name: modified["dynamodb"][name] for name in ("Keys", "OldImage", "NewImage", "StreamViewType")}
    assert change == {
        "Keys": KEY,
        "OldImage": {**KEY, "v": {"B": b"\xff"}},
        "NewImage": {**KEY, "v": {"S": "new"}},
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    assert "OldImage" not in inserted["dynamodb"]
    assert "NewImage" not in removed["dynamodb"]
    assert "userIdentity" not in removed


def test_sequence_numbers_rise_and_have_one_length(things, records):
    for number in range(12):
        put(things, v={"N": str(number)})
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records(things)]
    assert numbers == sorted(set(numbers))
    assert {len(number) for number in numbers} == {21}


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", [set(), set(), set()]),
        ("NEW_IMAGE", [{"NewImage"}, {"NewImage"}, set()]),
        ("OLD_IMAGE", [set(), {"OldImage"}, {"OldImage"}]),
        ("NEW_AND_OLD_IMAGES", [{"NewImage"}, {"NewImage", "OldImage"}, {"OldImage"}]),
    ],
)
def test_the_view_says_which_images_are_kept(engine, requests_for_tables, records, view, images):
    specification = {"StreamEnabled": True, "StreamViewType": view}
    engine.create_table(**requests_for_tables["things"](StreamSpecification=specification))
    put(engine)
    put(engine, v={"S": "x"})
    engine.delete_item(TableName="things", Key=KEY)
    found = records(engine)
    assert [set(record["dynamodb"]) & {"NewImage", "OldImage"} for record in found] == images
    assert [record["dynamodb"]["Keys"] for record in found] == [KEY] * 3


def update(engine, expression, **values):
    supplied = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    engine.update_item(TableName="things", Key=KEY, UpdateExpression=expression, **supplied)


RICH = {
    **KEY,
    "v": {"S": "ü\n"},
    "b": {"B": b"\x00\xff"},
    "bs": {"BS": [b"1", b"\xfe"]},
    "ss": {"SS": ["x", "y"]},
    "ns": {"NS": ["1", "2.5"]},
    "nil": {"NULL": True},
    "tree": {"M": {"list": {"L": [{"N": "1"}, {"B": b"deep"}]}, "yes": {"BOOL": True}}},
}


@pytest.mark.parametrize(
    ("expression", "values"),
    [
        ("SET v = :v", {"v": {"S": "new"}}),
        ("SET n = :n, w = v", {"n": {"N": "-1.5"}}),
        ("REMOVE v, nil, nowhere", {}),
        ("SET b = :b", {"b": {"B": b"other"}}),
        ("REMOVE b", {}),
        ("SET v = b, b = v", {}),
        ("DELETE bs :bs ADD ss :ss, ns :ns", {"bs": {"BS": [b"1"]}, "ss": {"SS": ["z"]}, "ns": {"NS": ["3"]}}),
        ("DELETE ss :ss", {"ss": {"SS": ["x", "y"]}}),
        ("SET tree.#list[1] = :v REMOVE tree.yes", {"v": {"S": "new"}}),
        ("SET tree.more = :n, nil = :n", {"n": {"NULL": True}}),
        ("REMOVE tree.#list[0] SET l = :v, m = :n", {"v": {"S": "key"}, "n": {"N": "5"}}),
    ],
)
def test_the_record_of_an_update_shows_both_images_whole(things, records, expression, values):
    put(things, **RICH)
    supplied = {"ExpressionAttributeValues": {f":{name}": value for name, value in values.items()}} if values else {}
    names = {"ExpressionAttributeNames": {"#list": "list"}} if "#list" in expression else {}
    things.update_item(TableName="things", Key=KEY, UpdateExpression=expression, **supplied, **names)
    after = things.get_item(TableName="things", Key=KEY)["Item"]
    record = records(things)[1]
    assert record["eventName"] == "MODIFY"
    assert record["dynamodb"]["OldImage"] == RICH
    assert record["dynamodb"]["NewImage"] == after
    assert record["dynamodb"]["SizeBytes"] >= sizes.item(after)  # about the bytes that were stored for it


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", {}),
        ("NEW_IMAGE", {"NewImage": {**KEY, "v": {"S": "new"}}}),
        ("OLD_IMAGE", {"OldImage": {**KEY, "v": {"S": "old"}}}),
    ],
)
def test_the_record_of_an_update_shows_what_the_view_says(engine, requests_for_tables, records, view, images):
    specification = {"StreamEnabled": True, "StreamViewType": view}
    engine.create_table(**requests_for_tables["things"](StreamSpecification=specification))
    put(engine, v={"S": "old"})
    update(engine, "SET v = :v", v={"S": "new"})
    change = records(engine)[1]["dynamodb"]
    assert {name: change[name] for name in ("NewImage", "OldImage") if name in change} == images
    assert change["Keys"] == KEY


def test_records_that_hold_the_whole_old_image_are_still_read(things, records):
    put(things, **RICH)
    update(things, "SET v = :v", v={"S": "new"})
    expected = records(things)[1]
    whole = codec.encode(RICH)
    things._db.execute("UPDATE s1 SET kind = 2, old = ? WHERE seq = 2", (whole,))
    found = records(things)[1]
    for record in (found, expected):
        del record["dynamodb"]["SizeBytes"]
    assert found == expected


def test_rows_as_the_standard_library_writes_them_are_still_read_and_compared(things, records):
    item = {**KEY, "v": {"S": 'ü"\\\n\t\x01\x7f/\u2028'}, "n": {"NULL": True}}
    put(things, **item)
    (text,) = things._db.execute("SELECT item FROM t1_0").fetchone()
    assert text == json.dumps(item, ensure_ascii=False, separators=(",", ":"))
    reordered = json.dumps(dict(reversed(item.items())), ensure_ascii=False, separators=(",", ":"))
    things._db.execute("UPDATE t1_0 SET item = ?", (reordered,))
    put(things, **item)
    assert len(records(things)) == 1
    assert things.get_item(TableName="things", Key=KEY)["Item"] == item


def test_a_write_that_changes_nothing_leaves_no_record(things, records):
    put(things, a={"SS": ["x", "y"]}, v={"S": "1"})
    put(things, v={"S": "1"}, a={"SS": ["y", "x"]})
    things.update_item(
        TableName="things",
        Key=KEY,
        UpdateExpression="SET v = :v DELETE a :a",
        ExpressionAttributeValues={":v": {"S": "1"}, ":a": {"SS": ["z"]}},
    )
    things.delete_item(TableName="things", Key={"p": {"S": "b"}, "s": {"N": "1"}})
    assert len(records(things)) == 1


def test_a_refused_write_leaves_no_record(things, records, refusal):
    put(things)
    refusal(things.put_item, TableName="things", Item=KEY, ConditionExpression="attribute_not_exists(p)")
    refusal(
        things.transact_write_items,
        TransactItems=[
            {"Put": {"TableName": "things", "Item": {**KEY, "s": {"N": "2"}}}},
            {"Delete": {"TableName": "things", "Key": KEY, "ConditionExpression": "attribute_exists(x)"}},
        ],
    )
    assert len(records(things)) == 1


def test_batches_and_transactions_leave_a_record_per_item(things, records):
    items = [{**KEY, "s": {"N": str(number)}} for number in range(4)]
    things.batch_write_item(RequestItems={"things": [{"PutRequest": {"Item": item}} for item in items[:2]]})
    things.transact_write_items(TransactItems=[{"Put": {"TableName": "things", "Item": item}} for item in items[2:]])
    assert [record["dynamodb"]["Keys"] for record in records(things)] == items


def test_iterators_start_where_they_say(things, records):
    for value in "abc":
        put(things, v={"S": value})
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records(things)]
    latest = iterator(things, "LATEST")
    put(things, v={"S": "d"})
    assert values_at(things, iterator(things, "TRIM_HORIZON"))[0] == ["a", "b", "c", "d"]
    assert values_at(things, iterator(things, "AT_SEQUENCE_NUMBER", numbers[1]))[0] == ["b", "c", "d"]
    assert values_at(things, iterator(things, "AFTER_SEQUENCE_NUMBER", numbers[1]))[0] == ["c", "d"]
    assert values_at(things, latest)[0] == ["d"]


def test_reading_goes_on_where_it_stopped(things):
    for value in "abc":
        put(things, v={"S": value})
    first, following = values_at(things, iterator(things, "TRIM_HORIZON"), Limit=2)
    second, following = values_at(things, following)
    third, following = values_at(things, following)
    put(things, v={"S": "d"})
    assert (first, second, third) == (["a", "b"], ["c"], [])
    assert values_at(things, following)[0] == ["d"]


def test_a_page_of_records_ends_at_one_megabyte(things):
    for number in range(6):
        put(things, v={"S": str(number) * 300_000})
    first, following = values_at(things, iterator(things, "TRIM_HORIZON"))
    assert len(first) < 6
    rest, _ = values_at(things, following)
    more, _ = values_at(things, values_at(things, following)[1])
    assert [value[0] for value in first + rest + more] == list("012345")


def test_records_go_after_a_day(things, clock, refusal):
    put(things, v={"S": "a"})
    old = iterator(things, "TRIM_HORIZON")
    clock.advance(23 * 3600)
    put(things, v={"S": "b"})
    assert things.trim() == 0
    clock.advance(3600)
    assert things.trim() == 1
    assert values_at(things, iterator(things, "TRIM_HORIZON"))[0] == ["b"]
    error = refusal(things.get_records, ShardIterator=old)["Error"]
    assert error["Code"] == "TrimmedDataAccessException"


def test_sequence_numbers_go_on_after_everything_was_trimmed(things, clock, records, refusal):
    put(things, v={"S": "a"})
    (record,) = records(things)
    number = record["dynamodb"]["SequenceNumber"]
    after = iterator(things, "AFTER_SEQUENCE_NUMBER", number)
    clock.advance(25 * 3600)
    assert [things.trim(), things.trim()] == [1, 0]
    assert records(things) == []
    assert values_at(things, after)[0] == []
    put(things, v={"S": "b"})
    assert values_at(things, after)[0] == ["b"]
    assert values_at(things, iterator(things, "AFTER_SEQUENCE_NUMBER", number))[0] == ["b"]
    (record,) = records(things)
    assert record["dynamodb"]["SequenceNumber"] > number
    stream = things.list_streams()["Streams"][0]["StreamArn"]
    (shard,) = things.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    gone = refusal(
        things.get_shard_iterator,
        StreamArn=stream,
        ShardId=shard["ShardId"],
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        SequenceNumber=number,
    )
    assert gone["Error"]["Code"] == "TrimmedDataAccessException"


def test_records_that_were_consumed_can_go_at_once(things, records):
    for value in "abc":
        put(things, v={"S": value})
    stream = things.list_streams()["Streams"][0]["StreamArn"]
    second = records(things)[1]["dynamodb"]["SequenceNumber"]
    assert things.trim(consumed={stream: second}) == 2
    assert [record["dynamodb"]["NewImage"]["v"]["S"] for record in records(things)] == ["c"]


def test_trimming_stops_at_its_limit(things, clock):
    for number in range(5):
        put(things, v={"N": str(number)})
    clock.advance(25 * 3600)
    assert [things.trim(limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_streams_are_listed_and_described(things, plain):
    listed = things.list_streams()["Streams"]
    description = things.describe_stream(StreamArn=listed[0]["StreamArn"])["StreamDescription"]
    assert [stream["TableName"] for stream in listed] == ["things"]
    assert description["StreamStatus"] == "ENABLED"
    assert description["KeySchema"] == things.describe_table(TableName="things")["Table"]["KeySchema"]


def test_an_unknown_stream_or_iterator_is_refused(things, refusal, message):
    unknown = "arn:aws:dynamodb:us-east-1:000000000000:table/things/stream/2001-01-01T00:00:00.000"
    assert refusal(things.describe_stream, StreamArn=unknown)["Error"]["Code"] == "ResourceNotFoundException"
    position = iterator(things, "LATEST")
    things.delete_table(TableName="things")
    assert refusal(things.get_records, ShardIterator=position)["Error"]["Code"] == "ResourceNotFoundException"
    assert "Invalid ShardIterator" in message(things.get_records, ShardIterator="nonsense")


def test_listeners_are_told_after_the_commit_which_streams_have_news(things, requests_for_tables):
    told = []
    things.create_table(**requests_for_tables["plain"]())
    things.subscribe(lambda names: told.append((names, things.scan(TableName="things")["Count"])))
    put(things)
    put(things)
    things.put_item(TableName="plain", Item={"p": {"S": "no stream"}})
    things.delete_item(TableName="things", Key=KEY)
    assert told == [(frozenset({"things"}), 1), (frozenset({"things"}), 0)]
