"""What each operation may cost (section 3 of the architecture): round trips on every engine, units where they are real.

The costs are the same at any backlog: each case runs once on an empty queue and once behind a backlog.
"""

import pytest

from infra.embedded.engine import EmbeddedEngine
from tests.conftest import NOW, Stores
from tests.storage.test_messages import claim, make_message, make_queue


@pytest.fixture(params=[0, 40], ids=["empty", "backlog"])
def of(request, stores):
    made = make_queue()
    if request.param:
        stores.messages.put_all(made, [make_message("behind", priority=16) for _ in range(request.param)])
    stores.recorder.reset()
    return made


def assert_cost(stores: Stores, *, rounds: int, write_units: float, read_units: float) -> None:
    recorder = stores.recorder
    assert recorder.rounds <= rounds, recorder.calls
    if isinstance(stores.engine, EmbeddedEngine):  # moto says 1.0 to everything
        assert recorder.write_units <= write_units, recorder.calls
        assert recorder.read_units <= read_units, recorder.calls


def test_a_send_is_one_round_trip(stores, of):
    stores.messages.put(of, make_message("x" * 512))
    assert_cost(stores, rounds=1, write_units=2, read_units=0)


def test_a_send_of_a_large_body_is_two_round_trips(stores, of):
    stores.messages.put(of, make_message("x" * 65_000))
    assert_cost(stores, rounds=2, write_units=2 + 64, read_units=0)


def test_a_batch_of_sixteen_is_at_most_two_round_trips(stores, of):
    stores.messages.put_all(of, [make_message("x" * 512) for _ in range(16)])
    assert_cost(stores, rounds=2, write_units=32, read_units=0)


def test_a_receive_is_three_round_trips(stores, of):
    stores.messages.put(of, make_message("x" * 512))
    stores.recorder.reset()
    assert [item.body for item in claim(stores, of)] == ["x" * 512]
    assert_cost(stores, rounds=3, write_units=3, read_units=2)


def test_a_receive_of_nothing_is_two_round_trips(stores):
    of = make_queue()
    assert claim(stores, of) == ()
    assert_cost(stores, rounds=2, write_units=0, read_units=2)


def test_a_batch_receive_of_sixteen_is_three_rounds_with_the_claims_side_by_side(stores, of):
    stores.messages.put_all(of, [make_message("x" * 512) for _ in range(16)])
    stores.recorder.reset()
    assert len(claim(stores, of, limit=16)) == 16
    assert_cost(stores, rounds=3, write_units=48, read_units=2)


def test_a_peek_of_sixteen_is_three_round_trips(stores, of):
    stores.messages.put_all(of, [make_message("x" * 512) for _ in range(16)])
    stores.recorder.reset()
    assert len(stores.messages.peek(of, limit=16, now=NOW)) == 16
    assert_cost(stores, rounds=3, write_units=0, read_units=18)


def test_a_delete_is_one_round_trip(stores, of):
    stores.messages.put(of, make_message("x" * 512))
    [held] = claim(stores, of)
    stores.recorder.reset()
    assert stores.messages.delete([held.receipt(of)], now=NOW) == (None,)
    assert_cost(stores, rounds=1, write_units=2, read_units=0)


def test_a_delete_of_sixteen_is_one_round(stores, of):
    stores.messages.put_all(of, [make_message("x" * 512) for _ in range(16)])
    held = claim(stores, of, limit=16)
    stores.recorder.reset()
    assert stores.messages.delete([item.receipt(of) for item in held], now=NOW) == (None,) * 16
    assert_cost(stores, rounds=1, write_units=32, read_units=0)


def test_a_change_of_visibility_is_one_round_trip(stores, of):
    stores.messages.put(of, make_message("x" * 512))
    [held] = claim(stores, of)
    stores.recorder.reset()
    assert stores.messages.postpone(held.receipt(of), now=NOW, visible_at=NOW + 60_000, stamp="00000000000b")
    assert_cost(stores, rounds=1, write_units=3, read_units=0)


def test_counts_of_a_queue_are_one_round_trip(stores, of):
    stores.tallies.counts(of.partitions)
    assert_cost(stores, rounds=1, write_units=0, read_units=1)
