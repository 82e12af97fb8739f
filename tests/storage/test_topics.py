"""The contract of topics, subscriptions, publications and deliveries, on each engine; and what the calls cost."""

import pytest

from chalicelib.model import delivery, limits, message, publication, queue, resource, retry, subscription, topic
from chalicelib.storage import deliveries, publications, topics
from infra.embedded.engine import EmbeddedEngine
from tests.conftest import NOW
from tests.model.test_topic import HERE, make_publication, make_subscription, make_topic
from tests.storage.test_budgets import assert_cost
from tests.storage.test_messages import claim, make_message, make_queue
from tests.storage.test_resources import ELSEWHERE, OTHER

DECAY = retry.Strategy.EXPONENTIAL_DECAY_RETRY


def records(stores, table):
    """All records of a table's stream so far."""
    arn = stores.engine.describe_table(TableName=stores.prefix + table)["Table"]["LatestStreamArn"]
    shard = stores.engine.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = stores.engine.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    return stores.engine.get_records(ShardIterator=iterator["ShardIterator"], Limit=1000)["Records"]


def test_a_topic_is_found_as_it_was_created_and_only_in_its_namespace(stores):
    new = make_topic(maximum_message_size=2_048)
    assert stores.topics.create(HERE, new) is None
    assert stores.topics.create(HERE, make_topic()) == new
    assert [stores.topics.get(where, "demo") for where in (HERE, ELSEWHERE, OTHER)] == [new, None, None]
    assert stores.queues.get(HERE, "demo") is None
    assert (stores.topics.count(HERE), stores.topics.count(OTHER), stores.queues.count(HERE)) == (1, 0, 0)
    assert list(stores.topics.everywhere()) == [(HERE, new)]


def test_a_topic_is_changed_and_deleted_once_and_its_deletion_is_told(stores):
    stores.topics.create(HERE, make_topic())
    changed = stores.topics.change(HERE, "demo", topic.TopicChange(logging_enabled=True), NOW + 1)
    assert changed == make_topic(logging_enabled=True).evolve(modified_at=NOW + 1) == stores.topics.get(HERE, "demo")
    assert [stores.topics.delete(HERE, "demo") for _ in range(2)] == [True, False]
    assert stores.topics.change(HERE, "demo", topic.TopicChange(logging_enabled=True), NOW + 1) is None
    assert [told for _, told in topics.read_deletions(records(stores, "resources"))] == [(HERE, changed)]


def test_a_topic_keeps_its_type_tags_and_encryption(stores):
    sealed = make_topic(encryption=resource.Encryption(enabled=True)).evolve(
        type=resource.Type.FIFO, tags=(resource.Tag(key="team", value="a"),)
    )
    stores.topics.create(HERE, sealed)
    assert stores.topics.get(HERE, "demo") == sealed
    change = topic.TopicChange(encryption=resource.Encryption())
    assert stores.topics.change(HERE, "demo", change, NOW).attributes == topic.TopicAttributes()


def test_a_subscription_keeps_its_rate_limit(stores):
    slow = resource.RateLimit(enabled=True, max_receives_per_second=5)
    stores.subscriptions.create(make_subscription(rate_limit=slow))
    assert stores.subscriptions.get(HERE, "t1", "sub") == make_subscription(rate_limit=slow)
    change = subscription.SubscriptionChange(rate_limit=resource.RateLimit())
    assert stores.subscriptions.change(make_subscription(), change, NOW) == make_subscription().evolve(modified_at=NOW)


def test_topics_are_listed_by_name(stores):
    for name in ("b", "a-2", "a-1"):
        stores.topics.create(HERE, make_topic().evolve(name=name))
    page = stores.topics.list(HERE, prefix="a", after=None, limit=1)
    assert ([item.name for item in page.topics], page.marker) == (["a-1"], "a-1")
    page = stores.topics.list(HERE, prefix="a", after="a-1", limit=1)
    assert ([item.name for item in page.topics], page.marker) == (["a-2"], None)
    assert stores.topics.list(HERE, prefix="x" * 5_000, after=None, limit=1).topics == ()


