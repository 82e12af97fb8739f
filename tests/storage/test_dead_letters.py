"""Dead letters of queues, on each engine: each message is moved once and whole, or stays where it is."""

import contextlib
import threading

import pytest
from botocore import exceptions

from chalicelib.model import dead_letter, message, queue
from chalicelib.storage import errors
from infra.embedded.engine import EmbeddedEngine
from tests.conftest import NOW, Stores
from tests.storage import test_groups as fifo
from tests.storage import test_messages as ordinary
from tests.storage.test_budgets import assert_cost
from tests.storage.test_resources import HERE

ARN = "acs:mns:cn-hangzhou:1234567890123456:queues/source"


class Pair:
    """A queue and its dead-letter queue, of one type."""

    def __init__(self, stores: Stores, kind: str) -> None:
        self.stores, self.kind = stores, kind
        made = fifo if kind == "fifo" else ordinary
        self.make_message = made.make_message
        self.source = made.make_queue().evolve(name="source")
        self.target = made.make_queue().evolve(name="target")
        for each in (self.source, self.target):
            stores.queues.create(HERE, each)
        self.dead = dead_letter.Route(namespace=HERE, source=self.source, target=self.target, max_receive_count=2)

    def put(self, body: str = "hello", **changes: object) -> message.Message:
        new = self.make_message(body).evolve(**changes)
        self.stores.messages.put(self.source, new)
        return new

    def claim(
        self, *, now: int = NOW, limit: int = 16, of: queue.Queue | None = None, seconds: int = 1
    ) -> tuple[message.Message, ...]:
        return self.stores.messages.claim(
            of or self.source,
            limit=limit,
            now=now,
            visible_at=now + seconds * 1000,
            dead=self.dead if of is None else None,
        ).messages

    def claim_out(self) -> int:
        """Receive all that is there as often as it may be; the moment when it is visible again."""
        for moment in (NOW, NOW + 1_000):
            assert self.claim(now=moment)
        return NOW + 2_000

    def letters(self, now: int = NOW + 2_000) -> list[str]:
        return [item.body for item in self.claim(of=self.target, now=now)]

    def held(self) -> int:
        """How many messages the source has in the table."""
        return sum("enqueued_at" in item for item in fifo.rows(self.stores, self.source))


@pytest.fixture
def stores(kept):
    """Each way to keep messages."""
    return kept


@pytest.fixture(params=["normal", "fifo"])
def pair(request, stores):
    return Pair(stores, request.param)


PROPERTIES = (message.Property(name="city", value="杭州", type=message.PropertyType.STRING),)
TRACE = message.Property(name="traceparent", value="00-1", type=message.PropertyType.STRING)


@pytest.mark.parametrize("size", [1, 60_000])
def test_a_message_that_was_received_as_often_as_it_may_is_moved_with_all_it_came_with(pair, size):
    new = pair.put("x" * size, priority=3, group_id="g", user_properties=PROPERTIES, system_properties=(TRACE,))
    moment = pair.claim_out()
    assert pair.claim(now=moment) == ()
    assert pair.held() == 0
    [letter] = pair.claim(of=pair.target, now=moment)
    assert letter == new.evolve(
        message_id=letter.message_id,
        stamp=letter.stamp,
        dequeue_count=1,
        first_dequeued_at=moment,
        visible_at=moment + 1_000,
        system_properties=(
            TRACE,
            *(
                message.Property(name=name, value=value, type=message.PropertyType.STRING)
                for name, value in (
                    ("DLQMessageType", "Queue"),
                    ("DLQSourceArn", ARN),
                    ("DLQOriginMessageId", new.message_id),
                )
            ),
        ),
    )
    assert letter.message_id != new.message_id


def test_a_message_is_received_as_often_as_the_policy_says_and_not_moved_before(pair):
    pair.put()
    assert [item.dequeue_count for item in pair.claim(now=NOW)] == [1]
    assert [item.dequeue_count for item in pair.claim(now=NOW + 1_000)] == [2]
    assert pair.letters(NOW + 1_999) == []
    assert pair.claim(now=NOW + 1_999) == ()
    assert pair.held() == 1


