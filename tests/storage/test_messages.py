"""The contract of the messages table: whatever the engine, a message lives as `ports.Messages` says."""

import itertools
import threading

import pytest

from chalicelib.model import message, queue, receipt
from chalicelib.storage import items, messages
from infra.local.store import messages as local_messages
from tests.conftest import NOW, Stores

IDS = (f"{NOW:012X}{number:020X}" for number in itertools.count())


def make_queue(shards: int = 1) -> queue.Queue:
    return queue.Queue(
        name="demo",
        queue_id=f"q{next(IDS)[-12:]}",
        shards=shards,
        attributes=queue.QueueAttributes(),
        created_at=NOW,
        modified_at=NOW,
    )


def make_message(body: str = "hello", **changes: object) -> message.Message:
    return message.Message(
        message_id=next(IDS),
        shard=0,
        body=body,
        priority=8,
        enqueued_at=NOW,
        expires_at=NOW + 3_600_000,
        visible_at=NOW,
        stamp="00000000000a",
    ).evolve(**changes)


def rows(stores: Stores, of: queue.Queue) -> list[dict[str, dict[str, str]]]:
    """All that is kept of the queue, its groups and messages."""
    found: list[dict] = []
    if isinstance(stores.messages, local_messages.Messages):
        for table in ("queue_messages", "queue_groups"):
            cursor = stores.messages.rows.db.execute(f"SELECT * FROM {table} WHERE queue = ?", (of.queue_id,))  # noqa: S608
            found += [dict(zip([column[0] for column in cursor.description], row, strict=True)) for row in cursor]
        return found
    for partition in of.partitions:
        found += stores.engine.query(
            TableName=stores.prefix + "messages",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
        )["Items"]
    return found


def claim(
    stores: Stores, of: queue.Queue, *, now: int = NOW, limit: int = 1, seconds: int = 30
) -> tuple[message.Message, ...]:
    return stores.messages.claim(of, limit=limit, now=now, visible_at=now + seconds * 1000).messages


@pytest.fixture
def stores(kept):
    """Each way to keep messages."""
    return kept


def test_a_message_that_was_put_is_claimed_with_everything_it_came_with(stores):
    of = make_queue()
    new = make_message(
        group_id="customer-42",
        user_properties=(message.Property(name="city", value="杭州", type=message.PropertyType.STRING),),
        system_properties=(message.Property(name="baggage", value="x", type=message.PropertyType.STRING),),
    )
    stores.messages.put(of, new)
    [claimed] = claim(stores, of, now=NOW + 5)
    assert claimed == new.evolve(
        visible_at=NOW + 30_005, stamp=claimed.stamp, first_dequeued_at=NOW + 5, dequeue_count=1
    )
    assert claimed.stamp != new.stamp


@pytest.mark.parametrize("length", [1, 700, 1_000, 5_000, 65_536])
def test_a_body_of_any_size_comes_back_verbatim(stores, length):
    of = make_queue()
    body = (" é\n\t<&>'\"" * length)[:length]
    stores.messages.put(of, make_message(body))
    assert [item.body for item in claim(stores, of)] == [body]


def test_what_stays_with_the_state_fits_one_write_unit_even_when_it_is_claimed(in_tables):
    of = make_queue(shards=64).evolve(queue_id=next(IDS)[-16:])
    whole = make_message("x" * 600, shard=63, priority=16, group_id="g" * 110)
    larger = make_message("x" * 601, shard=63, priority=16, group_id="g" * 110)
    for new in (whole, larger):
        in_tables.messages.put(of, new)
    table, key = in_tables.prefix + "messages", {"pk": {"S": of.partitions[63]}, "sk": {"S": whole.message_id}}
    stored = in_tables.engine.get_item(TableName=table, Key=key)["Item"]
    assert items.size(stored) == messages._STATE_BYTES + len("body") + 600 + len("group_id") + 110
    assert [item.body for item in claim(in_tables, of, limit=2)] == [whole.body, larger.body]
    claimed = in_tables.engine.get_item(TableName=table, Key=key)["Item"]
    assert claimed["body"] == {"S": whole.body}
    assert items.size(claimed) <= 1024
    other = in_tables.engine.get_item(TableName=table, Key=key | {"sk": {"S": larger.message_id}})["Item"]
    assert "body" not in other


def test_a_body_that_does_not_fit_the_state_stands_apart_and_outlives_it(in_tables):
    of = make_queue()
    large = make_message("x" * 5_000)
    in_tables.messages.put(of, large)
    table = in_tables.prefix + "bodies"
    body = in_tables.engine.get_item(TableName=table, Key={"pk": {"S": large.message_id}})["Item"]
    state = in_tables.engine.get_item(
        TableName=in_tables.prefix + "messages",
        Key={"pk": {"S": of.partitions[0]}, "sk": {"S": large.message_id}},
    )["Item"]
    assert "body" not in state
    assert int(body["ttl"]["N"]) == int(state["ttl"]["N"]) + 86_400


