"""Putting, getting, updating and deleting single items."""

import pytest
from botocore.exceptions import ParamValidationError

KEY = {"p": {"S": "a"}, "s": {"N": "1"}}
EVERY_TYPE = {
    "S": {"S": "täxt"},
    "N": {"N": "-12.5"},
    "B": {"B": b"\x00\xff"},
    "BOOL": {"BOOL": False},
    "NULL": {"NULL": True},
    "L": {"L": [{"S": "a"}, {"L": [{"B": b"deep"}]}]},
    "M": {"M": {"inner": {"M": {"n": {"N": "7"}}}}},
    "SS": {"SS": ["a", "b"]},
    "NS": {"NS": ["1", "2.5"]},
    "BS": {"BS": [b"x", b"y"]},
}


def get(engine, key=KEY):
    return engine.get_item(TableName="things", Key=key).get("Item")


def test_an_item_of_every_type_comes_back_as_it_was_put(things):
    things.put_item(TableName="things", Item={**KEY, **EVERY_TYPE})
    assert get(things) == {**KEY, **EVERY_TYPE}


def test_a_response_says_200_like_one_that_came_over_http(things):
    response = things.put_item(TableName="things", Item=KEY)
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_a_missing_item_gives_no_item_member(things):
    assert "Item" not in things.get_item(TableName="things", Key=KEY)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("1.0", "1"),
        ("+5", "5"),
        ("007", "7"),
        ("1E3", "1000"),
        ("-0", "0"),
        ("0.10", "0.1"),
        ("1e-5", "0.00001"),
        ("9" * 38, "9" * 38),
        ("1e125", "1" + "0" * 125),
    ],
)
def test_numbers_are_stored_in_one_form(things, given, stored):
    things.put_item(TableName="things", Item={**KEY, "n": {"N": given}})
    assert get(things)["n"] == {"N": stored}


def test_equal_numbers_written_differently_are_the_same_key(things):
    things.put_item(TableName="things", Item={"p": {"S": "a"}, "s": {"N": "1.00"}, "v": {"S": "x"}})
    assert get(things)["v"] == {"S": "x"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"N": "abc"}, "cannot be converted to a numeric value: abc"),
        ({"N": ""}, "cannot be converted to a numeric value"),
        ({"N": "NaN"}, "cannot be converted to a numeric value"),
        ({"N": "1_0"}, "cannot be converted to a numeric value"),
        ({"N": "9" * 39}, "more than 38 significant digits"),
        ({"N": "1e126"}, "Number overflow"),
        ({"N": "1e-131"}, "Number underflow"),
        ({"NULL": False}, "Null attribute value types must have the value of true"),
        ({"SS": []}, "An string set  may not be empty"),
        ({"NS": []}, "An number set  may not be empty"),
        ({"BS": []}, "Binary sets should not be empty"),
        ({"SS": ["a", "a"]}, "contains duplicates"),
        ({"NS": ["1", "1.0"]}, "contains duplicates"),
        ({"BS": [b"a", b"a"]}, "contains duplicates"),
        ({}, "Supplied AttributeValue is empty"),
        ({"Q": "x"}, "Supplied AttributeValue is empty"),
        ({"S": "a", "N": "1"}, "more than one datatypes set"),
    ],
)
def test_a_malformed_value_is_refused(things, message, value, reason):
    for nested in (value, {"L": [value]}, {"M": {"a": value}}):
        assert reason in message(things.put_item, TableName="things", Item={**KEY, "v": nested})


def test_a_value_of_the_wrong_python_type_is_refused(things, refusal):
    response = refusal(things.put_item, TableName="things", Item={**KEY, "v": {"S": 5}})
    assert response["Error"]["Code"] == "SerializationException"


def test_a_lone_surrogate_is_refused_before_anything_is_written(things, refusal):
    response = refusal(things.put_item, TableName="things", Item={**KEY, "v": {"S": "\ud800"}})
    assert response["Error"]["Code"] == "SerializationException"
    assert get(things) is None


def test_nesting_deeper_than_32_levels_is_refused(things, message):
    value = {"S": "core"}
    for _ in range(40):
        value = {"L": [value]}
    assert "Nesting Levels" in message(things.put_item, TableName="things", Item={**KEY, "v": value})


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"p": {"S": "a"}}, "Missing the key s in the item"),
        ({"p": {"N": "1"}, "s": {"N": "1"}}, "Type mismatch for key p expected: S actual: N"),
        ({"p": {"S": ""}, "s": {"N": "1"}}, "cannot contain an empty string value. Key: p"),
        ({"p": {"S": "a" * 2049}, "s": {"N": "1"}}, "Size of hashkey has exceeded"),
        ({**KEY, "l": {"N": "1"}}, "Type mismatch for Index Key l Expected: S Actual: N IndexName: by-l"),
        ({**KEY, "l": {"S": ""}}, "IndexName: by-l, IndexKey: l"),
        ({**KEY, "h": {"B": b""}}, "empty binary value"),
        ({**KEY, "l": {"S": "a" * 1025}}, "range keys has exceeded the size limit of 1024"),
    ],
)
def test_a_put_with_unfit_keys_is_refused(things, message, item, reason):
    assert reason in message(things.put_item, TableName="things", Item=item)