def test_a_subscription_is_found_as_it_was_made(stores):
    new = make_subscription(
        filter_tag="重要", strategy=DECAY, content_format=subscription.Format.JSON, dead_letter_queue="dead"
    )
    assert stores.subscriptions.create(new) is None
    assert stores.subscriptions.create(make_subscription()) == new
    assert stores.subscriptions.get(HERE, "t1", "sub") == new
    assert [stores.subscriptions.get(*where, "sub") for where in ((OTHER, "t1"), (HERE, "t2"))] == [None, None]


def test_a_subscription_is_changed_and_deleted_once(stores):
    new = make_subscription(filter_tag="a")
    stores.subscriptions.create(new)
    change = subscription.SubscriptionChange(filter_tag="", strategy=DECAY, dead_letter_queue="dead")
    changed = stores.subscriptions.change(new, change, NOW + 1)
    assert changed == make_subscription(strategy=DECAY, dead_letter_queue="dead").evolve(modified_at=NOW + 1)
    assert stores.subscriptions.get(HERE, "t1", "sub") == changed
    assert [stores.subscriptions.delete(HERE, "t1", "sub") for _ in range(2)] == [True, False]
    assert stores.subscriptions.change(new, change, NOW + 1) is None


def test_subscriptions_are_listed_by_name_and_purged_with_their_topic(stores):
    for name in ("b", "a", "c"):
        stores.subscriptions.create(make_subscription(name))
    stores.subscriptions.create(make_subscription("d").evolve(topic_id="t11"))
    page = stores.subscriptions.list(HERE, "t1", prefix="", after=None, limit=2)
    assert ([item.name for item in page.subscriptions], page.marker) == (["a", "b"], "b")
    assert [item.name for item in stores.subscriptions.all(HERE, "t1")] == ["a", "b", "c"]
    stores.subscriptions.purge(HERE, make_topic())
    assert stores.subscriptions.all(HERE, "t1") == ()
    assert [item.name for item in stores.subscriptions.all(HERE, "t11")] == ["d"]


FULL = publication.Draft(
    body="消息\r\n ",
    tag="a",
    group_id="g",
    user_properties=(message.Property(name="n", value="1", type=message.PropertyType.NUMBER),),
    system_properties=(message.Property(name="baggage", value="x", type=message.PropertyType.STRING),),
    attributes=publication.Attributes(
        mail=publication.MailAttributes(sender="a@example.test", subject="主题", is_html=True),
        sms=publication.SmsAttributes(
            numbers=("13800138000",), parameters=(("a", "b"),), each=(("13800138000", (("c", "d"),)),)
        ),
        push=publication.PushAttributes(target="DEVICE", values=("t1",), title="t"),
    ),
)


@pytest.mark.parametrize("draft", [FULL, publication.Draft(body="x"), publication.Draft(body="x" * 65_536)])
def test_a_publication_comes_back_verbatim_and_so_does_the_streams_record(stores, draft):
    new = make_publication(draft=draft, logged=True)
    stores.publications.put(new)
    key = ("t1", 1, new.message_id)
    assert stores.publications.get_all([key, ("t1", 0, new.message_id)]) == {key: new}
    assert [told for _, told in stores.publications.read_new(records(stores, "publications"))] == [new]
    [change] = publications.read_changes(records(stores, "publications"))
    assert (change.partition, change.delta) == ("t1#1", queue.Counts(active=1))


def test_the_stream_tells_of_what_a_fifo_topic_got_group_by_group_in_its_order(stores):
    made = [
        make_publication(
            message_id=f"{NOW:012X}{9 - number:020X}",  # the order is that of the writes, not of the ids
            draft=publication.Draft(body=f"{number}", group_id="ab"[number % 2]),
            ordered=True,
        )
        for number in range(4)
    ]
    for item in made:
        stores.publications.put(item)
    told = [key for _, key in stores.publications.read_new(records(stores, "publications"))]
    assert told == [("t1", 1, item.message_id) for item in made]
    assert stores.publications.get_all(told) == dict(zip(told, made, strict=True))
    changes = list(publications.read_changes(records(stores, "publications")))
    assert [change.delta for change in changes] == [queue.Counts(active=1)] * 4


