"""Publish once, push to many: fan-out, attempts, retries, dead letters and the log."""

from itertools import accumulate

import pytest

from chalicelib.model import delivery, endpoint, errors, limits, message, queue, retry, subscription
from tests.broker.fakes import HERE, NOW, Process

DECAY = retry.Strategy.EXPONENTIAL_DECAY_RETRY


def queue_endpoint(name="demo"):
    return endpoint.queue_arn(HERE, name)


def bring(process, *published):
    """Fan out, then make the first attempts, as the streams would have it."""
    assert process.fan_out.run(published) == frozenset()
    process.deliver.run([item for item in process.deliveries() if not item.attempts])


def attempts(process, number=0):
    return [(attempt.started_at, attempt.status) for attempt in process.deliveries()[number].attempts]


@pytest.fixture
def news(process):
    return process.create_topic()


def test_a_publication_is_stored_as_it_was_published(process, news, tables):
    made = process.publish("hello", tag="a")
    assert list(tables.publications.stored) == [(news.topic_id, 0, made.message_id)]
    assert (made.published_at, made.expires_at, made.topic_name) == (NOW, NOW + 86_400_000, "news")


def test_a_publication_goes_to_another_shard_when_one_takes_no_more(tables):
    process = Process(tables, shards=3)
    made = process.create_topic()
    tables.publications.full |= {made.partitions[0], made.partitions[1]}
    assert process.publish().shard == 2
    tables.publications.full.add(made.partitions[2])
    with pytest.raises(errors.TooManyRequests):
        process.publish()


def test_what_is_larger_than_the_topic_takes_or_for_no_topic_is_refused(process):
    with pytest.raises(errors.TopicNotExist):
        process.publish()
    process.create_topic(maximum_message_size=1_024)
    with pytest.raises(errors.InvalidArgument):
        process.publish("x" * 1_025)


def test_a_publication_reaches_every_subscription_that_wants_it(process, news, clock):
    process.create("demo")
    process.subscribe("all", queue_endpoint())
    process.subscribe("some", "http://example.test/a", filter_tag="a")
    process.subscribe("others", "http://example.test/b", filter_tag="b")
    one = process.publish("one", tag="a")
    clock.advance(0.001)
    bring(process, one, process.publish("two"))
    assert process.bodies() == ["<one>", "<two>"]
    assert [(item.publication.draft.body, item.subscription.name) for item in process.channel.pushed] == [
        ("one", "some")
    ]
    assert [(item.state, item.due_at) for item in process.deliveries()] == [(delivery.State.DELIVERED, None)]


def test_a_publication_to_nobody_is_no_error(process, news):
    bring(process, process.publish())
    assert process.deliveries() == []


def test_a_fan_out_that_runs_twice_changes_nothing(process, news):
    process.create("demo")
    process.subscribe("queue", queue_endpoint())
    process.subscribe("http")
    made = process.publish()
    bring(process, made)
    [held] = process.receive()
    bring(process, made)
    assert process.receive() == ()
    assert len(process.channel.pushed) == 1
    process.messages.delete(HERE, "demo", held.receipt_handle)


def test_a_queue_keeps_order_and_gets_properties_group_defaults_and_an_id_of_its_own(process, news, clock):
    process.create("demo", message_retention_period=60)
    process.subscribe("queue", queue_endpoint())
    properties = (message.Property(name="city", value="hangzhou", type=message.PropertyType.STRING),)
    made = []
    for number in range(5):
        made.append(process.publish(f"{number}", user_properties=properties, group_id="g"))
        clock.advance(0.001)
    bring(process, *made)
    received = [item.message for item in process.receive(16)]
    assert [item.body for item in received] == [f"<{number}>" for number in range(5)]
    assert {item.message_id for item in received}.isdisjoint(item.message_id for item in made)
    assert [(item.priority, item.group_id, item.user_properties, item.expires_at) for item in received] == [
        (8, "g", properties, NOW + 60_005)
    ] * 5


def test_a_queue_with_a_delay_delays_what_is_pushed_to_it(process, news, clock):
    process.create("demo", delay_seconds=10)
    process.subscribe("queue", queue_endpoint())
    bring(process, process.publish())
    assert process.receive() == ()
    clock.advance(10)
    assert process.bodies() == ["<x>"]


