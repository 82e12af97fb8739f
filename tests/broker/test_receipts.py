"""Receipts: one is valid per message, until the next visible time, for deleting and for changing visibility."""

import pytest

from chalicelib.model import errors, message, queue
from tests.broker.fakes import HERE, NOW


def delete(process, handle):
    process.messages.delete(HERE, "demo", handle)


def postpone(process, handle, seconds=60):
    return process.messages.change_visibility(HERE, "demo", handle, seconds)


def use_by_deleting(process, handle):
    delete(process, handle)


def use_by_postponing(process, handle):
    postpone(process, handle)


each_use = pytest.mark.parametrize("use", [use_by_deleting, use_by_postponing], ids=["delete", "change visibility"])


def received(process):
    """A queue, and the handle of a message that was just received from it; its visibility time-out is 30 s."""
    process.create(visibility_timeout=30)
    process.send()
    [item] = process.receive()
    return item.receipt_handle


def test_a_deleted_message_never_comes_back(process, clock):
    delete(process, received(process))
    clock.advance(43_200)
    assert process.bodies() == []


def test_a_change_of_visibility_counts_from_now_and_answers_the_new_time_and_a_new_handle(process, clock):
    handle = received(process)
    clock.advance(10)
    postponed = postpone(process, handle, 60)
    assert postponed == message.Postponed(receipt_handle=postponed.receipt_handle, next_visible_at=NOW + 70_000)
    assert postponed.receipt_handle != handle
    clock.advance(59.999)
    assert process.bodies() == []
    clock.advance(0.001)
    assert process.bodies() == ["x"]


def test_visibility_may_be_shortened_too(process, clock):
    postpone(process, received(process), 1)
    clock.advance(1)
    assert process.bodies() == ["x"]


def test_a_change_of_visibility_is_no_receive(process, clock):
    postpone(process, received(process), 1)
    clock.advance(1)
    [again] = process.receive()
    assert (again.message.dequeue_count, again.message.first_dequeued_at) == (2, NOW)


def test_the_new_handle_is_as_good_as_the_old_one_was(process, clock):
    first = postpone(process, received(process), 60)
    clock.advance(59)
    second = postpone(process, first.receipt_handle, 60)
    clock.advance(59)
    delete(process, second.receipt_handle)
    clock.advance(60)
    assert process.bodies() == []


@each_use
def test_a_change_of_visibility_ends_the_old_handle(process, use):
    handle = received(process)
    postpone(process, handle)
    with pytest.raises(errors.MessageNotExist):
        use(process, handle)


@each_use
def test_a_handle_is_valid_until_the_next_visible_time_and_not_at_it(process, clock, use):
    handle = received(process)
    clock.advance(29.999)
    use(process, handle)


@each_use
@pytest.mark.parametrize("late", [30, 30.001, 3600])
def test_late_use_of_a_handle_finds_no_message_even_if_nobody_received_it_since(process, clock, use, late):
    handle = received(process)
    clock.advance(late)
    with pytest.raises(errors.MessageNotExist):
        use(process, handle)
    assert process.bodies() == ["x"]


@each_use
def test_a_new_receive_ends_the_handle_of_the_former_one(process, clock, use):
    old = received(process)
    clock.advance(30)
    [again] = process.receive()
    with pytest.raises(errors.MessageNotExist):
        use(process, old)
    use(process, again.receipt_handle)


@each_use
def test_a_handle_of_a_deleted_message_finds_no_message(process, use):
    handle = received(process)
    delete(process, handle)
    with pytest.raises(errors.MessageNotExist):
        use(process, handle)


@each_use
def test_a_handle_ends_with_the_retention_of_its_message(process, clock, use):
    process.create(message_retention_period=60, visibility_timeout=120)
    process.send()
    [item] = process.receive()
    clock.advance(60)
    with pytest.raises(errors.MessageNotExist):
        use(process, item.receipt_handle)


@each_use
@pytest.mark.parametrize("handle", ["", "x", "8-0zxjHBaWtzPz8zphz0z6OGz5yWWidU1fJM", "A" * 40, "é" * 40])
def test_what_is_no_handle_is_an_error_of_its_own(process, use, handle):
    process.create()
    with pytest.raises(errors.ReceiptHandleError):
        use(process, handle)


