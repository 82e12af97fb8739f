"""Long texts, which stand apart from their items: shared with stream records, and gone when nobody refers to them."""

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.embedded import engine as embedded
from infra.embedded import longs, sizes

KEY = {"p": {"S": "a"}, "s": {"N": "1"}}
LONG, OTHER = "x" * longs.LENGTH, "ü" * longs.LENGTH
TEXTS = st.sampled_from([LONG, OTHER, "short"])


def texts(engine):
    return sorted(text for (text,) in engine._db.execute("SELECT content FROM l1"))


def update(engine, expression, table="things", key=KEY, returned="NONE", **values):
    supplied = {"ExpressionAttributeValues": {f":{name}": {"S": text} for name, text in values.items()}}
    return engine.update_item(
        TableName=table,
        Key=key,
        UpdateExpression=expression,
        ReturnValues=returned,
        **(supplied if values else {}),
    ).get("Attributes")


def get(engine, table="things", key=KEY):
    return engine.get_item(TableName=table, Key=key).get("Item")


def test_an_item_with_long_texts_is_shown_whole_wherever_it_is_shown(things, refusal):
    item = {**KEY, "g": {"S": "g"}, "v": {"S": LONG}, "w": {"S": OTHER}, "x": {"S": "short"}}
    things.put_item(TableName="things", Item=item)
    assert get(things) == item
    assert things.scan(TableName="things")["Items"] == [item]
    failed = {"ConditionExpression": "x = v", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    assert refusal(things.delete_item, TableName="things", Key=KEY, **failed)["Item"] == item
    assert update(things, "SET x = :x", returned="ALL_NEW", x="new") == {**item, "x": {"S": "new"}}
    assert update(things, "SET x = :x", returned="ALL_OLD", x="short") == {**item, "x": {"S": "new"}}
    assert update(things, "SET x = v", returned="UPDATED_NEW") == {"x": {"S": LONG}}
    assert update(things, "SET v = :v", returned="UPDATED_OLD", v="short") == {"v": {"S": LONG}}
    gone = things.delete_item(TableName="things", Key=KEY, ReturnValues="ALL_OLD")["Attributes"]
    assert gone == {**item, "v": {"S": "short"}, "x": {"S": LONG}}


def test_what_changes_something_else_leaves_a_long_text_where_it_is(things, records):
    things.put_item(TableName="things", Item={**KEY, "v": {"S": LONG}})
    update(things, "SET x = :x", x="1")
    update(things, "SET x = :x, v = :v", x="2", v=LONG)
    things.put_item(TableName="things", Item={**KEY, "x": {"S": "3"}, "v": {"S": LONG}})
    assert texts(things) == [LONG]
    assert [record["dynamodb"]["NewImage"]["v"] for record in records(things)] == [{"S": LONG}] * 4


def test_records_show_long_texts_until_they_are_trimmed(things, clock, records):
    things.put_item(TableName="things", Item={**KEY, "v": {"S": LONG}})
    update(things, "SET v = :v", v=OTHER)
    update(things, "SET v = :v", v="short")
    things.delete_item(TableName="things", Key=KEY)
    shown = [
        (change.get("OldImage", {}).get("v"), change.get("NewImage", {}).get("v"))
        for change in changes(records, things)
    ]
    assert shown == [
        (None, {"S": LONG}),
        ({"S": LONG}, {"S": OTHER}),
        ({"S": OTHER}, {"S": "short"}),
        ({"S": "short"}, None),
    ]
    clock.advance(25 * 60 * 60)
    assert things.trim() == 4
    assert texts(things) == []


def changes(records, engine):
    return [record["dynamodb"] for record in records(engine)]


def test_without_a_stream_a_long_text_goes_with_its_item(plain):
    key = {"p": {"S": "a"}}
    plain.put_item(TableName="plain", Item={**key, "v": {"S": LONG}, "w": {"S": OTHER}})
    update(plain, "SET v = :v", table="plain", key=key, v="short")
    assert texts(plain) == [OTHER]
    plain.put_item(TableName="plain", Item={**key, "w": {"S": OTHER}, "v": {"S": LONG}})
    assert texts(plain) == [LONG, OTHER]
    shown = plain.delete_item(TableName="plain", Key=key, ReturnValues="ALL_OLD")["Attributes"]
    assert shown == {**key, "v": {"S": LONG}, "w": {"S": OTHER}}
    assert texts(plain) == []


def test_a_put_that_is_refused_leaves_no_long_text(things, refusal):
    item = {**KEY, "v": {"S": LONG}}
    things.put_item(TableName="things", Item=item)
    refused = {"ConditionExpression": "attribute_not_exists(p)"}
    with things.batch():
        things.put_item(TableName="things", Item={**KEY, "s": {"N": "2"}})
        refusal(things.put_item, TableName="things", Item={**KEY, "v": {"S": OTHER}}, **refused)
        with pytest.raises(ClientError, match="SerializationException"):
            things.put_item(TableName="things", Item={**KEY, "v": {"S": OTHER}, "w": {"S": "\ud800" + LONG}})
    assert texts(things) == [LONG]
    assert get(things) == item


def test_the_limit_of_400_kb_counts_long_texts(things, message):
    room = 400 * 1024 - sizes.item({**KEY, "v": {"S": ""}})
    things.put_item(TableName="things", Item={**KEY, "v": {"S": "x" * room}})
    too_much = {**KEY, "v": {"S": "ü" * (room // 2) + "xx"}}
    assert "exceeded" in message(things.put_item, TableName="things", Item=too_much)
    update(things, "REMOVE x")
    expression = {"UpdateExpression": "SET x = :x", "ExpressionAttributeValues": {":x": {"S": "xyz"}}}
    assert "exceeded" in message(things.update_item, TableName="things", Key=KEY, **expression)


STEPS = st.one_of(
    st.builds(lambda v, w: ("put", {"v": v, "w": w}), TEXTS, TEXTS),
    st.builds(lambda v: ("SET v = :v", {"v": v}), TEXTS),
    st.just(("SET v = w", {})),
    st.just(("REMOVE v", {})),
    st.just(("delete", {})),
    st.just(("trim", {})),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it is data
@given(steps=st.lists(STEPS, max_size=12), table=st.sampled_from(["things", "plain"]))
def test_what_is_kept_is_what_somebody_refers_to(requests_for_tables, steps, table):
    moments = iter(range(1_700_000_000_000, 1_800_000_000_000, 90_000_000))
    engine = embedded.EmbeddedEngine(None, now=lambda: next(moments))
    engine.create_table(**requests_for_tables[table]())
    key = KEY if table == "things" else {"p": KEY["p"]}
    expected = None
    for action, values in [*steps, ("trim", {})]:
        if action == "put":
            expected = {**key, **{name: {"S": text} for name, text in values.items()}}
            engine.put_item(TableName=table, Item=expected)
        elif action == "delete":
            expected = None
            engine.delete_item(TableName=table, Key=key)
        elif action == "trim":
            engine.trim()
        elif expected is not None and (action != "SET v = w" or "w" in expected):
            expected = update(engine, action, table=table, key=key, returned="ALL_NEW", **values)
        assert get(engine, table, key) == expected
    held = (
        []
        if expected is None
        else [value["S"] for value in expected.values() if len(value.get("S", "")) >= longs.LENGTH]
    )
    assert texts(engine) == sorted(held)
    engine.close()
