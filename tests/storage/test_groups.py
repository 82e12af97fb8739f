"""The contract of FIFO queues: whatever the engine, the messages of a group keep their order, and none is lost."""

import itertools
import json
import threading

import pytest

from chalicelib.broker import ports
from chalicelib.model import group, message, queue, resource
from chalicelib.storage import groups, items, messages
from tests.conftest import NOW, Stores
from tests.storage.test_messages import make_message as make_ordinary
from tests.storage.test_messages import make_queue as make_ordinary_queue
from tests.storage.test_messages import rows

IDS = (f"{NOW:012X}{number:04X}{number:016X}" for number in itertools.count())


def make_queue(shards: int = 1) -> queue.Queue:
    return make_ordinary_queue(shards).evolve(type=resource.Type.FIFO)


def make_message(body: str = "hello", group: str = "a", **changes: object) -> message.Message:
    return make_ordinary(body, group_id=group, **changes).evolve(stamp="", message_id=next(IDS))


def put(stores: Stores, of: queue.Queue, *bodies: str) -> None:
    """Put messages; the first character of a body is its group."""
    for body in bodies:
        stores.messages.put(of, make_message(body, group=body[0]))


def claim(
    stores: Stores, of: queue.Queue, *, now: int = NOW, limit: int = 1, seconds: int = 30
) -> tuple[message.Message, ...]:
    return stores.messages.claim(of, limit=limit, now=now, visible_at=now + seconds * 1000).messages


def bodies(stores: Stores, of: queue.Queue, **arguments: int) -> list[str]:
    return [item.body for item in claim(stores, of, **arguments)]


def delete(stores: Stores, of: queue.Queue, *held: message.Message, now: int = NOW) -> list[str | None]:
    outcomes = stores.messages.delete([item.receipt(of) for item in held], now=now)
    return [outcome and outcome.code for outcome in outcomes]


@pytest.fixture
def stores(kept):
    """Each way to keep messages."""
    return kept


def test_a_message_that_was_put_is_claimed_with_everything_it_came_with(stores):
    of = make_queue()
    new = make_message(
        group="客户 42",
        priority=1,
        user_properties=(message.Property(name="city", value="杭州", type=message.PropertyType.STRING),),
        system_properties=(message.Property(name="baggage", value="x", type=message.PropertyType.STRING),),
    )
    stores.messages.put(of, new)
    [claimed] = claim(stores, of, now=NOW + 5)
    assert claimed == new.evolve(
        visible_at=NOW + 30_005, stamp=claimed.stamp, first_dequeued_at=NOW + 5, dequeue_count=1
    )
    assert len(claimed.stamp) == 12


@pytest.mark.parametrize("length", [1, 700, 1_000, 65_536])
def test_a_body_of_any_size_comes_back_verbatim(stores, length):
    of = make_queue()
    body = (" é\n\t<&>'\"" * length)[:length]
    stores.messages.put(of, make_message(body))
    assert bodies(stores, of) == [body]


def test_what_stays_with_the_state_fits_one_write_unit(in_tables):
    of = make_queue(shards=64).evolve(queue_id="f" * 16)
    room = 1024 - groups._STATE_BYTES - len("group_id") - 128 - len("body")
    whole = make_message("x" * room, group="g" * 128, priority=16)
    larger = make_message("x" * (room + 1), group="g" * 128, priority=16)
    for new in (whole, larger):
        in_tables.messages.put(of, new.evolve(shard=group.home("g" * 128, of.shards)))
    stored = [item for item in rows(in_tables, of) if "message_id" in item]
    assert 1020 <= items.size(stored[0]) <= 1024
    assert "body" not in stored[1]
    assert bodies(in_tables, of, limit=2) == [whole.body, larger.body]


def test_the_messages_of_a_group_are_claimed_one_after_the_other_and_those_of_others_beside_them(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "b1", "a3", "b2")
    first, second = claim(stores, of), claim(stores, of)
    assert [item.body for item in first + second] == ["a1", "b1"]
    assert bodies(stores, of) == []
    assert delete(stores, of, *second) == [None]
    assert bodies(stores, of) == ["b2"]
    assert delete(stores, of, *first) == [None]
    assert bodies(stores, of) == ["a2"]


def test_the_order_is_that_of_the_answers_even_where_the_clock_of_a_process_is_behind(stores):
    of = make_queue()
    ahead = make_message("first").evolve(message_id=f"{NOW + 60_000:012X}" + "0" * 20)
    behind = [make_message(f"{number}").evolve(message_id=f"{NOW:012X}{number:020X}") for number in range(3)]
    stores.messages.put(of, ahead)
    assert stores.messages.put_all(of, behind) == frozenset()
    assert bodies(stores, of, limit=16) == ["first", "0", "1", "2"]