@pytest.mark.parametrize("key", [{}, {"p": {"S": "a"}}, {**KEY, "x": {"S": "b"}}, {"p": {"S": "a"}, "s": {"S": "1"}}])
def test_a_key_must_match_the_schema(things, message, key):
    for method in (things.get_item, things.delete_item, things.update_item):
        assert message(method, TableName="things", Key=key) == "The provided key element does not match the schema"


def test_an_item_above_400_kb_is_refused_and_one_below_is_not(things, message):
    room = 400 * 1024 - len("p") - len("a") - len("s") - 2 - len("v")
    things.put_item(TableName="things", Item={**KEY, "v": {"S": "x" * room}})
    too_large = {**KEY, "v": {"S": "x" * (room + 1)}}
    assert "Item size has exceeded" in message(things.put_item, TableName="things", Item=too_large)
    assert "Item size to update has exceeded" in message(
        things.update_item,
        TableName="things",
        Key=KEY,
        UpdateExpression="SET w = :w",
        ExpressionAttributeValues={":w": {"S": "y"}},
    )


def test_return_values_of_put_and_delete(things):
    first = things.put_item(TableName="things", Item=KEY, ReturnValues="ALL_OLD")
    second = things.put_item(TableName="things", Item={**KEY, "v": {"S": "x"}}, ReturnValues="ALL_OLD")
    third = things.delete_item(TableName="things", Key=KEY, ReturnValues="ALL_OLD")
    fourth = things.delete_item(TableName="things", Key=KEY, ReturnValues="ALL_OLD")
    assert [response.get("Attributes") for response in (first, second, third, fourth)] == [
        None,
        KEY,
        {**KEY, "v": {"S": "x"}},
        None,
    ]


ABSENT = "attribute_not_exists(p)"