def test_a_batch_is_stored_whole_and_claimed_in_its_order(stores):
    of = make_queue()
    batch = [make_message(f"{number}" * size) for number, size in enumerate([1, 3_000] * 8)]
    assert stores.messages.put_all(of, batch) == frozenset()
    assert [item.body for item in claim(stores, of, limit=16)] == [item.body for item in batch]


def test_priority_comes_first_then_the_time_since_when_it_is_visible_then_the_sequence(stores):
    of = make_queue()
    late = make_message("late", priority=1, visible_at=NOW + 10, enqueued_at=NOW + 10)
    urgent = make_message("urgent", priority=1)
    first = make_message("first")
    second = make_message("second")
    low = make_message("low", priority=16)
    for item in (low, second, late, first, urgent):
        stores.messages.put(of, item)
    assert [item.body for item in claim(stores, of, now=NOW + 20, limit=16)] == [
        "urgent",
        "late",
        "first",
        "second",
        "low",
    ]


def test_a_claimed_message_is_hidden_to_the_millisecond_and_then_claimed_again(stores):
    of = make_queue()
    stores.messages.put(of, make_message())
    [first] = claim(stores, of, seconds=2)
    assert claim(stores, of, now=NOW + 1_999) == ()
    [second] = claim(stores, of, now=NOW + 2_000)
    assert (second.dequeue_count, second.first_dequeued_at) == (2, NOW)
    assert second.stamp != first.stamp


def test_a_delayed_message_is_claimed_from_its_moment_on(stores):
    of = make_queue()
    stores.messages.put(of, make_message(visible_at=NOW + 604_800_000, expires_at=NOW + 2 * 604_800_000))
    assert claim(stores, of, now=NOW + 604_799_999) == ()
    assert len(claim(stores, of, now=NOW + 604_800_000)) == 1


def test_a_claim_that_finds_nothing_says_when_something_will_be_there(stores):
    of = make_queue()
    stores.messages.put(of, make_message(visible_at=NOW + 7_000))
    stores.messages.put(of, make_message(visible_at=NOW + 3_000))
    answer = stores.messages.claim(of, limit=1, now=NOW, visible_at=NOW + 30_000)
    assert (answer.messages, answer.next_due) == ((), NOW + 3_000)


def test_a_message_whose_retention_is_over_is_never_claimed_nor_peeked_and_is_swept_on_the_way(stores):
    of = make_queue()
    stores.messages.put(of, make_message("old", expires_at=NOW + 1_000, priority=1))
    stores.messages.put(of, make_message("hidden", expires_at=NOW + 1_000, visible_at=NOW + 500))
    stores.messages.put(of, make_message("fresh"))
    assert [item.body for item in stores.messages.peek(of, limit=16, now=NOW + 1_000)] == ["fresh"]
    assert [item.body for item in claim(stores, of, now=NOW + 1_000, limit=16)] == ["fresh"]
    assert len(rows(stores, of)) == 1


def test_one_expired_message_at_the_head_does_not_hide_the_next_one_from_a_single_claim(stores):
    of = make_queue()
    stores.messages.put(of, make_message("old", expires_at=NOW + 1_000))
    stores.messages.put(of, make_message("fresh"))
    assert [item.body for item in claim(stores, of, now=NOW + 1_000)] == ["fresh"]


def test_a_peek_changes_nothing(stores):
    of = make_queue()
    batch = [make_message(f"{number}" * 2_000) for number in range(3)]
    stores.messages.put_all(of, batch)
    assert stores.messages.peek(of, limit=2, now=NOW) == tuple(batch[:2])
    assert stores.messages.peek(of, limit=16, now=NOW) == tuple(batch)


def test_a_message_is_deleted_with_the_receipt_of_its_newest_claim_only(stores):
    of = make_queue()
    stores.messages.put(of, make_message())
    [first] = claim(stores, of, seconds=1)
    [second] = claim(stores, of, now=NOW + 1_000)
    outcomes = stores.messages.delete([first.receipt(of), second.receipt(of), second.receipt(of)], now=NOW + 1_001)
    assert [outcome and outcome.code for outcome in outcomes] == ["MessageNotExist", None, "MessageNotExist"]


def test_a_receipt_counts_until_the_next_visible_time_and_not_a_millisecond_longer(stores):
    of = make_queue()
    stores.messages.put_all(of, [make_message("a"), make_message("b")])
    early, late = claim(stores, of, limit=2, seconds=1)
    [outcome] = stores.messages.delete([early.receipt(of)], now=NOW + 999)
    assert outcome is None
    [outcome] = stores.messages.delete([late.receipt(of)], now=NOW + 1_000)
    assert outcome is not None
    assert outcome.code == "MessageNotExist"


