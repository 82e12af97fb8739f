"""What goes on behind the requests: release, counts, purge. Each may come twice or late without harm."""

import itertools

import pytest

from chalicelib.broker import ports, upkeep
from chalicelib.model import limits, message, queue
from tests.broker import fakes, memory
from tests.broker.fakes import ELSEWHERE, HERE, NOW

ACTIVE, INACTIVE, DELAYED = message.State.ACTIVE, message.State.INACTIVE, message.State.DELAYED


def waiting(tables):
    return len(tables.messages.waiting)


def delayed(process, *seconds):
    for each in seconds:
        process.send(delay_seconds=each)


# Release


def test_a_release_makes_active_what_is_due_now_and_says_when_the_rest_is(process, clock, tables):
    made = process.create()
    delayed(process, 1, 2, 60)
    clock.advance(2)
    assert process.release.run() == [(NOW + 60_000, made.partitions[0])]
    assert waiting(tables) == 1
    assert clock.slept == []


def test_a_release_of_nothing_has_nothing_more_to_say(process, clock):
    process.create()
    process.send()
    assert process.release.run(seconds=50) == []
    assert clock.slept == []


def test_a_release_finds_the_queues_of_all_accounts_and_all_their_shards(tables):
    process = fakes.Process(tables, shards=2)
    here = process.create()
    there, _ = process.queues.create(ELSEWHERE, "demo", queue.QueueChange())
    for namespace, shard in itertools.product((HERE, ELSEWHERE), (0, 1)):
        process.ids.picked = shard
        process.messages.send(namespace, "demo", message.Draft(body="x", delay_seconds=shard + 1))
    assert process.release.run() == [
        (NOW + 1000, here.partitions[0]),
        (NOW + 1000, there.partitions[0]),
        (NOW + 2000, here.partitions[1]),
        (NOW + 2000, there.partitions[1]),
    ]


def test_a_release_can_be_told_where_to_look(process, clock, tables):
    process.create("other")
    process.messages.send(HERE, "other", message.Draft(body="x", delay_seconds=1))
    made = process.create()
    delayed(process, 1)
    clock.advance(1)
    assert process.release.run(partitions=[made.partitions[0]]) == []
    assert waiting(tables) == 1


def test_a_release_with_time_meets_every_moment_as_it_comes(process, clock, tables):
    made = process.create()
    delayed(process, 3, 10, 49, 51)
    assert process.release.run(seconds=50) == [(NOW + 51_000, made.partitions[0])]
    assert waiting(tables) == 1
    assert clock.slept == [3, 7, 39]


def test_a_release_returns_early_when_nothing_is_due_within_its_time(process, clock):
    made = process.create()
    delayed(process, 51)
    assert process.release.run(seconds=50) == [(NOW + 51_000, made.partitions[0])]
    assert clock.slept == []


def test_a_release_without_time_does_not_sleep(process, clock):
    process.create()
    delayed(process, 1)
    process.release.run()
    assert clock.slept == []


def test_a_release_with_time_looks_at_a_queue_once_a_second_at_most(process, clock, tables):
    process.create()
    delayed(process, 1)
    clock.advance(0.5)
    delayed(process, 1)
    clock.advance(0.1)
    process.release.run(seconds=50)
    assert clock.slept == [1.0]
    assert waiting(tables) == 0


def test_a_release_of_several_queues_goes_by_the_moment_whichever_queue_it_is(process, clock, tables):
    process.create("demo")
    process.create("other")
    for name, seconds in (("demo", 5), ("other", 3), ("demo", 9), ("other", 9)):
        process.messages.send(HERE, name, message.Draft(body="x", delay_seconds=seconds))
    assert process.release.run(seconds=50) == []
    assert (clock.slept, waiting(tables)) == ([3, 2, 4], 0)


@pytest.mark.parametrize("seconds", [0, 50])
def test_a_release_works_through_more_than_one_page_without_a_pause(process, clock, tables, seconds):
    process.create()
    delayed(process, *[1] * (2 * limits.RELEASE_PAGE + 1))
    clock.advance(1)
    assert process.release.run(seconds=seconds) == []
    assert (clock.slept, waiting(tables)) == ([], 0)


