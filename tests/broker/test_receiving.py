"""Receiving and peeking: order, visibility, counts of receives, retention."""

import pytest

from chalicelib.model import errors, message, queue
from tests.broker.fakes import ELSEWHERE, HERE, NOW, Process


def peek(process, limit=16):
    return [item.body for item in process.messages.peek(HERE, "demo", limit=limit)]


def test_what_is_received_is_what_was_sent_with_the_marks_of_the_receive(process, clock):
    made = process.create(visibility_timeout=60)
    sent = process.send("hello", priority=3, group_id="g").message
    clock.advance(5)
    [received] = process.receive()
    assert received.message == sent.evolve(
        visible_at=NOW + 65_000, stamp=received.message.stamp, first_dequeued_at=NOW + 5000, dequeue_count=1
    )
    assert received.message.stamp != sent.stamp
    assert received.receipt_handle == received.message.receipt(made).encode()


def test_a_received_message_is_hidden_until_its_visibility_timeout_is_over_to_the_millisecond(process, clock):
    process.create(visibility_timeout=30)
    process.send()
    assert process.bodies() == ["x"]
    clock.advance(29.999)
    assert process.bodies() == []
    clock.advance(0.001)
    assert process.bodies() == ["x"]


def test_each_receive_counts_and_gives_a_new_handle_and_the_first_one_stays_the_first(process, clock):
    process.create(visibility_timeout=1)
    process.send()
    received = []
    for _ in range(3):
        received += process.receive()
        clock.advance(1)
    assert [item.message.dequeue_count for item in received] == [1, 2, 3]
    assert [item.message.first_dequeued_at for item in received] == [NOW] * 3
    assert len({item.receipt_handle for item in received}) == 3


def test_a_changed_visibility_timeout_counts_for_later_receives(process, clock):
    process.create(visibility_timeout=30)
    process.send("a")
    process.receive()
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(visibility_timeout=1))
    process.send("b")
    assert process.bodies() == ["b"]
    clock.advance(1)
    assert process.bodies() == ["b"]
    clock.advance(29)
    assert sorted(process.bodies()) == ["a", "b"]


def test_messages_come_by_priority_then_by_since_when_they_are_visible_then_as_they_were_sent(process, clock):
    process.create()
    process.send("low", priority=16)
    process.send("first")
    process.send("second")
    process.send("delayed", delay_seconds=1)
    process.send("urgent, delayed", priority=1, delay_seconds=2)
    clock.advance(1.5)
    process.send("later")
    clock.advance(0.5)
    assert process.bodies() == ["urgent, delayed", "first", "second", "delayed", "later", "low"]


def test_a_message_that_comes_back_stands_behind_those_that_are_visible_for_longer(process, clock):
    process.create(visibility_timeout=1)
    for body in "abc":
        process.send(body)
    assert process.bodies(1) == ["a"]
    clock.advance(1)
    assert process.bodies(1) == ["b"]
    assert process.bodies() == ["c", "a"]


def test_a_receive_takes_no_more_than_it_asks_for(process):
    process.create()
    for body in "abcde":
        process.send(body)
    assert [process.bodies(2), process.bodies(2), process.bodies(2), process.bodies(2)] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
        [],
    ]


def test_a_receive_reaches_every_shard(tables):
    process = Process(tables, shards=4)
    process.create()
    for shard in range(4):
        process.ids.picked = shard
        process.send(f"{shard}")
    assert sorted(process.bodies()) == ["0", "1", "2", "3"]


def test_messages_are_their_queues_and_their_accounts_own(process):
    process.create("demo")
    process.create("other")
    process.queues.create(ELSEWHERE, "demo", queue.QueueChange())
    process.send("mine")
    for namespace, name in ((HERE, "other"), (ELSEWHERE, "demo")):
        assert process.messages.receive(namespace, name, 16)[1] == ()
    assert process.bodies() == ["mine"]


@pytest.mark.parametrize(
    "prepare",
    [
        lambda process: process.send(),
        lambda process: process.send(delay_seconds=60),
        lambda process: (process.send(), process.receive()),
    ],
    ids=["active", "delayed", "inactive"],
)
def test_a_message_is_gone_when_its_retention_is_over_whatever_its_state(process, clock, prepare):
    process.create(message_retention_period=60, visibility_timeout=60)
    prepare(process)
    clock.advance(60)
    assert process.bodies() == []
    clock.advance(60)
    assert process.bodies() == []
    with pytest.raises(errors.MessageNotExist):
        peek(process)


def test_a_message_may_be_received_up_to_the_last_millisecond_of_its_retention(process, clock):
    process.create(message_retention_period=60)
    process.send()
    clock.advance(59.999)
    assert process.bodies() == ["x"]


def test_receiving_from_a_queue_that_is_not_there_is_an_error(process):
    with pytest.raises(errors.QueueNotExist):
        process.receive()


def test_a_peek_shows_the_active_messages_in_their_order_and_changes_nothing(process, clock, tables):
    process.create(visibility_timeout=30)
    process.send("active")
    process.send("urgent", priority=1)
    process.send("delayed", delay_seconds=5)
    process.send("inactive", priority=2)
    assert process.bodies(2) == ["urgent", "inactive"]
    process.send("urgent too", priority=1)
    before = list(tables.messages.changes)
    assert [peek(process), peek(process), peek(process, 1)] == [["urgent too", "active"]] * 2 + [["urgent too"]]
    assert tables.messages.changes == before
    clock.advance(5)
    assert peek(process) == ["urgent too", "active", "delayed"]


def test_a_peek_does_not_count_and_does_not_give_a_handle(process):
    process.create()
    sent = process.send().message
    assert process.messages.peek(HERE, "demo", limit=1) == (sent,)
    [received] = process.receive()
    assert received.message.dequeue_count == 1


def test_a_peek_after_a_receive_shows_its_marks(process, clock):
    process.create(visibility_timeout=1)
    sent = process.send().message
    clock.advance(2)
    [received] = process.receive()
    clock.advance(1)
    [peeked] = process.messages.peek(HERE, "demo", limit=1)
    assert peeked == received.message
    assert (peeked.enqueued_at, peeked.first_dequeued_at, peeked.dequeue_count) == (sent.enqueued_at, NOW + 2000, 1)


def test_a_peek_that_finds_nothing_is_an_error(process):
    process.create()
    process.send(delay_seconds=1)
    with pytest.raises(errors.MessageNotExist):
        peek(process)
    with pytest.raises(errors.QueueNotExist):
        process.messages.peek(HERE, "nope", limit=1)


def test_the_state_of_a_message_follows_its_life(process, clock):
    process.create(visibility_timeout=30)
    sent = process.send(delay_seconds=5).message
    states = [sent.state(clock.now())]
    clock.advance(5)
    states.append(sent.state(clock.now()))
    [received] = process.receive()
    states.append(received.message.state(clock.now()))
    clock.advance(30)
    states.append(received.message.state(clock.now()))
    assert states == [message.State.DELAYED, message.State.ACTIVE, message.State.INACTIVE, message.State.ACTIVE]
