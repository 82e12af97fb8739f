"""FIFO queues and topics: groups, what is refused, and the order in which a topic fills a queue."""

import pytest

from chalicelib.model import delivery, endpoint, errors, message, publication, queue, resource, subscription, topic
from tests.broker.fakes import HERE, Process

FIFO = resource.Type.FIFO


def create(process, name="demo", **attributes):
    made, _ = process.queues.create(HERE, name, queue.QueueChange(**attributes), kind=FIFO)
    return made


def create_topic(process, name="news"):
    made, _ = process.topics.create(HERE, name, topic.TopicChange(), kind=FIFO)
    return made


def target(name="demo"):
    return endpoint.queue_arn(HERE, name)


def send(process, *bodies):
    """Send messages; the first character of a body is its group."""
    for body in bodies:
        process.send(body, group_id=body[0])


# Queues


def test_a_group_is_received_one_after_the_other_and_the_groups_side_by_side(process):
    create(process)
    send(process, "a1", "a2", "b1")
    [first] = process.receive()
    assert process.bodies() == ["b1"]
    process.messages.delete(HERE, "demo", first.receipt_handle)
    assert process.bodies() == ["a2"]


def test_a_batch_is_sent_in_its_order_and_each_entry_answered(process):
    create(process)
    entries = [message.Draft(body=f"a{number}", group_id="a") for number in range(3)]
    outcomes = process.messages.send_batch(HERE, "demo", [*entries, message.Draft(body="no group")])
    assert [type(outcome) for outcome in outcomes] == [message.Sent] * 3 + [errors.InvalidArgument]
    assert process.bodies() == ["a0", "a1", "a2"]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "The queue demo is a FIFO queue: a message should have a MessageGroupId."),
        (
            {"group_id": "g", "delay_seconds": 1},
            "The queue demo is a FIFO queue: the value of DelaySeconds should be 0.",
        ),
    ],
)
def test_a_message_that_cannot_be_kept_in_order_is_refused(process, fields, reason):
    create(process)
    with pytest.raises(errors.InvalidArgument) as refusal:
        process.send("x", **fields)
    assert refusal.value.message == reason
    assert process.receive() == ()


def test_a_delay_of_nothing_is_none_and_a_priority_is_kept_but_changes_no_order(process):
    create(process)
    process.send("first", group_id="g", delay_seconds=0, priority=16)
    process.send("second", group_id="g", priority=1)
    received = process.receive(16)
    assert [(item.message.body, item.message.priority) for item in received] == [("first", 16), ("second", 1)]


def test_a_fifo_queue_has_no_delay_and_can_get_none(process):
    with pytest.raises(errors.InvalidArgument):
        create(process, delay_seconds=1)
    create(process)
    with pytest.raises(errors.InvalidArgument):
        process.queues.set_attributes(HERE, "demo", queue.QueueChange(delay_seconds=1))
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(delay_seconds=0, visibility_timeout=5))


def test_an_ordinary_queue_takes_a_group_and_a_delay_as_ever(process):
    process.create()
    sent = process.send("x", group_id="g", delay_seconds=5)
    assert sent.receipt_handle is not None


def test_the_messages_of_a_group_are_in_one_shard_and_go_to_no_other(tables):
    process = Process(tables, shards=4)
    made = create(process)
    shards = {process.send("x", group_id="g").message.shard for _ in range(8)}
    assert len(shards) == 1
    tables.messages.full.add(made.partitions[shards.pop()])
    with pytest.raises(errors.TooManyRequests):
        process.send("x", group_id="g")
    [outcome] = process.messages.send_batch(HERE, "demo", [message.Draft(body="x", group_id="g")])
    assert isinstance(outcome, errors.TooManyRequests)
    assert len(process.receive(16)) == 8


def test_receipts_of_a_fifo_queue_are_longer_and_survive_a_change_of_visibility(process, clock):
    create(process)
    send(process, "a1", "a2")
    [held] = process.receive()
    assert len(held.receipt_handle) == 60
    postponed = process.messages.change_visibility(HERE, "demo", held.receipt_handle, 100)
    clock.advance(99)
    assert process.receive() == ()
    with pytest.raises(errors.MessageNotExist):
        process.messages.delete(HERE, "demo", held.receipt_handle)
    process.messages.delete(HERE, "demo", postponed.receipt_handle)
    assert process.bodies() == ["a2"]


def test_a_release_makes_a_group_free_whose_message_came_back(process, clock):
    made = create(process, visibility_timeout=5)
    send(process, "a1", "a2")
    process.receive()
    clock.advance(5)
    assert process.release.run(partitions=made.partitions) == []
    assert process.bodies(1) == ["a1"]


