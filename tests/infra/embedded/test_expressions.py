"""The expression language: what conditions mean, what updates do, and what is refused."""

import re

import pytest
from botocore.exceptions import ClientError

KEY = {"p": {"S": "k"}}
ITEM = {
    **KEY,
    "str": {"S": "hello"},
    "num": {"N": "10"},
    "frac": {"N": "2.5"},
    "bin": {"B": b"\x01\x02\x03"},
    "yes": {"BOOL": True},
    "nul": {"NULL": True},
    "lst": {"L": [{"S": "a"}, {"N": "1"}, {"M": {"x": {"S": "deep"}}}]},
    "doc": {"M": {"a": {"N": "1"}, "b": {"M": {"c": {"S": "leaf"}}}}},
    "strs": {"SS": ["a", "b"]},
    "nums": {"NS": ["1", "2"]},
    "bins": {"BS": [b"a"]},
}
VALUES = {
    ":hello": {"S": "hello"},
    ":he": {"S": "he"},
    ":a": {"S": "a"},
    ":ba": {"SS": ["b", "a"]},
    ":ten": {"N": "10.0"},
    ":nine": {"N": "9"},
    ":two": {"N": "2"},
    ":one": {"N": "1"},
    ":zero": {"N": "0"},
    ":bin": {"B": b"\x01\x02"},
    ":leaf": {"S": "leaf"},
    ":S": {"S": "S"},
    ":M": {"S": "M"},
    ":true": {"BOOL": True},
    ":doc": {"M": {"b": {"M": {"c": {"S": "leaf"}}}, "a": {"N": "1"}}},
}


def used(values, expression):
    """The request member with those of `values` that `expression` names; none if it names none."""
    named = {name: values[name] for name in re.findall(r":\w+", expression) if name in values}
    return {"ExpressionAttributeValues": named} if named else {}


@pytest.fixture
def sample(plain):
    plain.put_item(TableName="plain", Item=ITEM)
    return plain


def holds(engine, condition):
    request = {"TableName": "plain", "Key": KEY, "ConditionExpression": condition}
    try:
        engine.update_item(**request, **used(VALUES, condition))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
            raise
        return False
    return True


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("str = :hello", True),
        ("str <> :hello", False),
        ("str = :ten", False),
        ("str <> :ten", True),
        ("absent = :hello", False),
        ("absent <> :hello", True),
        ("num = :ten", True),
        ("num > :nine", True),
        ("num < :nine", False),
        ("num >= :ten AND num <= :ten", True),
        ("str > :nine", False),
        ("absent < :nine", False),
        ("frac BETWEEN :two AND :nine", True),
        ("num BETWEEN :one AND :nine", False),
        (":nine BETWEEN frac AND num", True),
        ("str IN ( :a, :hello )", True),
        ("num IN ( :one , :nine )", False),
        ("strs = :ba", True),
        ("doc = :doc", True),
        ("yes = :true", True),
        ("attribute_exists(str)", True),
        ("attribute_exists(doc.b.c)", True),
        ("attribute_exists(doc.b.d)", False),
        ("attribute_not_exists(lst[3])", True),
        ("attribute_exists(lst[2].x)", True),
        ("attribute_not_exists(str)", False),
        ("attribute_type(str, :S)", True),
        ("attribute_type(doc, :M)", True),
        ("attribute_type(absent, :M)", False),
        ("begins_with(str, :he )", True),
        ("begins_with(str, :a)", False),
        ("begins_with(bin, :bin )", True),
        ("begins_with(num, :he )", False),
        ("contains(str, :he )", True),
        ("contains(strs, :a)", True),
        ("contains(strs, :he )", False),
        ("contains(nums, :one )", True),
        ("contains(lst, :one )", True),
        ("contains(lst, :he )", False),
        ("contains(bin, :bin )", True),
        ("contains(num, :one )", False),
        ("size(str) > :two", True),
        ("size(lst) > :two", True),
        ("size(doc) = :two", True),
        ("size(strs) = :two", True),
        ("size(bin) > :two", True),
        ("size(absent) > :zero", False),
        ("NOT str = :hello", False),
        ("NOT (str = :a OR num = :one )", True),
        ("str = :a OR num = :ten AND frac > :two", True),
        ("(str = :a OR num = :ten ) AND frac < :two", False),
        ("num > frac", True),
        ("doc.b.c = :leaf", True),
    ],
)
def test_conditions_mean_what_dynamodb_says(sample, condition, expected):
    assert holds(sample, condition) is expected