def test_a_batch_is_stored_in_its_order_and_claimed_in_it(stores):
    of = make_queue()
    batch = [
        make_message(f"{group}{number}" * size, group=group)
        for group in "abc"
        for number, size in enumerate([1, 900] * 2)
    ]
    assert stores.messages.put_all(of, batch) == frozenset()
    taken = claim(stores, of, limit=16)
    for name in "abc":
        assert [item.body for item in taken if item.group_id == name] == [
            item.body for item in batch if item.group_id == name
        ]
    assert len(taken) == 12


def test_a_claim_of_several_takes_consecutive_messages_from_the_groups_that_are_free(stores):
    of = make_queue()
    put(stores, of, *(f"a{number}" for number in range(9)), "b0", "b1")
    taken = claim(stores, of, limit=6)
    assert [item.body for item in taken] == ["a0", "a1", "a2", "b0", "b1"]
    assert bodies(stores, of, limit=16) == []


def test_a_group_is_held_until_the_last_of_its_messages_is_deleted_or_visible_again(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "a3", "a4")
    held = claim(stores, of, limit=3)
    assert delete(stores, of, held[1]) == [None]
    assert bodies(stores, of, limit=16) == []
    assert delete(stores, of, held[2]) == [None]
    assert bodies(stores, of, limit=16, now=NOW + 29_999) == []
    assert bodies(stores, of, limit=16, now=NOW + 30_000) == ["a1", "a4"]


def test_what_comes_back_is_first_in_line_with_its_count(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "a3")
    claim(stores, of, limit=2, seconds=1)
    [again] = claim(stores, of, now=NOW + 1_000)
    assert (again.body, again.dequeue_count, again.first_dequeued_at) == ("a1", 2, NOW)
    assert delete(stores, of, again, now=NOW + 1_000) == [None]
    following = claim(stores, of, now=NOW + 1_000, limit=2)
    assert [(item.body, item.dequeue_count) for item in following] == [("a2", 2), ("a3", 1)]


def test_a_claim_that_finds_nothing_says_when_the_next_group_is_free(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "b1")
    claim(stores, of, seconds=7)
    claim(stores, of, seconds=3)
    answer = stores.messages.claim(of, limit=1, now=NOW, visible_at=NOW + 30_000)
    assert (answer.messages, answer.next_due) == ((), NOW + 3_000)


def test_the_group_that_has_been_free_longest_comes_first_so_that_none_starves(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "a3", "b1", "c1")
    served = []
    for step in range(1, 6):
        [held] = claim(stores, of, now=NOW + step)
        delete(stores, of, held, now=NOW + step)
        served.append(held.body)
    assert served == ["a1", "b1", "c1", "a2", "a3"]


def test_a_message_is_deleted_with_the_receipt_of_its_newest_claim_only(stores):
    of = make_queue()
    put(stores, of, "a1")
    [first] = claim(stores, of, seconds=1)
    [second] = claim(stores, of, now=NOW + 1_000)
    assert delete(stores, of, first, second, second, now=NOW + 1_001) == ["MessageNotExist", None, "MessageNotExist"]


def test_a_receipt_counts_until_the_next_visible_time_and_not_a_millisecond_longer(stores):
    of = make_queue()
    put(stores, of, "a1", "b1")
    early, late = claim(stores, of, limit=2, seconds=1)
    assert delete(stores, of, early, now=NOW + 999) == [None]
    assert delete(stores, of, late, now=NOW + 1_000) == ["MessageNotExist"]


def test_a_receipt_dies_with_a_release_even_where_clocks_differ(stores):
    of = make_queue()
    put(stores, of, "a1")
    [held] = claim(stores, of, seconds=1)
    stores.messages.release(of, of.partitions[0], now=NOW + 1_000, limit=10)
    assert not stores.messages.postpone(held.receipt(of), now=NOW + 500, visible_at=NOW + 9_000, stamp="00000000000b")
    assert delete(stores, of, held, now=NOW + 500) == ["MessageNotExist"]
    assert bodies(stores, of, now=NOW + 1_000) == ["a1"]


def test_a_batch_of_deletes_may_name_several_groups_and_messages(stores):
    of = make_queue(shards=3)
    for body in ("a1", "a2", "b1", "c1"):
        stores.messages.put(of, make_message(body, group=body[0], shard=group.home(body[0], of.shards)))
    held = claim(stores, of, limit=16)
    assert len(held) == 4
    foreign = held[0].evolve(stamp="00000000000f")
    assert delete(stores, of, foreign, *held, held[0]) == ["MessageNotExist", *[None] * 4, "MessageNotExist"]
    assert rows(stores, of) == []


