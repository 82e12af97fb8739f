"""Topics and subscriptions: create, change, look up, list, delete."""

import pytest

from chalicelib.model import errors, limits, queue, resource, retry, subscription, topic
from tests.broker.fakes import ELSEWHERE, HERE, NOW

QUEUE = "acs:mns:cn-hangzhou:1234567890123456:queues/demo"


def wanted(to="http://example.test/", **attributes):
    return subscription.SubscriptionAttributes(endpoint=to, **attributes)


def test_a_topic_is_created_with_a_type_and_tags_that_a_plain_creation_does_not_ask_about(process):
    tag = resource.Tag(key="team")
    made, _ = process.topics.create(HERE, "news", topic.TopicChange(), kind=resource.Type.FIFO, tags=[tag])
    assert (made.type, made.tags) == (resource.Type.FIFO, (tag,))
    assert process.create_topic() == made
    with pytest.raises(errors.TopicAlreadyExist):
        process.topics.create(HERE, "news", topic.TopicChange(), kind=resource.Type.NORMAL)


def test_subscribing_again_without_naming_policies_keeps_them(process):
    process.create_topic()
    slow = resource.RateLimit(enabled=True, max_receives_per_second=5)
    made = process.subscribe(rate_limit=slow, dead_letter_queue="dead")
    assert process.subscribe() == made
    with pytest.raises(errors.SubscriptionAlreadyExist):
        process.subscribe(dead_letter_queue="other")


def test_a_topic_is_created_once_and_the_same_is_no_error(process, clock):
    made = process.create_topic()
    clock.advance(1)
    assert process.topics.create(HERE, "news", topic.TopicChange(maximum_message_size=65_536)) == (made, False)
    assert (made.created_at, made.modified_at, made.shards) == (NOW, NOW, 1)


def test_a_topic_with_other_attributes_is_there_already(process):
    process.create_topic()
    with pytest.raises(errors.TopicAlreadyExist):
        process.create_topic(logging_enabled=True)


def test_an_account_may_have_a_thousand_topics_in_a_region(process, tables):
    made = process.create_topic()
    tables.topics.stored |= {(HERE, f"t{number}"): made for number in range(limits.TOPICS_PER_ACCOUNT - 1)}
    with pytest.raises(errors.TopicNumExceededLimit):
        process.create_topic("one-more")
    process.topics.create(ELSEWHERE, "one-more", topic.TopicChange())


@pytest.mark.parametrize("name", ["nope", "not a name", ""])
def test_a_topic_that_is_not_there_is_nowhere_to_be_found(process, name):
    for verb in (
        lambda: process.topics.find(HERE, name),
        lambda: process.topics.get_attributes(HERE, name),
        lambda: process.topics.set_attributes(HERE, name, topic.TopicChange()),
        lambda: process.subscriptions.subscribe(HERE, name, "sub", wanted()),
        lambda: process.subscriptions.get(HERE, name, "sub"),
        lambda: process.subscriptions.unsubscribe(HERE, name, "sub"),
        lambda: process.subscriptions.list(HERE, name, prefix="", after=None, limit=1),
    ):
        with pytest.raises(errors.TopicNotExist):
            verb()
    process.topics.delete(HERE, name)


def test_a_change_of_a_topic_is_seen_at_once_in_its_process_and_within_five_seconds_elsewhere(process, clock):
    process.create_topic()
    other = process.another()
    other.topics.find(HERE, "news")
    clock.advance(4)
    process.topics.set_attributes(HERE, "news", topic.TopicChange(maximum_message_size=2_048))
    sizes = [each.topics.find(HERE, "news").attributes.maximum_message_size for each in (process, other)]
    assert sizes == [2_048, 65_536]
    clock.advance(1)
    assert other.topics.find(HERE, "news").attributes.maximum_message_size == 2_048
    assert other.topics.get(HERE, "news").modified_at == NOW + 4_000


def test_a_change_out_of_range_changes_nothing(process):
    made = process.create_topic()
    with pytest.raises(errors.InvalidArgument):
        process.topics.set_attributes(HERE, "news", topic.TopicChange(maximum_message_size=1, logging_enabled=True))
    assert process.topics.get(HERE, "news") == made


def test_a_list_of_topics_has_counts_where_they_are_asked_for(process, tables):
    made = [process.create_topic(name) for name in ("a-2", "b", "a-1")]
    tables.tallies.stored[made[0].partitions[0]] = queue.Counts(active=3)
    listing = process.topics.list(HERE, prefix="a", after=None, limit=1, with_counts=True)
    assert ([item.name for item in listing.page.topics], listing.page.marker) == (["a-1"], "a-1")
    assert listing.counts == {made[2].topic_id: 0}
    assert process.topics.get_attributes(HERE, "a-2") == (made[0], 3)
    assert process.topics.list(HERE, prefix="", after="a-1", limit=9, with_counts=False).counts == {}


