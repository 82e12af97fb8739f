"""Queues: what they may be called, which attributes they may have, and how a change applies."""

import dataclasses

import pytest

from chalicelib.model import errors, queue, resource

DEMO = queue.Queue(
    name="demo",
    queue_id="0123456789abcdef",
    shards=1,
    attributes=queue.QueueAttributes(),
    created_at=1_704_164_645_000,
    modified_at=1_704_164_645_000,
)


@pytest.mark.parametrize("name", ["a", "Z", "0", "demo", "a-b", "0-", "Orders-2024", "x" * 120, "-".join("a" * 60)])
def test_a_queue_name_is_1_to_120_letters_digits_and_hyphens_with_a_letter_or_digit_first(name):
    assert queue.check_name(name) == name


@pytest.mark.parametrize(
    "name", ["-", "-a", "a b", "a_b", "a.b", "a/b", "a#b", "a\n", "\na", " a", "é", "队列", "a\u0660", "a\x00", "%61"]
)
def test_any_other_character_or_a_hyphen_in_front_is_an_invalid_queue_name(name):
    with pytest.raises(errors.InvalidQueueName) as raised:
        queue.check_name(name)
    assert raised.value.message == (
        "The queue name should hold letters, digits and hyphens only and begin with a letter or a digit."
    )


@pytest.mark.parametrize(("name", "length"), [("", 0), ("x" * 121, 121), ("x" * 256, 256), ("_" * 121, 121)])
def test_an_empty_or_too_long_name_is_a_length_error_whatever_it_is_made_of(name, length):
    with pytest.raises(errors.QueueNameLengthError) as raised:
        queue.check_name(name)
    assert raised.value.message == f"The length of the queue name should between 1 and 120, but it is {length}."


def test_a_queue_has_the_documented_attributes_when_nobody_names_any():
    assert dataclasses.asdict(queue.QueueAttributes()) == {
        "delay_seconds": 0,
        "maximum_message_size": 65_536,
        "message_retention_period": 345_600,
        "visibility_timeout": 30,
        "polling_wait_seconds": 0,
        "logging_enabled": False,
        "dead_letter": {"enabled": False, "target": "", "max_receive_count": 16},
        "rate_limit": {"enabled": False, "max_receives_per_second": 20_000},
        "encryption": {"enabled": False, "sse_type": "SMQ", "algorithm": "AES-256-GCM", "key_id": ""},
    }


RANGES = [
    ("delay_seconds", "DelaySeconds", 0, 604_800),
    ("maximum_message_size", "MaximumMessageSize", 1_024, 65_536),
    ("message_retention_period", "MessageRetentionPeriod", 60, 604_800),
    ("visibility_timeout", "VisibilityTimeout", 1, 43_200),
    ("polling_wait_seconds", "PollingWaitSeconds", 0, 30),
]


@pytest.mark.parametrize(("field", "name", "low", "high"), RANGES, ids=[field for field, *_ in RANGES])
def test_an_attribute_takes_both_bounds_of_its_range_and_nothing_beyond(field, name, low, high):
    assert [getattr(queue.QueueAttributes(**{field: value}), field) for value in (low, high)] == [low, high]
    for value in (low - 1, high + 1):
        with pytest.raises(errors.InvalidArgument) as raised:
            queue.QueueAttributes(**{field: value})
        assert raised.value.message == f"The value of {name} should between {low} and {high}."


def test_a_change_names_only_what_was_said_and_false_and_zero_are_said():
    change = queue.QueueChange(delay_seconds=0, logging_enabled=False, visibility_timeout=60)
    assert change.named() == {"delay_seconds": 0, "visibility_timeout": 60, "logging_enabled": False}
    assert queue.QueueChange().named() == {}


def test_a_change_replaces_what_it_names_and_leaves_the_rest():
    before = queue.QueueAttributes(delay_seconds=7, polling_wait_seconds=20, logging_enabled=True)
    after = before.evolve(queue.QueueChange(polling_wait_seconds=0, visibility_timeout=60))
    assert after == queue.QueueAttributes(
        delay_seconds=7, polling_wait_seconds=0, visibility_timeout=60, logging_enabled=True
    )


def test_a_change_that_names_nothing_changes_nothing():
    attributes = queue.QueueAttributes(visibility_timeout=60)
    assert attributes.evolve(queue.QueueChange()) == attributes


def test_a_change_names_a_policy_as_a_whole():
    policy = resource.DeadLetter(enabled=True, target="dead", max_receive_count=3)
    change = queue.QueueChange(dead_letter=policy)
    assert change.named() == {"dead_letter": policy}
    assert queue.QueueAttributes(delay_seconds=7).evolve(change) == queue.QueueAttributes(
        delay_seconds=7, dead_letter=policy
    )


def test_dead_letters_go_to_what_a_queue_may_be_called():
    with pytest.raises(errors.InvalidArgument) as raised:
        queue.QueueAttributes(dead_letter=resource.DeadLetter(enabled=True, target="a_b"))
    assert raised.value.message == "The value of DeadLetterTargetQueue is not the name of a queue."


def test_a_creation_is_content_with_policies_it_does_not_name_but_with_no_other_attribute():
    policed = queue.QueueAttributes(rate_limit=resource.RateLimit(enabled=True, max_receives_per_second=5))
    assert policed.answers(queue.QueueChange())
    assert policed.answers(queue.QueueChange(delay_seconds=0, rate_limit=policed.rate_limit))
    assert not policed.answers(queue.QueueChange(delay_seconds=1))
    assert not policed.answers(queue.QueueChange(rate_limit=resource.RateLimit()))
    assert not queue.QueueAttributes(delay_seconds=1).answers(queue.QueueChange())


def test_a_change_out_of_range_is_refused_as_a_whole():
    before = queue.QueueAttributes()
    with pytest.raises(errors.InvalidArgument):
        before.evolve(queue.QueueChange(visibility_timeout=60, polling_wait_seconds=31))
    assert before == queue.QueueAttributes()


def test_a_queue_evolves_into_another():
    assert DEMO.evolve(name="other") == dataclasses.replace(DEMO, name="other")


def test_each_shard_has_a_partition_of_its_own():
    assert DEMO.evolve(shards=3).partitions == ("0123456789abcdef#0", "0123456789abcdef#1", "0123456789abcdef#2")


def test_counts_add_up_by_state():
    assert queue.Counts(active=1, inactive=2, delayed=3) + queue.Counts(active=10, delayed=-3) == queue.Counts(
        active=11, inactive=2, delayed=0
    )
