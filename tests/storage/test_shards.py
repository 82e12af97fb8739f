"""Queues of many shards: what a receive costs where most are empty, and what happens where some take no more calls."""

import itertools

import pytest

from chalicelib.model import errors
from infra.embedded import throttling
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from tests.conftest import NOW, HandClock
from tests.storage.test_contention import store
from tests.storage.test_messages import claim, make_message, make_queue


def test_a_receive_of_nothing_from_sixteen_shards_is_five_rounds(stores):
    assert claim(stores, make_queue(shards=16)) == ()
    assert stores.recorder.rounds == 2 + 3, stores.recorder.calls
    assert len(stores.recorder.calls) == 2 * 16


def test_a_full_shard_is_all_that_a_receive_looks_at(stores):
    of = make_queue(shards=16)
    stores.messages.put_all(of, [make_message(shard=shard) for shard in range(16)])
    stores.recorder.reset()
    assert len(claim(stores, of)) == 1
    assert stores.recorder.rounds == 3, stores.recorder.calls


@pytest.mark.parametrize("shard", range(5))
def test_a_message_is_found_in_whatever_shard_it_is(stores, shard):
    of = make_queue(shards=5)
    stores.messages.put(of, make_message("here", shard=shard))
    assert [item.body for item in claim(stores, of)] == ["here"]


@pytest.mark.parametrize("shard", range(5))
def test_a_message_that_is_due_is_found_in_whatever_shard_it_waits(stores, shard):
    of = make_queue(shards=5)
    stores.messages.put(of, make_message("due", shard=shard, visible_at=NOW + 1_000))
    assert claim(stores, of, now=NOW + 999) == ()
    assert [item.body for item in claim(stores, of, now=NOW + 1_000)] == ["due"]


def test_a_receive_of_nothing_tells_when_the_next_message_of_any_shard_is_due(stores):
    of = make_queue(shards=5)
    for shard in range(5):
        stores.messages.put(of, make_message(shard=shard, visible_at=NOW + 10_000 - shard))
    assert stores.messages.claim(of, limit=1, now=NOW, visible_at=NOW + 30_000).next_due == NOW + 9_996


def test_a_batch_is_filled_from_as_many_shards_as_it_takes(stores):
    of = make_queue(shards=16)
    stores.messages.put_all(of, [make_message(str(shard), shard=shard) for shard in range(16)])
    assert sorted(item.body for item in claim(stores, of, limit=16)) == sorted(map(str, range(16)))


class Throttled:
    """A messages table each of whose partitions takes `write_units` a second, and what has used them up."""

    def __init__(self, *, write_units: float) -> None:
        self.clock = HandClock()
        engine = EmbeddedEngine(None, now=self.clock.now)
        engines.make_tables(engine, "t-")
        self.near = store(engine)
        self.engine = throttling.ThrottledEngine(engine, now=self.clock.now, write_units=write_units)
        self.store = store(self.engine)

    def claim(self, of):
        return self.store.claim(of, limit=1, now=NOW, visible_at=NOW + 30_000).messages


def test_where_a_shard_takes_no_more_writes_a_receive_goes_on_to_another():
    table = Throttled(write_units=1)
    of = make_queue(shards=2)
    for shard, _ in itertools.product(range(2), range(3)):
        table.near.put(of, make_message(str(shard), shard=shard))
    received = [item.body for _ in range(2) for item in table.claim(of)]
    assert sorted(received) == ["0", "1"]


def test_a_receive_is_refused_only_once_no_shard_takes_more():
    table = Throttled(write_units=1)
    of = make_queue(shards=2)
    for shard, _ in itertools.product(range(2), range(3)):
        table.near.put(of, make_message(str(shard), shard=shard))
    table.claim(of)
    table.claim(of)
    with pytest.raises(errors.TooManyRequests):
        table.claim(of)
    table.clock.advance(3)  # the debt of a claim
    assert len(table.claim(of)) == 1