def test_a_postponed_message_holds_its_group_from_now_on_under_a_new_stamp(stores):
    of = make_queue()
    put(stores, of, "a1", "a2")
    [held] = claim(stores, of, seconds=1)
    assert stores.messages.postpone(held.receipt(of), now=NOW + 500, visible_at=NOW + 9_000, stamp="00000000000b")
    assert not stores.messages.postpone(held.receipt(of), now=NOW + 600, visible_at=NOW + 9_000, stamp="00000000000c")
    assert bodies(stores, of, now=NOW + 8_999) == []
    assert delete(stores, of, held.evolve(stamp="00000000000b"), now=NOW + 8_999) == [None]
    assert bodies(stores, of, now=NOW + 8_999) == ["a2"]


def test_a_message_that_is_given_back_early_comes_first_again_but_not_before_its_neighbours_in_hand(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "a3")
    first, second = claim(stores, of, limit=2)
    assert stores.messages.postpone(first.receipt(of), now=NOW, visible_at=NOW + 1_000, stamp="00000000000b")
    assert bodies(stores, of, now=NOW + 1_000) == []
    assert delete(stores, of, second, now=NOW + 1_000) == [None]
    assert bodies(stores, of, now=NOW + 1_000, limit=16) == ["a1", "a3"]


def test_a_release_frees_what_is_due_and_says_when_the_next_is(stores):
    of = make_queue()
    put(stores, of, "a1", "b1", "c1")
    for seconds in (1, 2, 3):
        claim(stores, of, seconds=seconds)
    partition = of.partitions[0]
    first = stores.messages.release(of, partition, now=NOW + 2_000, limit=1)
    assert (first.count, first.next_due) == (1, NOW + 2_000)
    second = stores.messages.release(of, partition, now=NOW + 2_000, limit=10)
    assert (second.count, second.next_due) == (1, NOW + 3_000)
    assert stores.messages.release(of, partition, now=NOW + 9_000, limit=10).next_due is None
    assert bodies(stores, of, now=NOW + 9_000, limit=16) == ["a1", "b1", "c1"]


def test_a_peek_shows_the_first_messages_of_free_groups_and_changes_nothing(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "b1", "c1", "c2")
    [held] = claim(stores, of, seconds=1)
    before = rows(stores, of)
    assert [item.body for item in stores.messages.peek(of, limit=16, now=NOW)] == ["b1", "c1", "c2"]
    assert [item.body for item in stores.messages.peek(of, limit=1, now=NOW)] == ["b1"]
    assert rows(stores, of) == before
    again = stores.messages.peek(of, limit=16, now=NOW + 1_000)
    assert [(item.body, item.dequeue_count) for item in again if item.group_id == "a"] == [("a1", 1), ("a2", 0)]
    assert delete(stores, of, held) == [None]


def test_messages_whose_retention_is_over_are_passed_over_and_cleared_away(stores):
    of = make_queue()
    for number in range(60):
        stores.messages.put(of, make_message(f"old {number}", expires_at=NOW + 1_000))
    put(stores, of, "a1", "a2")
    assert [item.body for item in stores.messages.peek(of, limit=1, now=NOW + 1_000)] == ["a1"]
    assert bodies(stores, of, now=NOW + 1_000, limit=2) == ["a1", "a2"]
    assert len(rows(stores, of)) == 3


def test_a_group_of_which_all_is_too_old_is_no_more(stores):
    of = make_queue()
    for number in range(30):
        stores.messages.put(of, make_message(f"old {number}", expires_at=NOW + 1_000))
    claim(stores, of, seconds=3_600)
    assert bodies(stores, of, now=NOW + 999) == []
    assert bodies(stores, of, now=NOW + 1_000) == []
    assert rows(stores, of) == []
    put(stores, of, "a1")
    assert bodies(stores, of, now=NOW + 1_000) == ["a1"]


def test_a_message_that_grows_too_old_in_hand_holds_its_group_no_longer(stores):
    of = make_queue()
    stores.messages.put(of, make_message("old", expires_at=NOW + 1_000))
    put(stores, of, "a1")
    [held] = claim(stores, of)
    assert delete(stores, of, held, now=NOW + 1_000) == ["MessageNotExist"]
    assert bodies(stores, of, now=NOW + 1_000) == ["a1"]