def test_publishing_to_a_fifo_topic_is_two_round_trips(stores):
    new = make_publication(draft=publication.Draft(body="x" * 512, group_id="g"), ordered=True)
    stores.publications.put(new)
    assert_cost(stores, rounds=2, write_units=2, read_units=0)


def make_delivery(number=7, due_at=NOW + 1_000, **changes):
    to = publication.Notification(
        publication=make_publication(message_id=f"{NOW:012X}{number:020X}"), subscription=make_subscription()
    )
    return delivery.begin(to, due_at).evolve(**changes)


def failed(before, due_at):
    attempt = delivery.Attempt(started_at=NOW + len(before.attempts), status="500")
    return before.evolve(attempts=(*before.attempts, attempt), due_at=due_at, detail="no")


def test_a_delivery_is_made_once(stores):
    new = make_delivery()
    assert [stores.deliveries.put(new), stores.deliveries.put(failed(new, None))] == [True, False]
    assert stores.deliveries.newest("id-of-sub", limit=10) == [new]
    assert list(deliveries.read_new(records(stores, "deliveries"))) == [new]


def test_each_attempt_is_recorded_once_and_the_next_one_is_due(stores):
    new = make_delivery()
    stores.deliveries.put(new)
    once = failed(new, NOW + 2_000)
    twice = failed(once, NOW + 4_000)
    assert [stores.deliveries.record(new, once), stores.deliveries.record(new, once)] == [True, False]
    assert stores.deliveries.record(once, twice)
    assert stores.deliveries.newest("id-of-sub", limit=10) == [twice]
    assert [item.due_at for item in stores.deliveries.due(NOW + 4_000, limit=10).deliveries] == [NOW + 4_000]
    done = twice.evolve(state=delivery.State.DELIVERED, due_at=None)
    assert stores.deliveries.record(twice, done)
    assert stores.deliveries.due(NOW + 4_000, limit=10).deliveries == ()
    assert not stores.deliveries.record(done, failed(done, NOW))
    assert [deliveries.due_moment(each["dynamodb"]["NewImage"]) for each in records(stores, "deliveries")] == [
        NOW + 1_000,
        NOW + 2_000,
        NOW + 4_000,
        None,
    ]


def test_a_delivery_is_put_off_without_an_attempt(stores):
    new = make_delivery()
    stores.deliveries.put(new)
    assert stores.deliveries.record(new, new.evolve(due_at=NOW + 9_000))
    assert stores.deliveries.newest("id-of-sub", limit=10) == [new.evolve(due_at=NOW + 9_000)]


def test_what_is_finished_at_once_is_never_due_and_no_news(stores):
    done = make_delivery(due_at=None, state=delivery.State.DELIVERED)
    stores.deliveries.put(done)
    assert stores.deliveries.due(NOW + 99_000, limit=10).deliveries == ()
    assert list(deliveries.read_new(records(stores, "deliveries"))) == []


def test_what_is_due_comes_earliest_first_and_says_when_the_next_is(stores):
    for number in range(40):  # over all shards of the index
        stores.deliveries.put(make_delivery(number << 16, due_at=NOW + number * 100))
    due = stores.deliveries.due(NOW + 1_950, limit=100)
    assert [item.due_at - NOW for item in due.deliveries] == [number * 100 for number in range(20)]
    assert due.next_due == NOW + 2_000
    few = stores.deliveries.due(NOW + 1_950, limit=2)
    assert len(few.deliveries) >= 2
    assert few.next_due <= NOW + 1_950
    assert stores.deliveries.due(NOW - 1, limit=2).next_due == NOW


def test_what_is_in_hand_is_passed_over_however_much_it_is(stores):
    for number in range(30):
        stores.deliveries.put(make_delivery(number << 16, due_at=NOW + number))
    last = [make_delivery(number << 16, due_at=NOW + number) for number in range(28, 30)]
    keys = {("id-of-sub", make_delivery(number << 16).message_id) for number in range(28)}
    due = stores.deliveries.due(NOW + 100, limit=2, besides=frozenset(keys))
    assert (due.deliveries, due.next_due) == (tuple(last), None)


