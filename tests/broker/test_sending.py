"""Sending: what is stored and when it may be received, one by one and in batches, on one shard and on several."""

import pytest

from chalicelib.model import errors, message, queue
from tests.broker.fakes import HERE, NOW, Process


def drafts(*bodies, **fields):
    return [message.Draft(body=body, **fields) for body in bodies]


def send_batch(process, entries):
    return process.messages.send_batch(HERE, "demo", entries)


def outcome(item):
    """An entry's outcome in short: what is wrong with it, or the body that was stored."""
    return item.code if isinstance(item, errors.MnsError) else item.message.body


def test_a_message_sent_is_a_message_stored(process, tables):
    made = process.create()
    sent = process.send("hello", priority=3, group_id="g")
    assert sent == message.Sent(
        message=message.Message(
            message_id=f"{NOW:012X}{2:020X}",
            shard=0,
            body="hello",
            priority=3,
            enqueued_at=NOW,
            expires_at=NOW + 345_600_000,
            visible_at=NOW,
            stamp="000000000003",
            group_id="g",
        ),
        receipt_handle=None,
    )
    assert tables.messages.stored == {f"{made.queue_id}#0": {sent.message.message_id: sent.message}}


def test_sending_to_a_queue_that_is_not_there_stores_nothing(process, tables):
    with pytest.raises(errors.QueueNotExist):
        process.send()
    with pytest.raises(errors.QueueNotExist):
        send_batch(process, drafts("x"))
    assert tables.messages.changes == []


def test_a_delayed_message_comes_with_a_handle_for_its_sender(process):
    made = process.create()
    sent = process.send(delay_seconds=1)
    assert sent.receipt_handle == sent.message.receipt(made).encode()


@pytest.mark.parametrize(
    ("of_queue", "of_message", "handed"), [(0, None, False), (0, 5, True), (5, None, True), (5, 0, False)]
)
def test_the_handle_comes_exactly_when_the_effective_delay_is_not_zero(process, of_queue, of_message, handed):
    process.create(delay_seconds=of_queue)
    assert (process.send(delay_seconds=of_message).receipt_handle is not None) is handed


def test_the_longest_delay_is_seven_days_and_ends_to_the_millisecond(process, clock):
    process.create(message_retention_period=604_800)
    process.send("late", delay_seconds=604_799)
    clock.advance(604_798.999)
    assert process.bodies() == []
    clock.advance(0.001)
    assert process.bodies() == ["late"]


def test_a_change_of_the_queues_delay_touches_later_messages_only(process, clock):
    process.create()
    process.send("early", delay_seconds=10)
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(delay_seconds=5))
    process.send("later")
    clock.advance(5)
    assert process.bodies() == ["later"]
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(delay_seconds=0))
    clock.advance(5)
    assert process.bodies() == ["early"]


def test_retention_is_fixed_when_a_message_is_sent(process, clock):
    process.create(message_retention_period=60, visibility_timeout=1)
    process.send("short")
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(message_retention_period=120))
    process.send("long")
    clock.advance(59.999)
    assert process.bodies() == ["short", "long"]
    clock.advance(1)
    assert process.bodies() == ["long"]
    clock.advance(60)
    assert process.bodies() == []


def test_a_message_larger_than_the_queue_takes_is_refused(process, tables):
    process.create(maximum_message_size=1024)
    process.send("x" * 1024)
    with pytest.raises(errors.InvalidArgument) as raised:
        process.send("é" * 513)
    assert raised.value.message == "The message has 1026 bytes, but the queue takes 1024 at most."
    assert len(tables.messages.changes) == 1


def test_a_smaller_maximum_counts_at_once_in_the_process_that_set_it(process):
    process.create()
    process.queues.set_attributes(HERE, "demo", queue.QueueChange(maximum_message_size=1024))
    with pytest.raises(errors.InvalidArgument):
        process.send("x" * 1025)


def test_a_batch_is_stored_and_answered_in_its_order(process):
    process.create()
    outcomes = send_batch(process, drafts("a", "b", "c"))
    assert [outcome(item) for item in outcomes] == ["a", "b", "c"]
    assert process.bodies() == ["a", "b", "c"]


def test_the_messages_of_a_batch_have_ids_and_stamps_of_their_own(process):
    process.create()
    stored = [item.message for item in send_batch(process, drafts(*"abcdefgh"))]
    assert len({item.message_id for item in stored}) == len({item.stamp for item in stored}) == 8
    assert [item.message_id for item in stored] == sorted(item.message_id for item in stored)