def test_a_release_ends_by_its_time_even_if_there_is_always_more(process, clock, tables):
    process.create()
    delayed(process, *range(1, 101))
    process.release.run(seconds=10)
    assert (clock.now(), waiting(tables)) == (NOW + 10_000, 90)


def test_a_message_whose_retention_is_over_when_it_becomes_due_is_buried(process, clock, tables):
    made = process.create(message_retention_period=60)
    delayed(process, 60, 61)
    clock.advance(61)
    assert process.release.run() == []
    assert tables.messages.stored == {made.partitions[0]: {}}


def test_what_a_release_made_active_is_received_in_its_order_and_only_once(process, clock):
    process.create()
    process.send("a", delay_seconds=2)
    process.send("b", delay_seconds=1)
    clock.advance(2)
    process.release.run()
    process.release.run()
    assert process.bodies() == ["b", "a"]


# Count


def change(sequence, before, after, partition="q#0"):
    delta = memory.counts_of(after) - memory.counts_of(before)
    return ports.Change(partition=partition, sequence=str(sequence), delta=delta)


LIFE = [
    change(1, None, DELAYED),
    change(2, DELAYED, ACTIVE),
    change(3, ACTIVE, INACTIVE),
    change(4, INACTIVE, INACTIVE),
    change(5, INACTIVE, ACTIVE),
    change(6, ACTIVE, INACTIVE),
    change(7, INACTIVE, None),
]
COUNTED = [
    queue.Counts(delayed=1),
    queue.Counts(active=1),
    queue.Counts(inactive=1),
    queue.Counts(inactive=1),
    queue.Counts(active=1),
    queue.Counts(inactive=1),
    queue.Counts(),
]


@pytest.fixture
def tallies():
    return memory.Tallies()


def counts(tallies, partition="q#0"):
    return tallies.counts([partition]).get(partition)


@pytest.mark.parametrize("length", range(1, 8))
def test_a_message_is_counted_under_the_state_it_is_in(tallies, length):
    upkeep.Count(tallies=tallies).run(LIFE[:length])
    assert counts(tallies) == COUNTED[length - 1]


def test_a_message_that_is_new_may_be_in_any_state(tallies):
    upkeep.Count(tallies=tallies).run([change(1, None, ACTIVE), change(2, None, DELAYED), change(3, None, ACTIVE)])
    assert counts(tallies) == queue.Counts(active=2, delayed=1)


def test_a_message_may_end_in_any_state(tallies):
    upkeep.Count(tallies=tallies).run(
        [change(1, None, ACTIVE), change(2, None, DELAYED), change(3, ACTIVE, None), change(4, DELAYED, None)]
    )
    assert counts(tallies) == queue.Counts()


def test_changes_that_come_again_count_once(tallies):
    count = upkeep.Count(tallies=tallies)
    for start, end in ((0, 3), (0, 3), (1, 5), (2, 4), (0, 7), (0, 7)):
        count.run(LIFE[start:end])
    assert counts(tallies) == queue.Counts()


@pytest.mark.parametrize("start", range(7))
def test_a_batch_that_comes_again_in_other_pieces_counts_once(tallies, start):
    count = upkeep.Count(tallies=tallies)
    count.run(LIFE[:start])
    count.run(LIFE[:5])
    assert counts(tallies) == COUNTED[max(start, 5) - 1]


def test_sequences_are_numbers_not_texts(tallies):
    count = upkeep.Count(tallies=tallies)
    count.run([change(10, DELAYED, ACTIVE), change(9, None, DELAYED)])
    count.run([change(9, None, DELAYED), change(100, None, ACTIVE), change(20, None, ACTIVE)])
    assert counts(tallies) == queue.Counts(active=3)


def test_the_partitions_of_one_batch_count_apart(tallies):
    changes = [
        change(5, None, ACTIVE, "a#0"),
        change(1, None, DELAYED, "b#0"),
        change(7, ACTIVE, INACTIVE, "a#0"),
        change(2, None, ACTIVE, "b#0"),
    ]
    upkeep.Count(tallies=tallies).run(changes)
    assert tallies.counts(["a#0", "b#0", "c#0"]) == {
        "a#0": queue.Counts(inactive=1),
        "b#0": queue.Counts(active=1, delayed=1),
    }


