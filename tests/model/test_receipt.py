"""Receipt handles: made of characters that survive a URL, valid for one queue, and nothing else decodes."""

import base64
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.model import errors, receipt

QUEUE_ID = "0123456789abcdef"
RECEIPT = receipt.Receipt(
    queue_id=QUEUE_ID,
    shard=3,
    priority=8,
    message_id="0A1B2C3D4E5F60718293A4B5C6D7E8F9",
    stamp="0123456789ab",
)
quick = settings(max_examples=60, deadline=None, database=None)

receipts = st.builds(
    receipt.Receipt,
    queue_id=st.text(st.sampled_from("0123456789abcdef"), min_size=16, max_size=16),
    shard=st.integers(0, 63),
    priority=st.integers(1, 16),
    message_id=st.binary(min_size=16, max_size=16).map(lambda some: some.hex().upper()),
    stamp=st.binary(min_size=6, max_size=6).map(bytes.hex),
    group=st.none() | st.binary(min_size=15, max_size=15).map(bytes.hex),
)


def assert_refused(handle):
    with pytest.raises(errors.ReceiptHandleError) as raised:
        receipt.decode(handle, QUEUE_ID)
    assert raised.value.message == "The receipt handle you provided is not valid."


@quick
@given(receipts)
def test_a_handle_decodes_to_the_receipt_it_was_made_from(given_receipt):
    assert receipt.decode(given_receipt.encode(), given_receipt.queue_id) == given_receipt


@quick
@given(receipts)
def test_a_handle_is_made_of_characters_that_no_sdk_and_no_gateway_escapes(given_receipt):
    length = 40 if given_receipt.group is None else 60
    assert re.fullmatch(r"[A-Za-z0-9_-]+", given_receipt.encode())
    assert len(given_receipt.encode()) == length


@quick
@given(receipts, receipts)
def test_two_claims_never_share_a_handle(one, other):
    assert (one.encode() == other.encode()) == (one == other)


def test_a_handle_with_a_group_that_says_it_has_none_is_refused_and_the_other_way_round():
    plain = base64.urlsafe_b64decode(RECEIPT.encode())
    grouped = base64.urlsafe_b64decode(receipt.Receipt(**vars(RECEIPT) | {"group": "ab" * 15}).encode())
    for packed in (grouped[:30], plain + grouped[30:]):
        assert_refused(base64.urlsafe_b64encode(packed).decode())


def test_a_handle_of_another_queue_is_refused():
    assert_refused(receipt.Receipt(**vars(RECEIPT) | {"queue_id": "fedcba9876543210"}).encode())


def test_a_handle_of_a_deleted_namesake_is_refused_for_its_queue_id_was_another():
    handle = RECEIPT.encode()
    with pytest.raises(errors.ReceiptHandleError):
        receipt.decode(handle, "0123456789abcdee")


def test_a_handle_truncated_at_any_length_is_refused():
    for length in range(40):
        assert_refused(RECEIPT.encode()[:length])


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "x",
        "8-0zxjHBaWtzPz8zphz0z6OGz5yWWidU1fJM",  # as the real service makes them
        "1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA==",  # as it once made them
        "A" * 40,
        "A" * 41,
        "=" * 40,
        "é" * 40,
        "a" * 39 + "\u0660",
        "\ud800" * 40,
        " " + "A" * 39,
        "A" * 39 + "\n",
        "A" * 39 + "%",
        "A" * 100_000,
    ],
    ids=ascii,
)
def test_what_is_no_handle_of_ours_is_refused(handle):
    assert_refused(handle)


@pytest.mark.parametrize("handle", ["A" * 38 + "==", "A" * 39 + "=", "1-" + "ODU4" * 9 + "A="])
def test_base64_of_the_right_length_that_holds_too_few_bytes_is_refused(handle):
    assert_refused(handle)


@quick
@given(st.text(st.sampled_from("AZaz09_-+/ "), min_size=40, max_size=40))
def test_forty_characters_of_garbage_are_refused(handle):
    assert_refused(handle)


@quick
@given(st.integers(0, 39), st.sampled_from("AQgw"))
def test_a_handle_with_one_character_changed_is_refused_or_means_another_claim(place, character):
    handle = RECEIPT.encode()
    changed = handle[:place] + character + handle[place + 1 :]
    try:
        decoded = receipt.decode(changed, QUEUE_ID)
    except errors.ReceiptHandleError:
        return
    assert (decoded == RECEIPT) == (changed == handle)


@pytest.mark.parametrize("priority", [0, 17, 200])
def test_a_handle_that_names_a_priority_that_no_message_has_is_none_of_ours(priority):
    assert_refused(receipt.Receipt(**vars(RECEIPT) | {"priority": priority}).encode())