def test_a_receipt_dies_with_a_release_even_where_clocks_differ(stores):
    of = make_queue()
    stores.messages.put(of, make_message())
    [held] = claim(stores, of, seconds=1)
    stores.messages.release(of, of.partitions[0], now=NOW + 1_000, limit=10)
    assert not stores.messages.postpone(held.receipt(of), now=NOW + 500, visible_at=NOW + 9_000, stamp="00000000000b")
    [outcome] = stores.messages.delete([held.receipt(of)], now=NOW + 500)
    assert outcome is not None
    assert len(claim(stores, of, now=NOW + 1_000)) == 1


def test_a_postponed_message_waits_from_now_on_under_a_new_stamp(stores):
    of = make_queue()
    stores.messages.put(of, make_message())
    [held] = claim(stores, of, seconds=1)
    assert stores.messages.postpone(held.receipt(of), now=NOW + 500, visible_at=NOW + 9_000, stamp="00000000000b")
    assert not stores.messages.postpone(held.receipt(of), now=NOW + 600, visible_at=NOW + 9_000, stamp="00000000000c")
    assert claim(stores, of, now=NOW + 8_999) == ()
    renewed = receipt.Receipt(
        queue_id=of.queue_id, shard=0, priority=8, message_id=held.message_id, stamp="00000000000b"
    )
    assert stores.messages.delete([renewed], now=NOW + 8_999) == (None,)


def test_the_sender_of_a_delayed_message_may_postpone_and_delete_it(stores):
    of = make_queue()
    delayed = make_message(visible_at=NOW + 5_000)
    stores.messages.put(of, delayed)
    assert stores.messages.postpone(delayed.receipt(of), now=NOW, visible_at=NOW + 60_000, stamp="00000000000b")
    assert claim(stores, of, now=NOW + 59_999) == ()
    renewed = delayed.evolve(stamp="00000000000b").receipt(of)
    assert stores.messages.delete([renewed], now=NOW + 59_999) == (None,)
    assert claim(stores, of, now=NOW + 60_000) == ()


def test_a_release_makes_what_is_due_active_and_says_when_the_next_is(stores):
    of = make_queue()
    moments = [NOW + 1_000, NOW + 2_000, NOW + 3_000]
    stores.messages.put_all(of, [make_message(f"{moment}", visible_at=moment) for moment in moments])
    partition = of.partitions[0]
    first = stores.messages.release(of, partition, now=NOW + 2_000, limit=1)
    assert (first.count, first.next_due) == (1, NOW + 2_000)
    second = stores.messages.release(of, partition, now=NOW + 2_000, limit=10)
    assert (second.count, second.next_due) == (1, NOW + 3_000)
    assert stores.messages.release(of, partition, now=NOW + 9_000, limit=10).next_due is None
    assert [item.body for item in stores.messages.peek(of, limit=16, now=NOW + 9_000)] == [str(m) for m in moments]


def test_shards_hold_their_own_messages_and_a_claim_goes_through_all_of_them(stores):
    of = make_queue(shards=3)
    stores.messages.put_all(of, [make_message(f"{shard}", shard=shard) for shard in range(3)])
    assert sorted(item.body for item in claim(stores, of, limit=16)) == ["0", "1", "2"]


def test_a_purge_deletes_whatever_the_state_until_there_is_nothing(stores):
    of = make_queue()
    stores.messages.put_all(of, [make_message(f"{number}") for number in range(130)])
    stores.messages.put(of, make_message(visible_at=NOW + 1_000))
    claim(stores, of, limit=16)
    rounds = 0
    while stores.messages.purge(of.partitions[0]):
        rounds += 1
    assert rounds == 2
    assert stores.messages.peek(of, limit=1, now=NOW + 99_000) == ()


def test_eight_consumers_that_race_for_sixty_messages_get_each_exactly_once(stores):
    of = make_queue()
    stores.messages.put_all(of, [make_message(f"{number}") for number in range(60)])
    got: list[str] = []
    barrier = threading.Barrier(8)

    def consume() -> None:
        barrier.wait()
        while taken := claim(stores, of, limit=3):
            got.extend(item.body for item in taken)

    threads = [threading.Thread(target=consume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got, key=int) == [str(number) for number in range(60)]


def test_expired_messages_at_the_head_do_not_spoil_the_order_of_the_others_nor_hide_them(stores):
    of = make_queue()
    stores.messages.put_all(of, [make_message("old", expires_at=NOW + 1_000) for _ in range(90)])
    stores.messages.put_all(of, [make_message(f"{number}") for number in range(6)])
    received = [claim(stores, of, now=NOW + 1_000)[0].body for _ in range(6)]
    assert received == ["0", "1", "2", "3", "4", "5"]


def test_a_peek_past_expired_messages_reads_them_page_by_page_and_clears_them_away(in_tables):
    of = make_queue()
    in_tables.messages.put_all(of, [make_message("old", expires_at=NOW + 1_000) for _ in range(90)])
    in_tables.messages.put(of, make_message("fresh"))
    in_tables.recorder.reset()
    assert [item.body for item in in_tables.messages.peek(of, limit=1, now=NOW + 1_000)] == ["fresh"]
    assert in_tables.recorder.calls.count("query") == 3
    assert in_tables.recorder.calls.count("delete_item") == 90
