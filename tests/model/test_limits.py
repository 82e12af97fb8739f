"""Every documented number, as the specification prints it."""

import pytest

from chalicelib.model import errors, limits

RANGES = [
    (limits.DELAY_SECONDS, "DelaySeconds", 0, 604_800, 0),
    (limits.MAXIMUM_MESSAGE_SIZE, "MaximumMessageSize", 1_024, 65_536, 65_536),
    (limits.MESSAGE_RETENTION_PERIOD, "MessageRetentionPeriod", 60, 604_800, 345_600),
    (limits.VISIBILITY_TIMEOUT, "VisibilityTimeout", 1, 43_200, 30),
    (limits.POLLING_WAIT_SECONDS, "PollingWaitSeconds", 0, 30, 0),
    (limits.PRIORITY, "Priority", 1, 16, 8),
    (limits.BATCH_SIZE, "numOfMessages", 1, 16, 1),
    (limits.WAIT_SECONDS, "waitseconds", 0, 30, 0),
    (limits.RETURN_NUMBER, "x-mns-ret-number", 1, 1_000, 1_000),
]
each_range = pytest.mark.parametrize(
    ("limit", "name", "low", "high", "default"), RANGES, ids=[name for _, name, *_ in RANGES]
)


@each_range
def test_a_range_has_the_documented_name_bounds_and_default(limit, name, low, high, default):
    assert limit == limits.Range(name=name, low=low, high=high, default=default)


@each_range
def test_both_bounds_and_the_default_lie_inside(limit, name, low, high, default):
    assert [limit.check(value) for value in (low, default, high)] == [low, default, high]


@each_range
@pytest.mark.parametrize("distance", [1, 10**12])
def test_what_lies_beyond_a_bound_is_refused_in_a_sentence_that_names_element_and_range(
    limit, name, low, high, default, distance
):
    for value in (low - distance, high + distance):
        with pytest.raises(errors.InvalidArgument) as raised:
            limit.check(value)
        assert raised.value.message == f"The value of {name} should between {low} and {high}."


def test_the_sentence_for_a_priority_of_99_is_the_one_that_the_specification_quotes():
    with pytest.raises(errors.InvalidArgument) as raised:
        limits.PRIORITY.check(99)
    assert raised.value.message == "The value of Priority should between 1 and 16."


def test_the_numbers_that_are_no_ranges_are_the_documented_ones():
    assert {
        "queue name": limits.QUEUE_NAME_LENGTH,
        "queues": limits.QUEUES_PER_ACCOUNT,
        "batch": limits.BATCH_BYTES,
        "properties": limits.USER_PROPERTIES,
        "property name": limits.PROPERTY_NAME_LENGTH,
        "property value": limits.PROPERTY_VALUE_LENGTH,
        "version": limits.API_VERSION,
        "clock skew": limits.CLOCK_SKEW_SECONDS,
        "staleness": limits.CACHE_SECONDS,
        "topic name": limits.TOPIC_NAME_LENGTH,
        "topics": limits.TOPICS_PER_ACCOUNT,
        "topic retention": limits.TOPIC_RETENTION_SECONDS,
        "subscription name": limits.SUBSCRIPTION_NAME_LENGTH,
        "subscriptions": limits.SUBSCRIPTIONS_PER_TOPIC,
        "tag": limits.TAG_LENGTH,
        "answer of an endpoint": limits.PUSH_SECONDS,
    } == {
        "queue name": 120,
        "queues": 1_000,
        "batch": 65_536,
        "properties": 50,
        "property name": 256,
        "property value": 4_096,
        "version": "2015-06-06",
        "clock skew": 900,
        "staleness": 5,
        "topic name": 120,
        "topics": 1_000,
        "topic retention": 86_400,
        "subscription name": 255,
        "subscriptions": 100,
        "tag": 16,
        "answer of an endpoint": 5,
    }


def test_the_system_properties_are_those_that_the_java_sdk_knows_for_it_fails_on_any_other():
    assert set(limits.SYSTEM_PROPERTY_NAMES) == {
        "traceparent",
        "tracestate",
        "baggage",
        "DLQMessageType",
        "DLQSourceArn",
        "DLQOriginMessageId",
    }


@pytest.mark.parametrize(("value", "nearest"), [(None, 10), (-1, 10), (10, 10), (37, 37), (50, 50), (10**9, 50)])
def test_a_page_size_outside_its_range_becomes_the_nearest_in_it(value, nearest):
    assert limits.PAGE_SIZE.clamp(value) == nearest