def test_a_queue_that_is_not_there_yet_is_tried_again_until_it_is(process, news, clock):
    process.subscribe("queue", queue_endpoint())
    bring(process, process.publish())
    assert attempts(process) == [(NOW, "InvalidHost")]
    process.create("demo")
    clock.advance(10)
    process.redeliver.run()
    assert process.bodies() == ["<x>"]
    assert attempts(process) == [(NOW, "InvalidHost"), (NOW + 10_000, "200")]


def test_a_queue_that_has_become_too_small_takes_nothing(process, news):
    process.create("demo")
    process.subscribe("queue", queue_endpoint())
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(maximum_message_size=1_024))
    bring(process, process.publish("x" * 1_025))
    assert [status for _, status in attempts(process)] == ["400"]


def test_deliveries_to_queues_are_in_the_log_when_the_topic_logs(process):
    process.create_topic(logging_enabled=True)
    process.create("demo")
    process.subscribe("queue", queue_endpoint())
    bring(process, process.publish())
    [logged] = process.log.read(limit=10)
    assert (logged.state, logged.due_at, attempts(process)) == (delivery.State.DELIVERED, None, [(NOW, "200")])


def test_what_could_not_be_brought_comes_again(process, news, tables):
    process.create("demo")
    process.subscribe("a-queue", queue_endpoint())
    process.subscribe("http")
    made = process.publish()
    tables.deliveries.is_full = True
    assert process.fan_out.run([made]) == {made.message_id}
    tables.deliveries.is_full = False
    bring(process, made)
    assert process.bodies() == ["<x>"]
    assert len(process.channel.pushed) == 1


def test_a_first_attempt_that_nobody_makes_is_due_when_its_lease_is_over(process, news, clock):
    process.subscribe()
    process.fan_out.run([process.publish()])
    assert process.redeliver.run() == NOW + limits.DELIVERY_LEASE_SECONDS * 1000
    clock.advance(limits.DELIVERY_LEASE_SECONDS)
    assert process.redeliver.run() is None
    assert attempts(process) == [(NOW + limits.DELIVERY_LEASE_SECONDS * 1000, "204")]


def test_a_backoff_makes_four_attempts_and_gives_up(process, news):
    process.subscribe()
    process.ids.picked = 2_345
    process.channel.answers = ["500", "ConnectTimeout", "302", "404"]
    bring(process, process.publish())
    while process.redeliver.run(seconds=50) is not None:
        pass
    assert attempts(process) == [
        (NOW, "500"),
        (NOW + 12_345, "ConnectTimeout"),
        (NOW + 24_690, "302"),
        (NOW + 37_035, "404"),
    ]
    [given_up] = process.deliveries()
    assert (given_up.state, given_up.due_at, given_up.detail) == (delivery.State.FAILED, None, "was 404")


def test_a_decay_makes_177_attempts_at_the_documented_times_and_leaves_a_dead_letter(process, news, clock):
    process.create("dead", message_retention_period=604_800)
    process.subscribe("sub", strategy=DECAY, dead_letter_queue="dead")
    process.channel.answers = ["500"]
    made = process.publish(
        "lost", system_properties=(message.Property(name="baggage", value="b", type=message.PropertyType.STRING),)
    )
    bring(process, made)
    while (due := process.redeliver.run()) is not None:
        clock.moment = due
    intervals = [1, 2, 4, 8, 16, 32, 64, 128, 256] + [512] * 167
    moments = [NOW, *(NOW + seconds * 1000 for seconds in accumulate(intervals))]
    assert attempts(process) == [(moment, "500") for moment in moments]
    assert len(moments) == 177
    assert process.deliveries()[0].state is delivery.State.DEAD
    _, [dead], _ = process.messages.receive(HERE, "dead", 16)
    assert (dead.message.body, dead.message.expires_at) == ("lost", NOW + 604_800_000)
    assert {item.name: item.value for item in dead.message.system_properties} == {
        "baggage": "b",
        "DLQMessageType": "Topic",
        "DLQSourceArn": "acs:mns:cn-hangzhou:1234567890123456:/topics/news/subscriptions/sub",
        "DLQOriginMessageId": made.message_id,
    }


