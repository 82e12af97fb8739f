"""Requests as values: what a query says, under the spellings of all SDKs."""

import dataclasses
import pickle

import pytest

from chalicelib.model import errors
from chalicelib.wire import http


def asked(query):
    return http.Request(method="GET", path="/queues/demo/messages", query=query)


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("", {}),
        ("waitseconds=10", {"waitseconds": "10"}),
        ("ReceiptHandle=a&VisibilityTimeout=60", {"receipthandle": "a", "visibilitytimeout": "60"}),
        ("receiptHandle=a&visibilityTimeout=60", {"receipthandle": "a", "visibilitytimeout": "60"}),
        ("metaOverride=true", {"metaoverride": "true"}),
        ("RECEIPTHANDLE=A", {"receipthandle": "A"}),
        ("ReceiptHandle=1-ODU4OA==", {"receipthandle": "1-ODU4OA=="}),
        ("ReceiptHandle=1-ODU4OA==&VisibilityTimeout=60", {"receipthandle": "1-ODU4OA==", "visibilitytimeout": "60"}),
        ("ReceiptHandle=1-ODU4OA%3D%3D", {"receipthandle": "1-ODU4OA=="}),
        ("ReceiptHandle=a+b/c", {"receipthandle": "a+b/c"}),
        ("ReceiptHandle=a%2Bb%2Fc", {"receipthandle": "a+b/c"}),
        ("ReceiptHandle=a%252Bb", {"receipthandle": "a%2Bb"}),
        ("ReceiptHandle=a%20b", {"receipthandle": "a b"}),
        ("ReceiptHandle=%E6%B6%88", {"receipthandle": "消"}),
        ("ReceiptHandle=100%", {"receipthandle": "100%"}),
        ("ReceiptHandle=%zz", {"receipthandle": "%zz"}),
        ("ReceiptHandle=%ff", {"receipthandle": "\ufffd"}),
        ("Receipt%48andle=a", {"receipthandle": "a"}),
        ("peekonly", {"peekonly": ""}),
        ("peekonly=", {"peekonly": ""}),
        ("&&peekonly=true&", {"peekonly": "true"}),
        ("a=1&b=1;c=2", {"a": "1", "b": "1;c=2"}),
        ("=x", {"": "x"}),
    ],
)
def test_a_value_goes_from_the_first_equals_sign_to_the_ampersand_and_is_decoded_once_with_a_plus_kept(
    query, parameters
):
    assert asked(query).parameters == parameters


@pytest.mark.parametrize("query", ["a=1&a=2", "a=1&a=1", "ReceiptHandle=1&receipthandle=2", "a&%61"])
def test_a_parameter_given_twice_is_an_invalid_query_string_in_whatever_case(query):
    with pytest.raises(errors.InvalidQueryString) as raised:
        assert asked(query).parameters
    name = query.partition("=")[0].partition("&")[0].lower()
    assert raised.value.message == f"The query parameter {name} is given twice."


@pytest.mark.parametrize(
    ("query", "value"),
    [("", None), ("numOfMessages=16", 16), ("numofmessages=0", 0), ("NUMOFMESSAGES=-1", -1), ("numOfMessages=007", 7)],
)
def test_a_whole_number_is_read_under_any_spelling_of_its_name(query, value):
    assert asked(query).integer("numOfMessages") == value


@pytest.mark.parametrize("text", ["", "x", "1.5", "+1", "%201", "1%0A", "0x1", "\u0661", "1e3", "9" * 19])
def test_what_is_no_whole_number_is_an_invalid_query_string_that_names_the_parameter(text):
    with pytest.raises(errors.InvalidQueryString) as raised:
        asked(f"waitseconds={text}").integer("waitseconds")
    assert raised.value.message == "The value of the query parameter waitseconds should be a whole number."


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("peekonly=true", True),
        ("PeekOnly=TRUE", True),
        ("peekonly=True", True),
        ("peekonly=false", False),
        ("peekonly=1", False),
        ("peekonly=", False),
        ("peekonly", False),
        ("", False),
    ],
)
def test_a_flag_is_set_by_true_in_any_case_and_by_nothing_else(query, value):
    assert asked(query).flag("peekonly") is value


def test_the_target_is_path_and_query_as_they_were_sent():
    assert asked("a=%2F&b").target == "/queues/demo/messages?a=%2F&b"
    assert asked("").target == "/queues/demo/messages"


def test_urls_in_answers_begin_with_scheme_and_host_as_the_client_used_them():
    request = http.Request(method="GET", path="/queues", headers={"host": "127.0.0.1:8000"}, scheme="https")
    assert request.host_url == "https://127.0.0.1:8000"
    assert http.Request(method="GET", path="/queues").host_url == "http://localhost"


def test_a_request_that_comes_again_brings_what_was_worked_out_from_it_and_a_copy_does_not():
    first = asked("waitseconds=3")
    assert first.parameters == {"waitseconds": "3"}
    again = first.again(address="192.0.2.1", arrived_at=7)
    assert again == dataclasses.replace(first, address="192.0.2.1", arrived_at=7)
    assert again.parameters is first.parameters
    for copy in (pickle.loads(pickle.dumps(first)), dataclasses.replace(first)):  # noqa: S301  # our own bytes
        assert (copy, copy.known) == (first, {})
    other = dataclasses.replace(first, query="waitseconds=4")
    assert other.parameters == {"waitseconds": "4"}
    assert first.parameters == {"waitseconds": "3"}


def test_parameters_that_cannot_be_read_are_refused_each_time():
    first = asked("a=1&A=2")
    for number in range(2):
        with pytest.raises(errors.InvalidQueryString):
            _ = first.again(address="", arrived_at=number).parameters