def test_a_condition_on_no_item_sees_no_attributes(plain):
    assert holds(plain, "attribute_not_exists(p)")


@pytest.mark.parametrize(
    ("update", "attributes", "expected"),
    [
        ("SET a = :v", {}, {"a": {"N": "5"}}),
        ("SET a = b", {"b": {"S": "x"}}, {"a": {"S": "x"}, "b": {"S": "x"}}),
        ("SET a = b, b = a", {"a": {"N": "1"}, "b": {"N": "2"}}, {"a": {"N": "2"}, "b": {"N": "1"}}),
        ("SET a = a + :v", {"a": {"N": "0.5"}}, {"a": {"N": "5.5"}}),
        ("SET a = :v - a", {"a": {"N": "7"}}, {"a": {"N": "-2"}}),
        ("SET a = (a + :v)", {"a": {"N": "7"}}, {"a": {"N": "12"}}),
        ("SET a = if_not_exists(a, :v) + :v", {}, {"a": {"N": "10"}}),
        ("SET a = if_not_exists(a, :v)", {"a": {"S": "kept"}}, {"a": {"S": "kept"}}),
        ("SET a = list_append(a, :l)", {"a": {"L": [{"N": "1"}]}}, {"a": {"L": [{"N": "1"}, {"S": "x"}]}}),
        ("SET a = list_append(if_not_exists(a, :l), :l)", {}, {"a": {"L": [{"S": "x"}, {"S": "x"}]}}),
        ("SET a.b.c = :v", {"a": {"M": {"b": {"M": {}}}}}, {"a": {"M": {"b": {"M": {"c": {"N": "5"}}}}}}),
        ("SET a[0] = :v", {"a": {"L": [{"S": "old"}]}}, {"a": {"L": [{"N": "5"}]}}),
        ("SET a[9] = :v, a[5] = :l", {"a": {"L": []}}, {"a": {"L": [{"L": [{"S": "x"}]}, {"N": "5"}]}}),
        ("REMOVE a", {"a": {"N": "1"}, "b": {"N": "2"}}, {"b": {"N": "2"}}),
        ("REMOVE absent", {"b": {"N": "2"}}, {"b": {"N": "2"}}),
        ("REMOVE a[0], a[2]", {"a": {"L": [{"N": "0"}, {"N": "1"}, {"N": "2"}]}}, {"a": {"L": [{"N": "1"}]}}),
        ("REMOVE a[7]", {"a": {"L": [{"N": "0"}]}}, {"a": {"L": [{"N": "0"}]}}),
        ("REMOVE a.b", {"a": {"M": {"b": {"N": "1"}}}}, {"a": {"M": {}}}),
        ("ADD a :v", {}, {"a": {"N": "5"}}),
        ("ADD a :v", {"a": {"N": "-5"}}, {"a": {"N": "0"}}),
        ("ADD a :s", {"a": {"SS": ["y"]}}, {"a": {"SS": ["y", "x"]}}),
        ("DELETE a :s", {"a": {"SS": ["x", "y"]}}, {"a": {"SS": ["y"]}}),
        ("DELETE a :s", {"a": {"SS": ["x"]}}, {}),
        ("DELETE a :s", {}, {}),
        ("set a = :v remove b add c :v delete d :s", {"b": {"N": "1"}, "d": {"SS": ["x", "z"]}},
         {"a": {"N": "5"}, "c": {"N": "5"}, "d": {"SS": ["z"]}}),
    ],
)  # fmt: skip
def test_updates_do_what_dynamodb_says(plain, update, attributes, expected):
    plain.put_item(TableName="plain", Item={**KEY, **attributes})
    values = {":v": {"N": "5"}, ":l": {"L": [{"S": "x"}]}, ":s": {"SS": ["x"]}}
    request = {"TableName": "plain", "Key": KEY, "UpdateExpression": update, "ReturnValues": "ALL_NEW"}
    response = plain.update_item(**request, **used(values, update))
    assert response["Attributes"] == {**KEY, **expected}
    assert plain.get_item(TableName="plain", Key=KEY)["Item"] == {**KEY, **expected}