def test_slow_attempts_do_not_push_the_schedule_back(process, news, clock):
    process.subscribe(strategy=DECAY)
    process.channel.answers, process.channel.takes_seconds = ["ConnectTimeout"], 5
    bring(process, process.publish())
    while len(attempts(process)) < 7:
        clock.moment = max(clock.moment, process.deliveries()[0].due_at)
        process.redeliver.run()
    # the first intervals are shorter than an attempt, so the next one follows at once
    assert [moment - NOW for moment, _ in attempts(process)[:7]] == [0, 5_000, 10_000, 15_000, 23_000, 39_000, 71_000]


def test_nothing_is_attempted_when_the_topics_retention_is_over(process, news, clock):
    process.subscribe(strategy=DECAY)
    process.channel.answers = ["500"]
    bring(process, process.publish())
    clock.advance(86_400)
    process.redeliver.run()
    assert process.deliveries()[0].state is delivery.State.FAILED


def test_a_dead_letter_queue_that_is_not_there_takes_nothing(process, news):
    process.subscribe(dead_letter_queue="nowhere")
    process.channel.answers = ["500"]
    bring(process, process.publish())
    while process.redeliver.run(seconds=50) is not None:
        pass
    assert process.deliveries()[0].state is delivery.State.FAILED


def test_whatever_a_channel_raises_the_delivery_is_tried_again(process, news):
    process.subscribe()
    process.channel.answers = [RuntimeError("secret"), "204"]
    bring(process, process.publish())
    process.redeliver.run(seconds=50)
    assert [status for _, status in attempts(process)] == ["UnknownError", "204"]


def test_a_delivery_whose_subscription_or_message_is_gone_ends(process, news, tables, clock):
    process.subscribe()
    process.fan_out.run([process.publish("a")])
    process.subscriptions.unsubscribe(HERE, "news", "sub")
    process.subscribe()
    clock.advance(60)
    process.redeliver.run()
    process.fan_out.run([process.publish("b")])
    tables.publications.stored.clear()
    clock.advance(60)
    process.redeliver.run()
    assert [(item.state, item.detail) for item in process.deliveries()] == [
        (delivery.State.FAILED, "The subscription is no more."),
        (delivery.State.FAILED, "The message is no more."),
    ]
    assert process.channel.pushed == []


def test_a_change_of_strategy_holds_for_what_is_under_way(process, news, clock):
    process.subscribe()
    process.channel.answers = ["500"]
    bring(process, process.publish())
    process.subscriptions.set_attributes(HERE, "news", "sub", subscription.SubscriptionChange(strategy=DECAY))
    clock.advance(10)
    assert process.redeliver.run() == NOW + 12_000


def test_a_full_lane_puts_a_delivery_off_without_an_attempt(process, news, clock):
    process.subscribe()
    process.lanes.full.add("http://example.test:80")
    bring(process, process.publish())
    assert (attempts(process), process.deliveries()[0].due_at) == ([], NOW + 10_000)
    process.lanes.full.clear()
    clock.advance(10)
    process.redeliver.run()
    assert attempts(process) == [(NOW + 10_000, "204")]


def test_an_outcome_that_cannot_be_recorded_comes_again(process, news, tables, clock):
    process.subscribe()
    process.fan_out.run([process.publish()])
    tables.deliveries.is_full = True
    process.deliver.run(process.deliveries())
    tables.deliveries.is_full = False
    clock.advance(limits.DELIVERY_LEASE_SECONDS)
    process.redeliver.run()
    assert attempts(process) == [(NOW + limits.DELIVERY_LEASE_SECONDS * 1000, "204")]
    assert len(process.channel.pushed) == 2


def test_an_attempt_that_two_make_is_recorded_once(process, news):
    process.subscribe()
    process.fan_out.run([process.publish()])
    [pending] = process.deliveries()
    process.channel.answers = ["500"]
    process.deliver.run([pending])
    process.another().deliver.run([pending])
    assert attempts(process) == [(NOW, "500")]


