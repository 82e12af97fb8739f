"""One suite of topic operations, run by every official client that has them against a live server."""

import time

import pytest

from tests import live
from tests.sdk import topics as adapters
from tests.sdk.clients import RefusedError

HTTP = "http://127.0.0.1:9/"
UNICODE = "订单 №7: <b>&amp;</b> ]]> \"'"


@pytest.fixture
def topics(client):
    return adapters.of(client)


@pytest.fixture
def topic(topics) -> str:
    """A topic of this test's own, with the default attributes."""
    name = live.unique("t")
    topics.create_topic(name)
    return name


def refusal(function, *arguments, **named) -> str:
    """The error code that a call is refused with."""
    with pytest.raises(RefusedError) as caught:
        function(*arguments, **named)
    return caught.value.code


def test_a_topic_is_created_once_and_the_same_is_no_error(topics, server):
    name = live.unique("t")
    url = f"{server.endpoint}/topics/{name}"
    assert [topics.create_topic(name, MaximumMessageSize=2048) for _ in range(2)] == [url, url]
    assert refusal(topics.create_topic, name, MaximumMessageSize=4096) == "TopicAlreadyExist"


def test_a_topic_has_all_seven_attributes_and_takes_changes(topics, topic):
    before = topics.get_topic(topic)
    assert {key: before[key] for key in before if not key.endswith("Time")} == {
        "TopicName": topic,
        "MaximumMessageSize": "65536",
        "MessageRetentionPeriod": "86400",
        "MessageCount": "0",
        "LoggingEnabled": "False",
    }
    assert abs(int(before["CreateTime"]) - time.time()) < 60
    topics.set_topic(topic, MaximumMessageSize=1024, LoggingEnabled=True)
    after = topics.get_topic(topic)
    assert (after["MaximumMessageSize"], after["LoggingEnabled"]) == ("1024", "True")


def test_a_topic_that_is_not_there_is_refused_by_all_but_its_deletion(topics):
    name = live.unique("t")
    topics.delete_topic(name)
    for call in (
        lambda: topics.get_topic(name),
        lambda: topics.set_topic(name, LoggingEnabled=True),
        lambda: topics.subscribe(name, "sub", HTTP),
        lambda: topics.publish(name, "x"),
        lambda: topics.list_subscriptions(name, 10, ""),
    ):
        assert refusal(call) == "TopicNotExist"


@pytest.mark.parametrize(("name", "code"), [("a_b", "TopicNameInvalid"), ("x" * 121, "TopicNameLengthError")])
def test_a_bad_name_is_refused(topics, name, code):
    assert refusal(topics.create_topic, name) == code


def test_topics_are_listed_page_by_page(topics, server):
    stem = live.unique("list")
    urls = [f"{server.endpoint}/topics/{stem}-{number}" for number in range(3)]
    for number in range(3):
        topics.create_topic(f"{stem}-{number}")
    first, marker = topics.list_topics(stem, 2, "")
    rest, end = topics.list_topics(stem, 2, marker)
    assert (first, rest, end) == (urls[:2], urls[2:], "")


def test_a_subscription_is_made_read_changed_listed_and_ended(topics, topic, server):
    url = f"{server.endpoint}/topics/{topic}/subscriptions/sub"
    more = {"FilterTag": "a", "NotifyStrategy": "EXPONENTIAL_DECAY_RETRY", "NotifyContentFormat": "JSON"}
    assert [topics.subscribe(topic, "sub", HTTP, **more) for _ in range(2)] == [url, url]
    assert refusal(topics.subscribe, topic, "sub", HTTP) == "SubscriptionAlreadyExist"
    topics.set_subscription(topic, "sub", "BACKOFF_RETRY")
    found = topics.get_subscription(topic, "sub")
    assert {key: found[key] for key in found if not key.endswith("Time")} == {
        "TopicOwner": live.OWNER.account_id,
        "TopicName": topic,
        "SubscriptionName": "sub",
        "Endpoint": HTTP,
        "FilterTag": "a",
        "NotifyStrategy": "BACKOFF_RETRY",
        "NotifyContentFormat": "JSON",
    } | ({"Subscriber": live.OWNER.account_id} if "Subscriber" in found else {})
    topics.subscribe(topic, "two", HTTP)
    page, marker = topics.list_subscriptions(topic, 1, "")
    two = f"{server.endpoint}/topics/{topic}/subscriptions/two"
    assert (page, topics.list_subscriptions(topic, 1, marker)) == ([url], ([two], ""))
    for _ in range(2):
        topics.unsubscribe(topic, "sub")
    assert refusal(topics.get_subscription, topic, "sub") == "SubscriptionNotExist"


@pytest.mark.parametrize(
    ("name", "endpoint", "code"),
    [
        ("sub", "nonsense", "EndpointInvalid"),
        ("a_b", HTTP, "SubscriptionNameInvalid"),
        ("x" * 256, HTTP, "SubscriptionNameLengthError"),
    ],
)
def test_what_is_no_subscription_is_refused(topics, topic, name, endpoint, code):
    assert refusal(topics.subscribe, topic, name, endpoint) == code


def test_a_message_is_published_to_a_queue_as_it_is_with_its_properties_and_by_its_tag(
    topics, topic, client, queue, server
):
    arn = f"acs:mns:cn-hangzhou:{live.OWNER.account_id}:queues/{queue}"
    topics.subscribe(topic, "sub", arn, NotifyContentFormat="SIMPLIFIED", FilterTag="a")
    topics.publish(topic, "not wanted", "b")
    sent = topics.publish(topic, UNICODE, "a", {"city": ("STRING", "hangzhou"), "blob": ("BINARY", "AAEC")})
    reply = server.ask("GET", f"/queues/{queue}/messages?numOfMessages=16&waitseconds=10")
    found = {element.tag.rpartition("}")[2]: element.text for element in reply.xml.iter()}
    assert (found["MessageBody"], found["MessageBodyMD5"]) == (UNICODE, sent["MessageBodyMD5"])
    assert (found["Name"], found["Value"], found["Type"]) in [
        ("blob", "AAEC", "BINARY"),
        ("city", "hangzhou", "STRING"),
    ]
    assert len(list(reply.xml)) == 1


def test_a_message_larger_than_the_topic_takes_is_refused(topics):
    name = live.unique("t")
    topics.create_topic(name, MaximumMessageSize=1024)
    assert refusal(topics.publish, name, "x" * 1025) == "InvalidArgument"


def test_a_deleted_topic_takes_its_subscriptions_along(topics, topic):
    topics.subscribe(topic, "sub", HTTP)
    topics.delete_topic(topic)
    topics.create_topic(topic)
    assert topics.list_subscriptions(topic, 10, "") == ([], "")