@pytest.mark.parametrize(
    ("update", "reason"),
    [
        ("SET a = b", "refers to an attribute that does not exist in the item"),
        ("SET a = b + :n", "refers to an attribute that does not exist in the item"),
        ("SET a = str + :n", "An operand in the update expression has an incorrect data type"),
        ("SET a = list_append(str, :l)", "An operand in the update expression has an incorrect data type"),
        ("SET a = list_append(:n, :l)", "Incorrect operand type for operator or function"),
        ("SET a = :s + :n", "Incorrect operand type for operator or function"),
        ("SET a.b = :n", "document path provided in the update expression is invalid for update"),
        ("SET str.b = :n", "document path provided in the update expression is invalid for update"),
        ("SET doc[0] = :n", "document path provided in the update expression is invalid for update"),
        ("ADD str :n", "An operand in the update expression has an incorrect data type"),
        ("ADD a :s", "operator: ADD, operand type: STRING"),
        ("DELETE strs :n", "operator: DELETE, operand type: NUMBER"),
        ("SET p = :n", "Cannot update attribute p. This attribute is part of the key"),
        ("REMOVE p", "Cannot update attribute p. This attribute is part of the key"),
        ("SET a = :n, a = :n", "Two document paths overlap with each other"),
        ("SET doc.a = :n, doc = :n", "Two document paths overlap with each other"),
        ("SET doc.a = :n, doc[0] = :n", "Two document paths conflict with each other"),
        ("SET a = :n SET b = :n", 'The "SET" section can only be used once'),
        ("SET a = f(:n)", "Invalid function name; function: f"),
        ("SET a = if_not_exists(a)", "Incorrect number of operands"),
        ("SET a = if_not_exists(:n, :n)", "requires a document path"),
        ("SET a = :n + :n + :n", "Syntax error"),
        ("SET a", "Syntax error"),
        ("MAKE a = :n", 'Syntax error; token: "MAKE"'),
        ("SET _a = :n", "Syntax error"),
        ("SET a = :n;", 'Syntax error; token: ";"'),
        ("", "The expression can not be empty"),
        ("SET name = :n", "Attribute name is a reserved keyword; reserved keyword: name"),
        ("SET a = :undefined", "attribute value used in expression is not defined; attribute value: :undefined"),
        ("SET #undefined = :n", "attribute name used in the document path is not defined; attribute name: #undefined"),
    ],
)  # fmt: skip
def test_a_faulty_update_is_refused_and_changes_nothing(sample, message, update, reason):
    values = {":n": {"N": "5"}, ":l": {"L": []}, ":s": {"S": "x"}}
    request = {"TableName": "plain", "Key": KEY, "UpdateExpression": update}
    assert reason in message(sample.update_item, **request, **used(values, update))
    assert sample.get_item(TableName="plain", Key=KEY)["Item"] == ITEM


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("str", "Syntax error"),
        ("str = ", "Syntax error"),
        ("str = :v AND", "Syntax error"),
        ("str == :v", "Syntax error"),
        ("((str = :v))", "The expression has redundant parentheses"),
        ("size(str)", "The function is not allowed to be used this way"),
        ("attribute_exists(str) = :v", "The function is not allowed to be used this way"),
        ("exists(str)", "Invalid function name; function: exists"),
        ("attribute_exists(:v)", "requires a document path"),
        ("begins_with(str)", "Incorrect number of operands"),
        ("begins_with(str, :n)", "operator or function: begins_with, operand type: N"),
        ("attribute_type(str, :v)", "Invalid attribute type name found; type: v"),
        ("str < :t", "operator or function: <, operand type: BOOL"),
        ("str = str", "The first operand must be distinct"),
        ("num BETWEEN :n AND :v", "requires same data type for lower and upper bounds"),
        ("num BETWEEN :n AND :m", "requires upper bound to be greater than or equal to lower bound"),
        ("str = :v + :n", "Syntax error"),
    ],
)
def test_a_faulty_condition_is_refused(sample, message, condition, reason):
    values = {":v": {"S": "v"}, ":n": {"N": "5"}, ":m": {"N": "4"}, ":t": {"BOOL": True}}
    request = {"TableName": "plain", "Key": KEY, "ConditionExpression": condition}
    found = message(sample.delete_item, **request, **used(values, condition))
    assert reason in found
    assert found.startswith("Invalid ConditionExpression: ")


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ({"ExpressionAttributeNames": {"#u": "u"}}, "ExpressionAttributeNames unused in expressions: keys: {#u}"),
        ({"ExpressionAttributeNames": {}}, "ExpressionAttributeNames must not be empty"),
        (
            {"ExpressionAttributeNames": {"u": "u"}},
            'ExpressionAttributeNames contains invalid key: Syntax error; key: "u"',
        ),
        (
            {"ExpressionAttributeValues": {":u": {"S": "u"}}},
            "ExpressionAttributeValues unused in expressions: keys: {:u}",
        ),
        ({"ExpressionAttributeValues": {}}, "ExpressionAttributeValues must not be empty"),
        (
            {"ExpressionAttributeValues": {"u": {"S": "u"}}},
            'ExpressionAttributeValues contains invalid key: Syntax error; key: "u"',
        ),
    ],
)
def test_every_name_and_value_must_be_used(sample, message, extra, reason):
    request = {"TableName": "plain", "Key": KEY, "ConditionExpression": "attribute_exists(str)"}
    assert reason in message(sample.delete_item, **request, **extra)


