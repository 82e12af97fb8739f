"""Consumed capacity: the figures that AWS would bill."""

import pytest

KEY = {"p": {"S": "a"}, "s": {"N": "1"}}


def units(response):
    """The units of the table and of each index that was charged."""
    consumed = response["ConsumedCapacity"]
    shares = {"Table": consumed["Table"]["CapacityUnits"]}
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        shares |= {name: share["CapacityUnits"] for name, share in consumed.get(member, {}).items()}
    assert consumed["CapacityUnits"] == sum(shares.values())
    return shares


def put(engine, item):
    return units(engine.put_item(TableName="things", Item=item, ReturnConsumedCapacity="INDEXES"))


def update(engine, expression, values=None):
    return units(
        engine.update_item(
            TableName="things",
            Key=KEY,
            UpdateExpression=expression,
            ReturnConsumedCapacity="INDEXES",
            **({"ExpressionAttributeValues": values} if values else {}),
        )
    )


def sized(size):
    """An item of exactly so many bytes."""
    return {**KEY, "v": {"S": "x" * (size - 6)}}


@pytest.mark.parametrize(("size", "expected"), [(10, 1), (1024, 1), (1025, 2), (3000, 3)])
def test_a_write_costs_a_unit_per_kilobyte(things, size, expected):
    assert put(things, sized(size)) == {"Table": expected}


def test_a_write_costs_the_larger_of_the_old_and_the_new_item(things):
    put(things, sized(3000))
    assert put(things, sized(10)) == {"Table": 3}


def test_a_delete_costs_what_it_deletes_and_at_least_a_unit(things):
    put(things, sized(3000))
    costs = [units(things.delete_item(TableName="things", Key=KEY, ReturnConsumedCapacity="INDEXES")) for _ in range(2)]
    assert costs == [{"Table": 3}, {"Table": 1}]


@pytest.mark.parametrize(
    ("size", "consistent", "expected"),
    [(10, True, 1), (10, False, 0.5), (4096, True, 1), (4097, True, 2), (4097, False, 1)],
)
def test_a_read_costs_a_unit_per_four_kilobytes_and_half_when_eventual(things, size, consistent, expected):
    put(things, sized(size))
    request = {"TableName": "things", "ConsistentRead": consistent, "ReturnConsumedCapacity": "INDEXES"}
    got = things.get_item(Key=KEY, **request)
    queried = things.query(KeyConditionExpression="p = :p", ExpressionAttributeValues={":p": {"S": "a"}}, **request)
    assert [units(got), units(queried)] == [{"Table": expected}, {"Table": expected}]


def test_reading_nothing_costs_the_least_read(things):
    got = things.get_item(TableName="things", Key=KEY, ReturnConsumedCapacity="INDEXES")
    queried = things.query(
        TableName="things",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        ReturnConsumedCapacity="INDEXES",
        ConsistentRead=True,
    )
    assert [units(got), units(queried)] == [{"Table": 0.5}, {"Table": 1}]


def test_a_query_adds_up_bytes_before_it_rounds(things):
    for number in range(8):
        put(things, {"p": {"S": "a"}, "s": {"N": str(number)}, "v": {"S": "x" * 1000}})
    response = things.query(
        TableName="things",
        KeyConditionExpression="p = :p",
        ExpressionAttributeValues={":p": {"S": "a"}},
        ReturnConsumedCapacity="INDEXES",
        ConsistentRead=True,
    )
    assert units(response) == {"Table": 2}


def test_each_index_entry_that_is_added_moved_or_removed_costs_its_size(things):
    put(things, {**KEY, "v": {"S": "x" * 1000}})
    assert update(things, "SET l = :l", {":l": {"S": "a"}}) == {"Table": 1, "by-l": 1}
    assert update(things, "SET l = :l", {":l": {"S": "b"}}) == {"Table": 1, "by-l": 2}
    assert update(things, "SET w = :w", {":w": {"S": "b"}}) == {"Table": 1}
    assert update(things, "SET l = :l", {":l": {"S": "b"}}) == {"Table": 1}
    assert update(things, "REMOVE l") == {"Table": 1, "by-l": 1}


def test_an_index_that_projects_everything_is_written_with_every_change(things):
    put(things, {**KEY, "m": {"N": "1"}, "v": {"S": "x" * 1500}})
    assert update(things, "SET w = :w", {":w": {"S": "b"}}) == {"Table": 2, "by-m": 2}


def test_an_index_with_chosen_attributes_is_written_when_one_of_them_changes(things):
    put(things, {**KEY, "g": {"S": "g"}, "m": {"N": "1"}, "v": {"S": "x" * 1500}})
    assert update(things, "SET x = :x", {":x": {"S": "b"}}) == {"Table": 2, "by-m": 2, "by-gm": 1}
    assert update(things, "SET g = :g", {":g": {"S": "h"}}) == {"Table": 2, "by-m": 2, "by-gm": 2, "by-g": 2}


def test_a_query_of_an_index_is_charged_to_it_and_fetching_to_the_table(things):
    for number in range(3):
        put(things, {"p": {"S": "a"}, "s": {"N": str(number)}, "l": {"S": "x"}, "v": {"S": "x" * 5000}})
    request = {
        "TableName": "things",
        "IndexName": "by-l",
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "a"}},
        "ReturnConsumedCapacity": "INDEXES",
    }
    assert units(things.query(**request)) == {"Table": 0, "by-l": 0.5}
    assert units(things.query(**request, Select="ALL_ATTRIBUTES")) == {"Table": 3, "by-l": 0.5}


def test_transactions_cost_double(things):
    written = things.transact_write_items(
        TransactItems=[{"Put": {"TableName": "things", "Item": {**KEY, "l": {"S": "x"}}}}],
        ReturnConsumedCapacity="TOTAL",
    )
    read = things.transact_get_items(
        TransactItems=[{"Get": {"TableName": "things", "Key": KEY}}], ReturnConsumedCapacity="TOTAL"
    )
    assert written["ConsumedCapacity"] == [{"TableName": "things", "CapacityUnits": 4, "WriteCapacityUnits": 4}]
    assert read["ConsumedCapacity"] == [{"TableName": "things", "CapacityUnits": 2, "ReadCapacityUnits": 2}]


def test_batches_cost_the_sum_of_their_parts(things):
    written = things.batch_write_item(
        RequestItems={"things": [{"PutRequest": {"Item": {**KEY, "s": {"N": str(number)}}}} for number in range(3)]},
        ReturnConsumedCapacity="TOTAL",
    )
    read = things.batch_get_item(
        RequestItems={"things": {"Keys": [{**KEY, "s": {"N": str(number)}} for number in range(4)]}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert written["ConsumedCapacity"] == [{"TableName": "things", "CapacityUnits": 3}]
    assert read["ConsumedCapacity"] == [{"TableName": "things", "CapacityUnits": 2}]


def test_nothing_is_reported_unasked(things):
    assert "ConsumedCapacity" not in things.put_item(TableName="things", Item=KEY)