def test_nothing_is_left_of_a_group_without_messages_and_it_may_come_back(stores):
    of = make_queue()
    for _ in range(2):
        put(stores, of, "a1", "a2")
        assert delete(stores, of, *claim(stores, of, limit=2)) == [None, None]
        assert rows(stores, of) == []


def test_a_message_put_once_is_there_once_also_when_it_was_consumed_meanwhile(stores):
    of = make_queue()
    new, other = make_message("a1"), make_message("a2")
    assert stores.messages.put_once(of, new)
    assert stores.messages.put_once(of, other)
    assert not stores.messages.put_once(of, new)
    assert delete(stores, of, *claim(stores, of)) == [None]
    assert not stores.messages.put_once(of, new)
    assert bodies(stores, of, limit=16) == ["a2"]


def test_a_purge_deletes_groups_and_messages(stores):
    of = make_queue()
    put(stores, of, "a1", "a2", "b1")
    claim(stores, of)
    while stores.messages.purge(of.partitions[0]):
        pass
    assert rows(stores, of) == []


def test_the_stream_counts_messages_by_state_and_rings_when_a_group_becomes_free(in_tables):
    of = make_queue()
    put(in_tables, of, "a1", "a2", "a3")
    held = claim(in_tables, of, limit=2)
    delete(in_tables, of, held[0])
    in_tables.messages.release(of, of.partitions[0], now=NOW + 30_000, limit=1)
    records = read_stream(in_tables, of)
    total, totals, rings = queue.Counts(), [], []
    for record, change in zip(records, messages.read_changes(records), strict=True):
        images = [record["dynamodb"].get(kind) or {} for kind in ("NewImage", "OldImage")]
        total += change.delta
        totals.append((total.active, total.inactive, total.delayed))
        rings.append(messages.is_ready(images[0]) and not messages.is_ready(images[1]))
        assert isinstance(change, ports.Change)
    assert totals[-1] == (2, 0, 0)
    assert (1, 2, 0) in totals
    assert (1, 1, 0) in totals
    assert rings.count(True) == 2  # when the group began, and when it was released


def read_stream(stores: Stores, of: queue.Queue) -> list[dict]:
    """The records of the queue's changes, oldest first."""
    table = stores.engine.describe_table(TableName=stores.prefix + "messages")["Table"]
    arn = table["LatestStreamArn"]
    [shard] = stores.engine.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    start = stores.engine.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    found = stores.engine.get_records(ShardIterator=start)["Records"]
    return [record for record in found if record["dynamodb"]["Keys"]["pk"]["S"] in of.partitions]


def test_the_groups_attributes_say_all_there_is_to_know_of_its_messages_in_hand(in_tables):
    of = make_queue()
    put(in_tables, of, "a1")
    [held] = claim(in_tables, of)
    [group, row] = rows(in_tables, of)
    assert json.loads(group["heads"]["S"]) == [
        [row["sk"]["S"].rpartition("#")[2], held.message_id, held.expires_at, NOW + 30_000, NOW, 1, held.stamp]
    ]
    assert (group["inactive"], group["ready_key"]) == ({"N": "1"}, {"S": f"H#{NOW + 30_000}"})


def test_eight_consumers_that_race_for_twelve_groups_keep_each_in_order(stores):
    of = make_queue()
    stores.messages.put_all(of, [make_message(f"{number}", group=f"{number % 12}") for number in range(36)])
    got: dict[str, list[int]] = {}
    left = itertools.count(1)
    done = threading.Event()
    barrier = threading.Barrier(8)

    def consume() -> None:
        barrier.wait()
        while not done.is_set():
            for item in claim(stores, of, limit=3):
                got.setdefault(item.group_id, []).append(int(item.body))
                assert delete(stores, of, item) == [None]
                if next(left) == 36:
                    done.set()

    threads = [threading.Thread(target=consume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {f"{group}": list(range(group, 36, 12)) for group in range(12)}


def test_eight_producers_of_one_group_leave_no_gap_and_no_two_in_one_place(stores):
    of = make_queue()

    def produce(producer: int) -> None:
        for number in range(3):
            stores.messages.put(of, make_message(f"{producer}.{number}"))

    threads = [threading.Thread(target=produce, args=(producer,)) for producer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    received = []
    while batch := claim(stores, of, limit=16):
        received += [item.body for item in batch]
        delete(stores, of, *batch)
    assert len(received) == 24
    for producer in range(8):
        assert [body for body in received if body.startswith(f"{producer}.")] == [
            f"{producer}.{number}" for number in range(3)
        ]