# Topics


def test_what_is_published_to_a_fifo_topic_has_a_group(process):
    create_topic(process)
    with pytest.raises(errors.InvalidArgument) as refusal:
        process.publish("x")
    assert refusal.value.message == "The topic news is a FIFO topic: a message should have a MessageGroupId."
    assert process.publish("x", group_id="g").ordered


def test_a_fifo_topic_goes_to_queues_only_and_a_fifo_queue_gets_from_fifo_topics_only(process):
    create_topic(process)
    create(process)
    process.create_topic("plain")
    with pytest.raises(errors.EndpointInvalid):
        process.subscribe("http", "http://example.test/")
    with pytest.raises(errors.EndpointInvalid):
        process.subscriptions.subscribe(HERE, "plain", "sub", subscription.SubscriptionAttributes(endpoint=target()))
    process.subscribe("fifo", target())
    process.create("ordinary")
    process.subscribe("ordinary", target("ordinary"))


def test_a_fifo_topic_fills_its_queues_in_order_however_often_the_stream_comes_again(process, tables):
    create_topic(process)
    create(process)
    process.create("ordinary")
    process.subscribe("fifo", target())
    process.subscribe("ordinary", target("ordinary"))
    made = [process.publish(f"{number}", group_id="ab"[number % 2]) for number in range(6)]
    for some in (made[:3], made[1:4], made[:], made):
        assert process.fan_out.run(some) == frozenset()
    received = process.receive(16)
    assert [item.message.body for item in received if item.message.group_id == "a"] == ["<0>", "<2>", "<4>"]
    assert [item.message.body for item in received if item.message.group_id == "b"] == ["<1>", "<3>", "<5>"]
    _, there, _ = process.messages.receive(HERE, "ordinary", 16)
    assert sorted(item.message.body for item in there) == [f"<{number}>" for number in range(6)]


def test_what_cannot_be_brought_holds_up_what_follows_in_its_group_only(process, tables):
    create_topic(process)
    of = create(process)
    process.subscribe("fifo", target())
    made = [process.publish(f"{number}", group_id="ab"[number % 2]) for number in range(4)]
    assert process.fan_out.run(made[:1]) == frozenset()
    put_once, refused = tables.messages.put_once, {"<2>"}

    def refuse(to, new):
        if new.body in refused:
            raise errors.TooManyRequests
        return put_once(to, new)

    tables.messages.put_once = refuse
    third = [process.publish("4", group_id="a")]
    assert process.fan_out.run([*made, *third]) == {made[2].message_id, third[0].message_id}
    refused.clear()
    assert process.fan_out.run([made[2], made[3], *third]) == frozenset()
    bodies = process.bodies()
    assert [body for body in bodies if body in ("<0>", "<2>", "<4>")] == ["<0>", "<2>", "<4>"]
    assert of.is_fifo


def test_what_an_ordered_message_cannot_reach_it_is_given_up_at_once_or_goes_to_the_dead_letters(process):
    create_topic(process)
    process.subscribe("lost", target("missing"))
    create(process, "dead")
    process.subscribe("kept", target("missing"), dead_letter_queue="dead")
    made = process.publish("x", group_id="g")
    for _ in range(2):
        assert process.fan_out.run([made]) == frozenset()
    assert {item.subscription_name: (item.state, item.due_at) for item in process.deliveries()} == {
        "lost": (delivery.State.FAILED, None),
        "kept": (delivery.State.DEAD, None),
    }
    create(process, "missing")
    assert process.fan_out.run([process.publish("y", group_id="g")]) == frozenset()
    _, [letter], _ = process.messages.receive(HERE, "dead", 16)
    assert (letter.message.body, letter.message.group_id) == ("x", "g")


def test_a_queue_that_became_a_fifo_queue_takes_nothing_from_an_ordinary_topic(process):
    process.create_topic()
    process.subscribe("queue", target())
    create(process)
    assert process.fan_out.run([process.publish("x", group_id="g")]) == frozenset()
    process.deliver.run(process.deliveries())
    assert [attempt.status for attempt in process.deliveries()[0].attempts] == ["400"]
    assert process.receive() == ()


def test_dead_letters_of_an_ordinary_subscription_have_no_place_in_a_fifo_queue_without_a_group(process):
    process.create_topic()
    create(process, "dead")
    made = process.subscribe("queue", target("missing"), dead_letter_queue="dead")
    ungrouped, grouped = process.publish("x"), process.publish("y", group_id="g")
    letters = process.fan_out._dead_letters
    outcomes = [
        letters.take(publication.Notification(publication=item, subscription=made)) for item in (ungrouped, grouped)
    ]
    assert outcomes == [False, True]
