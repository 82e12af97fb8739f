"""Parameters of RPC calls: what each reading makes of a text."""

import pytest

from chalicelib.rpc import errors
from chalicelib.rpc.parameters import Parameters


def test_what_is_empty_is_not_given():
    given = Parameters({"Empty": ""})
    assert [
        read("Empty") for read in (given.text, given.integer, given.boolean, given.json, given.member, given.strings)
    ] == [None, None, None, None, None, ()]


def test_each_reading_takes_what_clients_send():
    given = Parameters(
        {
            "Text": " a ",
            "Number": "-05",
            "Truth": "TRUE",
            "Policy": '{"Enabled":true,"Count":3,"Name":"x","Gone":null,"Deep":{"a":[1]}}',
            "Commas": "10.0.0.0/8, ::1/128,",
            "Array": '["a","b"]',
        }
    )
    policy = given.member("Policy")
    assert (given.text("Text"), given.integer("Number"), given.boolean("Truth")) == (" a ", -5, True)
    assert (policy.boolean("Enabled"), policy.integer("Count"), policy.text("Name")) == (True, 3, "x")
    assert (policy.text("Gone"), policy.json("Deep")) == (None, {"a": [1]})
    assert (given.strings("Commas"), given.strings("Array")) == (("10.0.0.0/8", "::1/128"), ("a", "b"))


def test_numbered_parameters_come_in_the_order_of_their_numbers():
    given = Parameters(
        {"Tag.10.Key": "c", "Tag.2.Key": "b", "Tag.2.Value": "2", "Tag.1.Key": "a", "Tag.x.Key": "?", "Tags.1.Key": "?"}
    )
    assert [(item.required("Key"), item.text("Value")) for item in given.numbered("Tag")] == [
        ("a", None),
        ("b", "2"),
        ("c", None),
    ]


@pytest.mark.parametrize(
    ("read", "code", "message"),
    [
        (lambda given: given.required("None"), "MissingNone", "None is mandatory for this action."),
        (
            lambda given: given.numbered("Tag")[0].required("Key"),
            "MissingTag3Key",
            "Tag.3.Key is mandatory for this action.",
        ),
        (
            lambda given: given.member("Policy").integer("Count"),
            "InvalidParameter",
            "The specified value of parameter Policy.Count is not valid: it should be a whole number.",
        ),
        (
            lambda given: given.strings("Mixed"),
            "InvalidParameter",
            "The specified value of parameter Mixed is not valid: it should be a list of texts.",
        ),
    ],
)
def test_what_is_wrong_is_named_with_all_that_it_is_part_of(read, code, message):
    given = Parameters({"Tag.3.Value": "v", "Policy": '{"Count":1.5}', "Mixed": '["a",1]'})
    with pytest.raises(errors.RpcError) as raised:
        read(given)
    assert (raised.value.code, raised.value.message) == (code, message)