def test_the_delayed_messages_of_a_batch_come_with_handles(process):
    process.create()
    outcomes = send_batch(process, [*drafts("now"), *drafts("later", delay_seconds=1)])
    assert [item.receipt_handle is None for item in outcomes] == [True, False]


def test_entries_fail_one_by_one_and_the_others_are_stored(process):
    process.create(maximum_message_size=1024)
    bad = errors.InvalidArgument("The value of Priority should between 1 and 16.")
    outcomes = send_batch(process, [*drafts("a"), bad, *drafts("x" * 1025, "b")])
    assert [outcome(item) for item in outcomes] == ["a", "InvalidArgument", "InvalidArgument", "b"]
    assert outcomes[1] is bad
    assert outcomes[2].message == "The message has 1025 bytes, but the queue takes 1024 at most."
    assert process.bodies() == ["a", "b"]


def test_a_batch_in_which_every_entry_is_bad_stores_nothing(process, tables):
    process.create()
    assert [outcome(item) for item in send_batch(process, [errors.InvalidArgument()] * 2)] == ["InvalidArgument"] * 2
    assert tables.messages.changes == []


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([], "The number of Message should between 1 and 16."),
        (drafts(*["x"] * 17), "The number of Message should between 1 and 16."),
        (drafts("x" * 65_535, "yy"), "The messages of the batch have 65537 bytes together, but 65536 is the most."),
        (
            [*drafts("x"), *[errors.InvalidArgument()] * 16],
            "The number of Message should between 1 and 16.",
        ),
    ],
    ids=["empty", "17", "bytes", "bad entries count"],
)
def test_a_batch_that_is_too_large_as_a_whole_stores_nothing(process, tables, entries, sentence):
    process.create()
    with pytest.raises(errors.InvalidArgument) as raised:
        send_batch(process, entries)
    assert raised.value.message == sentence
    assert tables.messages.changes == []


def test_a_batch_may_have_sixteen_messages_and_65536_bytes(process):
    process.create()
    assert len(send_batch(process, drafts(*["x" * 4096] * 16))) == 16
    assert process.bodies() == ["x" * 4096] * 16


def test_what_a_batch_could_not_store_is_told_entry_by_entry(process, tables):
    made = process.create()

    class Narrow(type(tables.messages)):
        """Takes every other message of a batch."""

        def put_all(self, of, new):
            super().put_all(of, new[::2])
            return frozenset(item.message_id for item in new[1::2])

    tables.messages = Narrow(stamps=process.ids)
    narrow = process.another()
    outcomes = send_batch(narrow, drafts("a", "b", "c", "d"))
    assert [outcome(item) for item in outcomes] == ["a", "TooManyRequests", "c", "TooManyRequests"]
    assert narrow.bodies() == ["a", "c"]
    assert made == narrow.queues.find(HERE, "demo")


def test_a_send_goes_to_the_shard_that_was_picked(tables):
    process = Process(tables, shards=3)
    process.create()
    process.ids.picked = 2
    assert process.send().message.shard == 2


@pytest.mark.parametrize(
    ("picked", "full", "stored_in"), [(0, [0], 1), (2, [2], 0), (1, [1, 2], 0), (2, [2, 0], 1), (1, [], 1)]
)
def test_a_send_goes_round_to_another_shard_when_one_takes_no_more(tables, picked, full, stored_in):
    process = Process(tables, shards=3)
    made = process.create()
    process.ids.picked = picked
    tables.messages.full = {made.partitions[shard] for shard in full}
    sent = process.send("x", delay_seconds=1)
    assert sent.message.shard == stored_in
    assert tables.messages.stored[made.partitions[stored_in]] == {sent.message.message_id: sent.message}
    process.messages.delete(HERE, "demo", sent.receipt_handle)


def test_a_send_fails_only_when_no_shard_takes_more(tables):
    process = Process(tables, shards=3)
    made = process.create()
    tables.messages.full = set(made.partitions)
    with pytest.raises(errors.TooManyRequests):
        process.send()
    assert tables.messages.changes == []


def test_a_batch_goes_round_to_another_shard_as_a_single_message_does(tables):
    process = Process(tables, shards=3)
    made = process.create()
    tables.messages.full = {made.partitions[0]}
    assert [outcome(item) for item in send_batch(process, drafts("a", "b"))] == ["a", "b"]