def test_a_namesake_of_a_deleted_topic_has_none_of_its_subscriptions(process):
    old = process.create_topic()
    process.subscribe()
    process.topics.delete(HERE, "news")
    process.create_topic()
    assert process.subscriptions.list(HERE, "news", prefix="", after=None, limit=9).subscriptions == ()
    process.purge.run_topic(HERE, old)
    assert process.tables.subscriptions.stored == {}
    assert process.tables.tallies.retired == {old.partitions[0]: NOW}


def test_a_subscription_is_made_once_and_the_same_is_no_error(process, clock):
    process.create_topic()
    made = process.subscribe(filter_tag="a")
    clock.advance(1)
    assert process.subscriptions.subscribe(HERE, "news", "sub", wanted(filter_tag="a")) == (made, False)
    with pytest.raises(errors.SubscriptionAlreadyExist):
        process.subscribe(filter_tag="b")
    assert process.subscriptions.get(HERE, "news", "sub") == made


def test_a_topic_may_have_a_hundred_subscriptions(process):
    process.create_topic()
    for number in range(100):
        process.subscribe(f"s{number}")
    with pytest.raises(errors.SubscriptionNumExceededLimit):
        process.subscribe("one-more")
    process.subscribe("s7")


@pytest.mark.parametrize(("name", "error"), [("a b", "SubscriptionNameInvalid"), ("", "SubscriptionNameLengthError")])
def test_no_subscription_may_be_called_so(process, name, error):
    process.create_topic()
    with pytest.raises(getattr(errors, error)):
        process.subscribe(name)
    with pytest.raises(errors.SubscriptionNotExist):
        process.subscriptions.get(HERE, "news", name)
    process.subscriptions.unsubscribe(HERE, "news", name)


def test_a_queue_endpoint_may_be_created_later_and_must_take_what_the_topic_takes(process):
    process.create_topic()
    process.subscribe("early", QUEUE)
    process.create("demo", maximum_message_size=2_048)
    with pytest.raises(errors.EndpointInvalid):
        process.subscribe("late", QUEUE)
    process.topics.set_attributes(HERE, "news", topic.TopicChange(maximum_message_size=2_048))
    process.subscribe("late", QUEUE)


def test_the_same_subscription_is_no_error_though_its_queue_has_come_to_take_less(process):
    process.create_topic()
    process.create("demo")
    made = process.subscribe("sub", QUEUE)
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(maximum_message_size=2_048))
    assert process.subscriptions.subscribe(HERE, "news", "sub", wanted(QUEUE)) == (made, False)


@pytest.mark.parametrize(
    "where", ["cn-shanghai:1234567890123456", "cn-hangzhou:6543210987654321", "localhost:6543210987654321"]
)
def test_a_queue_endpoint_is_of_the_topics_account_and_region(process, where):
    process.create_topic()
    with pytest.raises(errors.EndpointInvalid):
        process.subscribe("sub", f"acs:mns:{where}:queues/demo")


def test_a_change_of_a_subscription_is_checked_and_keeps_the_rest(process, clock):
    process.create_topic()
    made = process.subscribe("sub", QUEUE, filter_tag="a")
    decay = subscription.SubscriptionChange(strategy=retry.Strategy.EXPONENTIAL_DECAY_RETRY)
    clock.advance(1)
    process.subscriptions.set_attributes(HERE, "news", "sub", decay)
    assert process.subscriptions.get(HERE, "news", "sub") == made.evolve(
        attributes=wanted(QUEUE, filter_tag="a", strategy=retry.Strategy.EXPONENTIAL_DECAY_RETRY),
        modified_at=NOW + 1_000,
    )
    with pytest.raises(errors.InvalidArgument):
        process.subscriptions.set_attributes(
            HERE, "news", "sub", subscription.SubscriptionChange(dead_letter_queue="demo")
        )
    with pytest.raises(errors.SubscriptionNotExist):
        process.subscriptions.set_attributes(HERE, "news", "other", decay)


def test_subscriptions_are_listed_and_unsubscribed(process):
    process.create_topic()
    for name in ("b", "a", "c"):
        process.subscribe(name)
    process.subscriptions.unsubscribe(HERE, "news", "b")
    process.subscriptions.unsubscribe(HERE, "news", "b")
    page = process.subscriptions.list(HERE, "news", prefix="", after=None, limit=1)
    assert ([item.name for item in page.subscriptions], page.marker) == (["a"], "a")
    rest = process.subscriptions.list(HERE, "news", prefix="", after="a", limit=1)
    assert ([item.name for item in rest.subscriptions], rest.marker) == (["c"], None)


def test_what_is_forgotten_is_read_anew(process, tables):
    made = process.create_topic()
    tables.topics.stored[HERE, "news"] = made.evolve(shards=3)
    process.topics.forget()
    process.subscriptions.forget()
    assert process.topics.find(HERE, "news").shards == 3