@each_use
def test_a_handle_of_another_queue_is_an_error_of_its_own_and_does_no_harm(process, use):
    process.create("other")
    process.messages.send(HERE, "other", message.Draft(body="x"))
    _, [item], _ = process.messages.receive(HERE, "other", 1)
    process.create("demo")
    with pytest.raises(errors.ReceiptHandleError):
        use(process, item.receipt_handle)
    process.messages.delete(HERE, "other", item.receipt_handle)


@each_use
def test_a_handle_of_a_deleted_namesake_is_one_of_another_queue(process, use):
    handle = received(process)
    process.queues.delete(HERE, "demo")
    process.create()
    with pytest.raises(errors.ReceiptHandleError):
        use(process, handle)


@each_use
def test_without_the_queue_no_handle_counts(process, use):
    with pytest.raises(errors.QueueNotExist):
        use(process, "x")


def test_the_handle_of_a_delayed_send_deletes_the_message_before_anybody_sees_it(process, clock):
    process.create()
    delete(process, process.send(delay_seconds=60).receipt_handle)
    clock.advance(60)
    assert process.bodies() == []


def test_the_handle_of_a_delayed_send_moves_the_moment_when_the_message_becomes_visible(process, clock):
    process.create()
    postponed = postpone(process, process.send(delay_seconds=60).receipt_handle, 5)
    assert postponed.next_visible_at == NOW + 5000
    clock.advance(4.999)
    assert process.bodies() == []
    clock.advance(0.001)
    assert process.bodies() == ["x"]


def test_a_delayed_message_that_was_moved_is_still_a_delayed_one_that_nobody_received(process, clock):
    process.create()
    postpone(process, process.send(delay_seconds=60).receipt_handle, 5)
    clock.advance(5)
    [item] = process.receive()
    assert item.message.dequeue_count == 1


@each_use
def test_the_handle_of_a_delayed_send_ends_when_the_message_becomes_visible(process, clock, use):
    process.create()
    handle = process.send(delay_seconds=60).receipt_handle
    clock.advance(60)
    with pytest.raises(errors.MessageNotExist):
        use(process, handle)
    assert process.bodies() == ["x"]


@pytest.mark.parametrize("seconds", [1, 43_200])
def test_visibility_may_be_1_to_43200_seconds(process, seconds):
    assert postpone(process, received(process), seconds).next_visible_at == NOW + seconds * 1000


@pytest.mark.parametrize("seconds", [0, -1, 43_201])
def test_any_other_visibility_is_refused_and_changes_nothing(process, clock, seconds):
    handle = received(process)
    with pytest.raises(errors.InvalidArgument) as raised:
        postpone(process, handle, seconds)
    assert raised.value.message == "The value of VisibilityTimeout should between 1 and 43200."
    clock.advance(29)
    delete(process, handle)


def test_a_batch_of_handles_is_deleted_and_answers_nothing(process, clock):
    process.create()
    for body in "abc":
        process.send(body)
    handles = [item.receipt_handle for item in process.receive(3)]
    assert process.messages.delete_batch(HERE, "demo", handles) == []
    clock.advance(30)
    assert process.bodies() == []


def test_a_batch_answers_the_handles_that_failed_in_their_order_each_with_its_reason(process, clock):
    process.create(visibility_timeout=30)
    for body in "abcd":
        process.send(body)
    handles = [item.receipt_handle for item in process.receive(4)]
    delete(process, handles[1])
    failures = process.messages.delete_batch(HERE, "demo", ["garbage", handles[0], handles[1], handles[2], ""])
    assert [(handle, error.code) for handle, error in failures] == [
        ("garbage", "ReceiptHandleError"),
        (handles[1], "MessageNotExist"),
        ("", "ReceiptHandleError"),
    ]
    clock.advance(30)
    assert process.bodies() == ["d"]


@pytest.mark.parametrize("count", [0, 17])
def test_a_batch_has_1_to_16_handles(process, count):
    process.create()
    with pytest.raises(errors.InvalidArgument) as raised:
        process.messages.delete_batch(HERE, "demo", ["x"] * count)
    assert raised.value.message == "The number of ReceiptHandle should between 1 and 16."


def test_a_batch_for_a_queue_that_is_not_there_fails_as_a_whole(process):
    with pytest.raises(errors.QueueNotExist):
        process.messages.delete_batch(HERE, "demo", ["x"])


def test_handles_keep_their_worth_when_the_queues_attributes_change(process, clock):
    handle = received(process)
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(visibility_timeout=1))
    clock.advance(29)
    delete(process, handle)