def test_a_redelivery_ends_when_its_time_is_over_or_nothing_comes_due_in_it(process, news, clock):
    process.subscribe(strategy=DECAY)
    process.channel.answers = ["500"]
    bring(process, process.publish())
    assert process.redeliver.run(seconds=50) == NOW + 63_000
    assert [(moment - NOW) // 1000 for moment, _ in attempts(process)] == [0, 1, 3, 7, 15, 31]
    assert clock.moment < NOW + 50_000
    assert process.redeliver.run(seconds=5) == NOW + 63_000


def test_the_log_is_newest_first_and_may_be_narrowed_down(process, news, clock):
    for name in ("a", "b"):
        process.subscribe(name)
    process.create_topic("other")
    for body in ("1", "2"):
        bring(process, process.publish(body))
        clock.advance(1)
    everything = process.log.read(limit=10)
    assert [(item.published_at - NOW, item.subscription_name) for item in everything] in (
        [(1_000, "b"), (1_000, "a"), (0, "b"), (0, "a")],
        [(1_000, "a"), (1_000, "b"), (0, "a"), (0, "b")],
    )
    assert [item.subscription_name for item in process.log.read(subscription_name="a", limit=1)] == ["a"]
    assert process.log.read(topic_name="other", limit=10) == []


def test_what_could_not_be_started_and_all_behind_it_is_started_later(process, news, tables, clock, monkeypatch):
    for name in ("a", "b", "c"):
        process.subscribe(name)
    process.fan_out.run([process.publish()])
    with monkeypatch.context() as patched:
        patched.setattr(tables.subscriptions, "get", lambda *_: (_ for _ in ()).throw(errors.TooManyRequests()))
        with pytest.raises(errors.TooManyRequests):
            process.deliver.run(process.deliveries())
    process.deliver.run(process.deliveries())
    assert [len(item.attempts) for item in process.deliveries()] == [1, 1, 1]


def test_deliveries_that_wait_in_a_slow_lane_do_not_keep_others_from_their_turn(process, news, clock, monkeypatch):
    monkeypatch.setattr(limits, "DUE_PAGE", 2)
    process.subscribe("slow", "http://slow.test/")
    process.fan_out.run([process.publish() for _ in range(5)])
    process.lanes.slow.add("http://slow.test:80")
    process.deliver.run(process.deliveries())
    process.subscribe("good")
    process.fan_out.run([process.publish("late")])
    clock.advance(60)
    process.redeliver.run()
    assert [item.subscription.name for item in process.channel.pushed] == ["good"]


def test_a_delivery_whose_subscription_goes_while_it_waits_in_its_lane_ends(process, news):
    process.subscribe()
    process.lanes.slow.add("http://example.test:80")
    bring(process, process.publish())
    process.subscriptions.unsubscribe(HERE, "news", "sub")
    process.subscribe()
    process.lanes.go_on()
    assert [(item.state, item.detail) for item in process.deliveries()] == [
        (delivery.State.FAILED, "The subscription is no more.")
    ]
    assert process.channel.pushed == []


def test_a_delivery_follows_a_change_of_its_subscription_while_it_waits_in_its_lane(process, news, clock):
    process.subscribe()
    process.lanes.slow.add("http://example.test:80")
    process.channel.answers = ["500"]
    bring(process, process.publish())
    process.subscriptions.set_attributes(HERE, "news", "sub", subscription.SubscriptionChange(strategy=DECAY))
    process.lanes.go_on()
    assert process.deliveries()[0].due_at == NOW + 1_000


@pytest.mark.parametrize(("queue_name", "state"), [("", delivery.State.FAILED), ("dead", delivery.State.DEAD)])
def test_what_waits_in_its_lane_until_its_retention_is_over_is_not_attempted(process, news, clock, queue_name, state):
    process.create("dead", message_retention_period=604_800)
    process.subscribe(dead_letter_queue=queue_name)
    process.lanes.slow.add("http://example.test:80")
    bring(process, process.publish())
    clock.advance(86_400)
    process.lanes.go_on()
    [given_up] = process.deliveries()
    assert (given_up.state, given_up.due_at, given_up.attempts) == (state, None, ())
    assert process.channel.pushed == []


def test_a_queue_whose_address_names_no_region_in_particular_gets_its_messages(process, news):
    process.create("demo")
    process.subscribe("queue", f"acs:mns:localhost:{HERE.account_id}:queues/demo")
    bring(process, process.publish())
    assert process.bodies() == ["<x>"]