def test_one_that_is_deleted_in_its_last_receive_is_no_dead_letter(pair):
    pair.put()
    pair.claim()
    [held] = pair.claim(now=NOW + 1_000)
    assert pair.stores.messages.delete([held.receipt(pair.source)], now=NOW + 1_999) == (None,)
    assert pair.claim(now=NOW + 2_000) == ()
    assert pair.letters() == []


def release(pair, now):
    pair.stores.messages.release(pair.source, pair.source.partitions[0], now=now, limit=10, dead=pair.dead)


def peek(pair, now):
    assert pair.stores.messages.peek(pair.source, limit=16, now=now, dead=pair.dead) == ()


def receive(pair, now):
    assert pair.claim(now=now) == ()


@pytest.mark.parametrize("find", [release, peek, receive])
@pytest.mark.parametrize("was_released", [False, True])
def test_whoever_finds_it_first_moves_it(pair, find, was_released):
    pair.put("a")
    pair.put("b")
    moment = pair.claim_out()
    if was_released:  # before there was a policy
        pair.stores.messages.release(pair.source, pair.source.partitions[0], now=moment, limit=10)
        if find is release:
            return
    find(pair, moment)
    assert pair.held() == 0
    assert sorted(pair.letters()) == ["a", "b"]


def test_it_is_moved_before_what_follows_is_received(pair):
    pair.put("a")
    moment = pair.claim_out()
    pair.put("b")
    assert [item.body for item in pair.claim(now=moment, limit=1)] == ["b"]
    assert pair.letters() == ["a"]


def test_dead_letters_of_a_group_keep_their_order(stores):
    pair = Pair(stores, "fifo")
    for number in range(4):
        pair.put(f"{number}")
    stores.messages.put(pair.target, fifo.make_message("there before"))
    for moment in (NOW, NOW + 1_000):
        assert [item.body for item in pair.claim(now=moment, limit=3)] == ["0", "1", "2"]
    assert [item.body for item in pair.claim(now=NOW + 2_000)] == ["3"]
    assert pair.letters() == ["there before", "0", "1", "2"]


def test_a_message_whose_retention_is_over_is_no_dead_letter(pair):
    pair.put(expires_at=NOW + 1_500)
    moment = pair.claim_out()
    release(pair, moment)
    assert pair.claim(now=moment) == ()
    assert pair.letters() == []
    assert pair.held() == 0


def test_a_queue_that_is_no_more_takes_nothing_and_the_message_stays_unreceived(pair):
    pair.put()
    moment = pair.claim_out()
    pair.stores.queues.delete(HERE, "target")
    for find in (release, peek, receive):
        find(pair, moment)
    assert pair.held() == 1
    pair.stores.queues.create(HERE, pair.target.evolve(queue_id="another"))
    receive(pair, moment)
    assert pair.held() == 1
    pair.stores.queues.delete(HERE, "target")
    pair.stores.queues.create(HERE, pair.target)
    receive(pair, moment)
    assert pair.letters() == ["hello"]


def test_dead_letters_that_cannot_go_do_not_hold_up_what_comes_due_after_them(stores):
    pair = Pair(stores, "normal")
    for number in range(40):
        pair.put(f"dead {number}")
    for moment in (NOW, NOW + 1_000):
        while pair.claim(now=moment):
            pass
    pair.stores.queues.delete(HERE, "target")
    pair.put("late", visible_at=NOW + 2_500)
    assert [item.body for item in pair.claim(now=NOW + 2_500, limit=1)] == ["late"]
    assert pair.held() == 41


def test_a_release_that_meets_nothing_but_dead_letters_that_cannot_go_is_tried_again_in_a_moment(in_tables):
    pair = Pair(in_tables, "normal")
    for number in range(40):
        pair.put(f"dead {number}")
    for moment in (NOW, NOW + 1_000):
        while pair.claim(now=moment):
            pass
    in_tables.queues.delete(HERE, "target")
    released = in_tables.messages.release(
        pair.source, pair.source.partitions[0], now=NOW + 2_000, limit=2, dead=pair.dead
    )
    assert (released.count, released.next_due) == (16, NOW + 3_000)


