"""Long polls: how long they wait, what ends them, and what they know of the moment to look again."""

import pytest

from chalicelib.model import errors, queue
from tests.broker.fakes import HERE, NOW, Process


def poll(process, *, limit=1, wait=None, since=None):
    return process.messages.poll(HERE, "demo", limit=limit, wait_seconds=wait, since=since)


@pytest.mark.parametrize(
    ("of_queue", "of_request", "effective"), [(0, None, 0), (10, None, 10), (10, 0, 0), (0, 30, 30), (30, 5, 5)]
)
def test_the_wait_of_the_request_wins_over_the_queues_even_when_it_is_0(process, of_queue, of_request, effective):
    process.create(polling_wait_seconds=of_queue)
    assert poll(process, wait=of_request).deadline == NOW + effective * 1000


@pytest.mark.parametrize(
    ("longest", "asked", "deadline"), [(25, 30, 25_000), (25, 10, 10_000), (0, 30, 0), (2.5, 30, 2500)]
)
def test_no_wait_is_longer_than_the_process_holds_a_poll(tables, longest, asked, deadline):
    process = Process(tables, longest_wait=longest)
    process.create()
    assert poll(process, wait=asked).deadline == NOW + deadline


def test_a_wait_counts_from_when_the_request_arrived(process, clock):
    process.create()
    clock.advance(3)
    assert poll(process, wait=10, since=NOW).deadline == NOW + 10_000


def test_a_wait_that_seems_to_begin_later_begins_now(process):
    process.create()
    assert poll(process, wait=10, since=NOW + 60_000).deadline == NOW + 10_000


def test_a_poll_needs_a_queue(process):
    with pytest.raises(errors.QueueNotExist):
        poll(process)


def test_a_look_that_finds_messages_ends_the_wait_with_as_many_as_there_are(process):
    process.create()
    process.send("a")
    process.send("b")
    assert [item.message.body for item in poll(process, limit=16, wait=30).look()] == ["a", "b"]


def test_a_look_that_finds_nothing_leaves_time_until_the_deadline(process, clock):
    process.create()
    asked = poll(process, wait=10)
    for _ in range(3):
        assert asked.look() == ()
        clock.advance(3)
    clock.advance(0.999)
    assert asked.look() == ()
    clock.advance(0.001)
    with pytest.raises(errors.MessageNotExist):
        asked.look()


def test_a_short_poll_that_finds_nothing_is_over_at_once(process):
    process.create()
    with pytest.raises(errors.MessageNotExist):
        poll(process, wait=0).look()


def test_a_message_found_at_the_deadline_is_received_all_the_same(process, clock):
    process.create()
    asked = poll(process, wait=10)
    process.send(delay_seconds=10)
    clock.advance(10)
    assert [item.message.body for item in asked.look()] == ["x"]


def test_a_message_sent_during_the_wait_is_received_by_the_next_look(process, clock):
    process.create()
    asked = poll(process, wait=10)
    assert asked.look() == ()
    clock.advance(1)
    process.another().send("sent elsewhere")
    assert [item.message.body for item in asked.look()] == ["sent elsewhere"]


def test_a_poll_knows_when_the_next_message_becomes_visible(process, clock):
    process.create(visibility_timeout=20)
    asked = poll(process, wait=30)
    assert (asked.look(), asked.next_due) == ((), None)
    process.send("delayed", delay_seconds=25)
    process.send("received")
    process.receive()
    assert (asked.look(), asked.next_due) == ((), NOW + 20_000)
    clock.advance(20)
    assert [item.message.body for item in asked.look()] == ["received"]
    assert asked.next_due == NOW + 25_000


def test_a_poll_knows_the_queue_it_looked_at(process):
    made = process.create()
    asked = poll(process, wait=10)
    assert asked.queue_id == ""
    asked.look()
    assert asked.queue_id == made.queue_id


def test_a_queue_deleted_while_polling_ends_the_wait(process):
    process.create()
    asked = poll(process, wait=30)
    assert asked.look() == ()
    process.queues.delete(HERE, "demo")
    with pytest.raises(errors.QueueNotExist):
        asked.look()


def test_a_queue_deleted_elsewhere_while_polling_ends_the_wait_within_five_seconds(process, clock):
    process.create()
    asked = poll(process, wait=30)
    process.another().queues.delete(HERE, "demo")
    clock.advance(5)
    with pytest.raises(errors.QueueNotExist):
        asked.look()


def test_a_poll_goes_on_with_a_namesake_that_takes_the_place_of_its_queue(process):
    process.create()
    asked = poll(process, wait=30)
    process.queues.delete(HERE, "demo")
    made = process.create()
    process.send("new")
    assert [item.message.body for item in asked.look()] == ["new"]
    assert asked.queue_id == made.queue_id


def test_a_changed_wait_of_the_queue_does_not_touch_a_poll_that_has_begun(process, clock):
    process.create(polling_wait_seconds=10)
    asked = poll(process)
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(polling_wait_seconds=0))
    clock.advance(9.999)
    assert asked.look() == ()


def test_messages_are_hidden_from_the_moment_they_are_received_not_from_the_beginning_of_the_wait(process, clock):
    process.create(visibility_timeout=30)
    asked = poll(process, wait=10)
    clock.advance(10)
    process.send()
    [item] = asked.look()
    assert item.message.visible_at == NOW + 40_000