def test_no_changes_are_no_work(tallies):
    upkeep.Count(tallies=tallies).run([])
    assert tallies == memory.Tallies()


def test_the_counts_of_a_queue_follow_what_happens_to_its_messages(process, clock, tables):
    process.create(visibility_timeout=30)

    def counted():
        process.count.run(tables.messages.changes)
        return process.queues.get_attributes(HERE, "demo")[1]

    seen = [counted()]
    process.send("a")
    handle = process.send("b", delay_seconds=10).receipt_handle
    process.send("c")
    seen.append(counted())
    [received] = process.receive()
    seen.append(counted())
    process.messages.change_visibility(HERE, "demo", handle, 5)
    clock.advance(5)
    process.release.run()
    seen.append(counted())
    process.messages.delete(HERE, "demo", received.receipt_handle)
    seen.append(counted())
    assert seen == [
        queue.Counts(),
        queue.Counts(active=2, delayed=1),
        queue.Counts(active=1, inactive=1, delayed=1),
        queue.Counts(active=2, inactive=1),
        queue.Counts(active=2),
    ]


# Purge


class SlowMessages(memory.Messages):
    """Each step of a purge takes ten seconds."""

    clock: fakes.Clock

    def purge(self, partition):
        self.clock.advance(10)
        return super().purge(partition)


def deleted_queue(tables, messages, *, shards=1):
    """A queue with messages in every state and shard that was deleted."""
    process = fakes.Process(tables, shards=shards)
    made = process.create()
    for shard in range(shards):
        process.ids.picked = shard
        for seconds in [0, 0, 60]:
            process.send(delay_seconds=seconds)
    process.receive(shards)
    process.queues.delete(HERE, "demo")
    return process, made


def test_a_purge_empties_every_shard_whatever_the_state_of_the_messages_and_lets_the_tallies_go(tables):
    process, made = deleted_queue(tables, tables.messages, shards=2)
    assert process.purge.run(made) is True
    assert tables.messages.stored == {partition: {} for partition in made.partitions}
    assert tables.tallies.retired == dict.fromkeys(made.partitions, NOW)


def test_a_purge_that_may_take_no_time_does_a_page_at_each_run(tables):
    _, made = deleted_queue(tables, tables.messages, shards=2)
    purge = upkeep.Purge(
        messages=tables.messages,
        subscriptions=tables.subscriptions,
        tallies=tables.tallies,
        sealing=tables.sealing,
        clock=tables.clock,
        seconds=0,
    )
    outcomes = [purge.run(made)]
    while not outcomes[-1]:
        outcomes.append(purge.run(made))
    assert outcomes == [False] * 4 + [True]  # two pages of the fake in each shard, and a look that finds both empty


def test_a_purge_of_an_empty_queue_is_done_at_once(process, tables):
    made = process.create()
    process.queues.delete(HERE, "demo")
    assert process.purge.run(made) is True
    assert tables.tallies.retired == {made.partitions[0]: NOW}


def test_a_purge_may_come_twice(tables):
    process, made = deleted_queue(tables, tables.messages)
    assert [process.purge.run(made), process.purge.run(made)] == [True, True]


def test_a_purge_spares_a_namesake_and_every_other_queue(tables):
    process, made = deleted_queue(tables, tables.messages)
    process.create()
    process.send("of the namesake")
    process.purge.run(made)
    assert process.bodies() == ["of the namesake"]


def test_a_purge_stops_when_its_time_is_over_and_goes_on_when_it_comes_again(tables):
    tables.messages = SlowMessages(stamps=tables.ids)
    tables.messages.clock = tables.clock
    process, made = deleted_queue(tables, tables.messages, shards=4)
    assert process.purge.run(made) is False
    assert 0 <= tables.clock.now() - NOW - limits.PURGE_SECONDS * 1000 < 10  # ms, of breath
    assert list(tables.tallies.retired) == [made.partitions[0]]
    outcomes = [process.purge.run(made)]
    while outcomes[-1] is False:
        outcomes.append(process.purge.run(made))
    assert outcomes[-1] is True
    assert tables.messages.stored == {partition: {} for partition in made.partitions}
    assert set(tables.tallies.retired) == set(made.partitions)