def test_without_a_route_the_message_remains_receivable(pair):
    pair.put()
    moment = pair.claim_out()
    [again] = pair.stores.messages.claim(pair.source, limit=1, now=moment, visible_at=moment + 1_000).messages
    assert again.dequeue_count == 3


def test_a_chain_of_dead_letter_queues_says_where_it_came_from_last(pair):
    pair.put()
    moment = pair.claim_out()
    receive(pair, moment)
    [letter] = pair.claim(of=pair.target, now=moment)
    made = fifo if pair.kind == "fifo" else ordinary
    last = made.make_queue().evolve(name="last")
    pair.stores.queues.create(HERE, last)
    route = dead_letter.Route(namespace=HERE, source=pair.target, target=last, max_receive_count=1)
    found = pair.stores.messages.claim(pair.target, limit=1, now=moment + 1_000, visible_at=moment + 2_000, dead=route)
    assert found.messages == ()
    [end] = pair.claim(of=last, now=moment + 1_000)
    assert {item.name: item.value for item in end.system_properties} == {
        "DLQMessageType": "Queue",
        "DLQSourceArn": ARN.replace("source", "target"),
        "DLQOriginMessageId": letter.message_id,
    }


class CutError(Exception):
    """The process ends."""


@pytest.mark.parametrize("kind", ["normal", "fifo"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_process_that_ends_while_it_moves_loses_nothing_and_doubles_nothing(in_tables, monkeypatch, kind, when):
    pair = Pair(in_tables, kind)
    pair.put("x" * 5_000)
    moment = pair.claim_out()
    transact = pair.stores.messages._gate.transact_write_items
    gate = pair.stores.messages._gate

    def cut(**arguments):
        if when == "after":
            transact(**arguments)
        raise CutError

    with monkeypatch.context() as patched, contextlib.suppress(CutError):
        patched.setattr(gate, "transact_write_items", cut)
        receive(pair, moment)
    assert pair.held() == (when == "before")
    receive(pair, moment)
    assert pair.letters() == ["x" * 5_000]
    assert pair.held() == 0


def throttled(**_):
    reasons = [{"Code": "None"}, {"Code": "ThrottlingError"}]
    raise exceptions.ClientError(
        {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}, "TransactWriteItems"
    )


def test_a_queue_that_takes_no_more_at_the_moment_gets_it_later(in_tables, monkeypatch):
    pair = Pair(in_tables, "normal")
    pair.put("dead")
    moment = pair.claim_out()
    pair.put("alive")
    with monkeypatch.context() as patched:
        patched.setattr(in_tables.messages._gate, "transact_write_items", errors.guarded(throttled))
        assert [item.body for item in pair.claim(now=moment)] == ["alive"]
    assert [item.body for item in pair.claim(now=moment)] == []
    assert pair.letters() == ["dead"]


def test_many_that_find_dead_letters_at_once_move_each_once(pair):
    for number in range(12):
        pair.put(f"{number}", group_id=f"{number % 4}")
    for moment in (NOW, NOW + 1_000):
        assert len(pair.claim(now=moment)) == 12
    barrier = threading.Barrier(6)

    def find() -> None:
        barrier.wait()
        for _ in range(3):
            pair.claim(now=NOW + 2_000)

    threads = [threading.Thread(target=find) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert pair.claim(now=NOW + 2_000) == ()
    assert sorted(pair.letters(), key=int) == [f"{number}" for number in range(12)]
    assert pair.held() == 0


def test_a_move_costs_a_transaction_more_and_ordinary_receives_cost_what_they_did(in_tables):
    pair = Pair(in_tables, "normal")
    pair.put("x" * 512)
    in_tables.recorder.reset()
    pair.claim(now=NOW)
    assert_cost(in_tables, rounds=3, write_units=3, read_units=2)
    pair.claim(now=NOW + 1_000)
    in_tables.recorder.reset()
    pair.claim(now=NOW + 2_000)
    # Two looks at the timers, the refused release (without units), the move, and a look at what is ready.
    assert_cost(in_tables, rounds=5, write_units=2 * (2 + 3 + 1), read_units=3)
    if isinstance(in_tables.engine, EmbeddedEngine):
        assert in_tables.recorder.calls.count("transact_write_items") == 1