@pytest.mark.parametrize("condition", [{}, {"ConditionExpression": "attribute_not_exists(v)"}])
def test_a_put_takes_a_free_key_or_replaces_the_item_there(things, records, condition):
    things.put_item(TableName="things", Item={**KEY, "l": {"S": "old"}}, **condition)
    response = things.put_item(TableName="things", Item={**KEY, "g": {"S": "x"}}, ReturnValues="ALL_OLD", **condition)
    assert response["Attributes"] == {**KEY, "l": {"S": "old"}}
    assert get(things) == {**KEY, "g": {"S": "x"}}
    assert [record["eventName"] for record in records(things)] == ["INSERT", "MODIFY"]
    by_l = {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": KEY["p"]}}
    assert things.query(TableName="things", IndexName="by-l", **by_l)["Items"] == []


@pytest.mark.parametrize("absent", [ABSENT, "attribute_not_exists(s)", "attribute_not_exists(#p)"])
def test_a_put_that_needs_a_free_key_leaves_a_taken_one_alone(things, records, refusal, absent):
    names = {"ExpressionAttributeNames": {"#p": "p"}} if "#" in absent else {}
    first, second = {**KEY, "v": {"S": "first"}}, {**KEY, "v": {"S": "second"}}
    things.put_item(TableName="things", Item=first, ConditionExpression=absent, **names)
    with things.batch():
        answer = refusal(
            things.put_item,
            TableName="things",
            Item=second,
            ConditionExpression=absent,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **names,
        )
    assert answer["Error"]["Code"] == "ConditionalCheckFailedException"
    assert answer["Item"] == first
    assert get(things) == first
    assert len(records(things)) == 1


def test_a_put_that_needs_a_free_key_and_more_is_decided_by_both(things, refusal):
    condition = {
        "ConditionExpression": f"{ABSENT} AND :one = :two",
        "ExpressionAttributeValues": {":one": {"N": "1"}, ":two": {"N": "2"}},
    }
    refusal(things.put_item, TableName="things", Item=KEY, **condition)
    assert get(things) is None


def test_a_put_on_a_free_key_costs_what_the_new_item_costs(things):
    put = {"TableName": "things", "Item": {**KEY, "v": {"S": "x" * 2000}}, "ReturnConsumedCapacity": "TOTAL"}
    assert things.put_item(**put, ConditionExpression=ABSENT)["ConsumedCapacity"]["CapacityUnits"] == 2
    assert things.put_item(**{**put, "Item": KEY})["ConsumedCapacity"]["CapacityUnits"] == 2
    assert things.put_item(**{**put, "Item": KEY})["ConsumedCapacity"]["CapacityUnits"] == 1


def test_put_and_delete_return_nothing_else(things, message):
    assert "ReturnValues can only be ALL_OLD or NONE" in message(
        things.put_item, TableName="things", Item=KEY, ReturnValues="ALL_NEW"
    )
    assert "Member must satisfy enum value set" in message(
        things.delete_item, TableName="things", Key=KEY, ReturnValues="SOME"
    )


@pytest.mark.parametrize(
    ("returned", "attributes"),
    [
        ("NONE", None),
        ("ALL_OLD", {**KEY, "a": {"N": "1"}, "b": {"M": {"c": {"N": "2"}, "d": {"N": "3"}}}}),
        ("UPDATED_OLD", {"a": {"N": "1"}, "b": {"M": {"c": {"N": "2"}}}}),
        ("ALL_NEW", {**KEY, "a": {"N": "6"}, "b": {"M": {"c": {"N": "9"}, "d": {"N": "3"}}}}),
        ("UPDATED_NEW", {"a": {"N": "6"}, "b": {"M": {"c": {"N": "9"}}}}),
    ],
)
def test_return_values_of_an_update(things, returned, attributes):
    things.put_item(TableName="things", Item={**KEY, "a": {"N": "1"}, "b": {"M": {"c": {"N": "2"}, "d": {"N": "3"}}}})
    response = things.update_item(
        TableName="things",
        Key=KEY,
        UpdateExpression="SET a = a + :five, b.c = :nine",
        ExpressionAttributeValues={":five": {"N": "5"}, ":nine": {"N": "9"}},
        ReturnValues=returned,
    )
    assert response.get("Attributes") == attributes


def test_an_update_without_expression_makes_an_item_of_its_key(things):
    things.update_item(TableName="things", Key=KEY)
    assert get(things) == KEY


def test_a_failed_condition_is_refused_and_shows_the_item_when_asked(things, refusal):
    things.put_item(TableName="things", Item={**KEY, "v": {"S": "x"}})
    request = {"TableName": "things", "Item": KEY, "ConditionExpression": "attribute_not_exists(p)"}
    bare = refusal(things.put_item, **request)
    shown = refusal(things.put_item, **request, ReturnValuesOnConditionCheckFailure="ALL_OLD")
    assert bare["Error"] == {
        "Code": "ConditionalCheckFailedException",
        "Message": "The conditional request failed",
    }
    assert "Item" not in bare
    assert shown["Item"] == {**KEY, "v": {"S": "x"}}
    assert get(things) == {**KEY, "v": {"S": "x"}}


def test_a_condition_that_fails_on_no_item_shows_none(things, refusal):
    response = refusal(
        things.delete_item,
        TableName="things",
        Key=KEY,
        ConditionExpression="attribute_exists(p)",
        ReturnValuesOnConditionCheckFailure="ALL_OLD",
    )
    assert "Item" not in response


def test_a_projection_picks_paths_and_closes_up_lists(things):
    things.put_item(TableName="things", Item={**KEY, "l": {"S": "i"}, "v": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]}})
    response = things.get_item(
        TableName="things",
        Key=KEY,
        ProjectionExpression="#v[2], #v[0], nothing, l",
        ExpressionAttributeNames={"#v": "v"},
    )
    assert response["Item"] == {"v": {"L": [{"N": "0"}, {"N": "2"}]}, "l": {"S": "i"}}


def test_an_unknown_table_is_not_found(engine, refusal):
    for method, request in (
        (engine.put_item, {"Item": KEY}),
        (engine.get_item, {"Key": KEY}),
        (engine.query, {"KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "a"}}}),
        (engine.describe_table, {}),
        (engine.delete_table, {}),
    ):
        assert refusal(method, TableName="nowhere", **request)["Error"]["Code"] == "ResourceNotFoundException"


def test_missing_and_unknown_parameters_fail_like_in_the_client(things):
    with pytest.raises(ParamValidationError, match='Missing required parameter in input: "Item"'):
        things.put_item(TableName="things")
    with pytest.raises(ParamValidationError, match='Unknown parameter in input: "Expected"'):
        things.put_item(TableName="things", Item=KEY, Expected={})


def test_the_callers_dictionaries_are_left_alone(things):
    item = {**KEY, "n": {"N": "1.0"}, "m": {"N": "2"}}
    things.put_item(TableName="things", Item=item)
    response = things.update_item(
        TableName="things",
        Key=KEY,
        UpdateExpression="SET #l = :l",
        ExpressionAttributeNames={"#l": "list"},
        ExpressionAttributeValues={":l": {"L": [{"S": "a"}]}},
        ReturnValues="ALL_NEW",
    )
    response["Attributes"]["list"]["L"].append({"S": "mine"})
    assert item["n"] == {"N": "1.0"}
    assert get(things)["list"] == {"L": [{"S": "a"}]}