def test_there_is_an_end_to_passing_over_and_the_rest_is_said_to_be_due(stores, monkeypatch):
    monkeypatch.setattr(limits, "DUE_PAGES", 2)
    made = [make_delivery(number << 18, due_at=NOW) for number in range(9)]  # all in one shard of the index
    for item in made:
        stores.deliveries.put(item)
    keys = frozenset(("id-of-sub", item.message_id) for item in made[:8])
    stores.recorder.reset()
    due = stores.deliveries.due(NOW, limit=1, besides=keys)
    assert (due.deliveries, due.next_due) == ((), NOW)
    assert stores.recorder.rounds == 2 + 3


def test_a_delivery_and_its_publication_are_kept_until_their_end_was_noticed(stores):
    pending, what = make_delivery(), make_publication()
    stores.deliveries.put(pending)
    stores.publications.put(what)
    for table, expires_at in (("deliveries", pending.expires_at), ("publications", what.expires_at)):
        [record] = records(stores, table)
        assert int(record["dynamodb"]["NewImage"]["ttl"]["N"]) == expires_at // 1000 + 3_600


def test_the_counts_of_a_deleted_topic_are_kept_until_its_publications_are_gone(stores):
    stores.tallies.retire("t1#0", now=NOW)
    found = stores.engine.get_item(TableName=stores.prefix + "tallies", Key={"pk": {"S": "t1#0"}})["Item"]
    gone = make_publication().expires_at // 1000 + 3_600
    assert int(found["ttl"]["N"]) >= gone + limits.TTL_SLACK_SECONDS


def test_the_newest_deliveries_of_a_subscription_are_those_that_are_read(stores):
    for number in range(30):
        stores.deliveries.put(make_delivery(number))
    found = stores.deliveries.newest("id-of-sub", limit=3)
    assert {f"{NOW:012X}{number:020X}" for number in (27, 28, 29)} <= {item.message_id for item in found}
    assert len(found) <= 3 * 4
    assert stores.deliveries.newest("other", limit=3) == []


def test_a_message_is_put_once_whatever_became_of_its_first(stores):

    of, new = make_queue(), make_message("x" * 5_000)
    assert [stores.messages.put_once(of, new) for _ in range(2)] == [True, False]
    [held] = claim(stores, of)
    assert not stores.messages.put_once(of, new)
    assert stores.messages.delete([held.receipt(of)], now=NOW) == (None,)


def cost(stores):
    recorder = stores.recorder
    units = (recorder.write_units, recorder.read_units) if isinstance(stores.engine, EmbeddedEngine) else None
    return recorder.rounds, units


@pytest.mark.parametrize("subscribers", [0, 100])
def test_a_publication_is_one_round_trip_and_one_write_unit_whatever_the_number_of_subscriptions(stores, subscribers):
    for number in range(subscribers):
        stores.subscriptions.create(make_subscription(f"s{number}"))
    stores.recorder.reset()
    stores.publications.put(make_publication("x" * 512))
    assert cost(stores) in ((1, (1, 0)), (1, None))


def test_all_subscriptions_of_a_topic_are_one_round_trip(stores):
    for number in range(100):
        stores.subscriptions.create(make_subscription(f"s{number:03}"))
    stores.recorder.reset()
    assert len(stores.subscriptions.all(HERE, "t1")) == 100
    assert cost(stores)[0] == 1


def test_a_delivery_that_succeeds_at_once_is_two_round_trips_and_four_write_units(stores):
    new = make_delivery()
    stores.recorder.reset()
    stores.deliveries.put(new)
    stores.deliveries.record(new, failed(new, None).evolve(state=delivery.State.DELIVERED))
    assert cost(stores) in ((2, (4, 0)), (2, None))


def test_a_message_into_a_queue_is_one_round_trip(stores):

    of, new = make_queue(), make_message("x" * 512)
    stores.recorder.reset()
    stores.messages.put_once(of, new)
    assert cost(stores) in ((1, (2, 0)), (1, None))
