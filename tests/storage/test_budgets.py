"""What each operation may cost (section 3 of the architecture): round trips on every engine, units where they are real.

The costs are the same at any backlog: each case runs once on an empty queue and once behind a backlog.
"""

import pytest

from chalicelib.model import message, queue
from infra.embedded.engine import EmbeddedEngine
from tests.conftest import NOW, Stores
from tests.storage import test_groups as fifo
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


# FIFO queues: the same behind a backlog of 12 groups of which 6 are held, and behind 12 messages of the group itself


@pytest.fixture(params=["empty", "groups", "messages"])
def ordered(request, stores):
    made = fifo.make_queue()
    if request.param == "groups":
        stores.messages.put_all(made, [fifo.make_message("behind", group=f"g{number}") for number in range(12)])
        assert len(claim(stores, made, limit=6)) == 6
    if request.param == "messages":
        stores.messages.put_all(made, [fifo.make_message("behind", group="g") for _ in range(12)])
    stores.recorder.reset()
    return made


def put_first(stores: Stores, of: queue.Queue, *groups: str) -> list[message.Message]:
    """Put messages of new groups, which are free longest."""
    early = NOW - 1_000
    new = [
        fifo.make_message("x" * 512, group=group).evolve(message_id=f"{early:012X}{number:020X}", enqueued_at=early)
        for number, group in enumerate(groups)
    ]
    stores.messages.put_all(of, new)
    stores.recorder.reset()
    return new


def test_a_send_to_a_fifo_queue_is_one_round_trip(stores, ordered):
    stores.messages.put(ordered, fifo.make_message("x" * 512, group="new"))
    assert_cost(stores, rounds=1, write_units=6, read_units=0)
    stores.recorder.reset()
    stores.messages.put(ordered, fifo.make_message("x" * 512, group="new"))
    assert_cost(stores, rounds=1, write_units=4, read_units=0)


def test_a_send_of_a_process_whose_clock_is_behind_is_two_round_trips(stores, ordered):
    stores.messages.put(ordered, fifo.make_message("x", group="new"))
    stores.recorder.reset()
    late = fifo.make_message("x" * 512, group="new").evolve(message_id=f"{NOW - 1:012X}" + "0" * 20)
    stores.messages.put(ordered, late)
    assert_cost(stores, rounds=2, write_units=4 + 4, read_units=0)


def test_a_batch_of_sixteen_to_one_group_is_one_round_trip(stores, ordered):
    stores.messages.put_all(ordered, [fifo.make_message("x" * 512, group="new") for _ in range(16)])
    assert_cost(stores, rounds=1, write_units=36, read_units=0)


def test_a_batch_of_sixteen_to_sixteen_groups_is_one_round(stores, ordered):
    stores.messages.put_all(ordered, [fifo.make_message("x" * 512, group=f"new {place}") for place in range(16)])
    assert_cost(stores, rounds=1, write_units=96, read_units=0)


def test_a_receive_from_a_fifo_queue_is_three_rounds(stores, ordered):
    put_first(stores, ordered, "new")
    assert [item.body for item in claim(stores, ordered)] == ["x" * 512]
    assert_cost(stores, rounds=3, write_units=3, read_units=3)


def test_a_receive_of_nothing_from_a_fifo_queue_is_one_round(stores):
    assert claim(stores, fifo.make_queue()) == ()
    assert_cost(stores, rounds=1, write_units=0, read_units=2)


def test_a_receive_where_forty_groups_are_held_is_one_round(stores):
    of = fifo.make_queue()
    stores.messages.put_all(of, [fifo.make_message("x", group=f"{number}") for number in range(40)])
    while claim(stores, of, limit=16):
        pass
    stores.recorder.reset()
    assert claim(stores, of) == ()
    assert_cost(stores, rounds=1, write_units=0, read_units=2)


def test_a_batch_receive_of_sixteen_of_one_group_is_one_claim(stores, ordered):
    put_first(stores, ordered, *["new"] * 16)
    assert_is_of("new", claim(stores, ordered, limit=16))
    assert_cost(stores, rounds=3, write_units=48, read_units=2 + 16 + 4)


def test_a_batch_receive_of_sixteen_groups_is_three_rounds_with_the_claims_side_by_side(stores, ordered):
    put_first(stores, ordered, *(f"new {place}" for place in range(16)))
    assert len(claim(stores, ordered, limit=16)) == 16
    assert_cost(stores, rounds=3, write_units=48, read_units=2 + 16)


def assert_is_of(group: str, messages: tuple[message.Message, ...]) -> None:
    assert group in {item.group_id for item in messages}


def test_a_peek_of_sixteen_groups_is_two_rounds(stores, ordered):
    put_first(stores, ordered, *(f"new {place}" for place in range(16)))
    assert len(stores.messages.peek(ordered, limit=16, now=NOW)) == 16
    assert_cost(stores, rounds=2, write_units=0, read_units=2 + 16)


def test_a_delete_of_the_last_message_of_a_group_is_two_round_trips(stores, ordered):
    put_first(stores, ordered, "new")
    [held] = claim(stores, ordered)
    stores.recorder.reset()
    assert stores.messages.delete([held.receipt(ordered)], now=NOW) == (None,)
    assert_cost(stores, rounds=2, write_units=6, read_units=1)


def test_a_delete_that_frees_its_group_is_two_round_trips(stores, ordered):
    put_first(stores, ordered, "new", "new")
    [held] = claim(stores, ordered)
    stores.recorder.reset()
    assert stores.messages.delete([held.receipt(ordered)], now=NOW) == (None,)
    assert_cost(stores, rounds=2, write_units=8, read_units=1)


def test_a_delete_of_sixteen_of_one_group_is_two_round_trips(stores):
    of = fifo.make_queue()
    put_first(stores, of, *["new"] * 17)
    held = claim(stores, of, limit=16)
    stores.recorder.reset()
    assert stores.messages.delete([item.receipt(of) for item in held], now=NOW) == (None,) * 16
    assert_cost(stores, rounds=2, write_units=6 + 4 + 32, read_units=1)


def test_a_change_of_visibility_in_a_fifo_queue_is_two_round_trips(stores, ordered):
    put_first(stores, ordered, "new")
    [held] = claim(stores, ordered)
    stores.recorder.reset()
    assert stores.messages.postpone(held.receipt(ordered), now=NOW, visible_at=NOW + 60_000, stamp="00000000000b")
    assert_cost(stores, rounds=2, write_units=3, read_units=1)


def test_a_release_of_a_group_is_two_writes_and_reads_at_most(stores, ordered):
    put_first(stores, ordered, "new")
    claim(stores, ordered, seconds=1)
    stores.recorder.reset()
    assert stores.messages.release(ordered, ordered.partitions[0], now=NOW + 1_000, limit=100).count == 1
    assert_cost(stores, rounds=3, write_units=3, read_units=2)