def test_names_and_values_need_an_expression(sample, message):
    for extra in ({"ExpressionAttributeNames": {"#u": "u"}}, {"ExpressionAttributeValues": {":u": {"S": "u"}}}):
        assert "can only be specified when using expressions" in message(
            sample.delete_item, TableName="plain", Key=KEY, **extra
        )


def test_names_are_shared_by_all_expressions_of_a_request(sample):
    response = sample.update_item(
        TableName="plain",
        Key=KEY,
        UpdateExpression="SET #n = :v",
        ConditionExpression="attribute_exists(#s)",
        ExpressionAttributeNames={"#n": "name", "#s": "str"},
        ExpressionAttributeValues={":v": {"S": "x"}},
        ReturnValues="UPDATED_NEW",
    )
    assert response["Attributes"] == {"name": {"S": "x"}}


def test_a_long_arithmetic_keeps_38_digits_and_refuses_more(plain, message):
    plain.put_item(TableName="plain", Item={**KEY, "n": {"N": "9" * 38}})
    request = {"TableName": "plain", "Key": KEY, "ReturnValues": "UPDATED_NEW", "UpdateExpression": "SET n = n + :v"}
    response = plain.update_item(**request, ExpressionAttributeValues={":v": {"N": "1"}})
    assert response["Attributes"] == {"n": {"N": "1" + "0" * 38}}
    assert "38 significant digits" in message(
        plain.update_item, **request, ExpressionAttributeValues={":v": {"N": "1"}}
    )
