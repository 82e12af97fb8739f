"""Messages are read before they are claimed: whatever comes between, a claim takes those that come first now."""

import contextlib
from concurrent import futures
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chalicelib.model import dead_letter, errors
from infra.local.store import bounds
from tests.conftest import NOW
from tests.infra.local.store.test_messages import Kept
from tests.storage import test_messages as ordinary
from tests.storage.test_resources import HERE

HIDDEN = 30_000
COUNTS = st.integers(1, 5)
Place = tuple[int, int, str]


@dataclass
class Known:
    """What a message is known to be."""

    place: Place
    expires_at: int
    dequeues: int = 0


class Claims(RuleBasedStateMachine):
    """A queue, and what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = Kept(None)
        self.of = ordinary.make_queue()
        self.route = dead_letter.Route(
            namespace=HERE, source=self.of, target=ordinary.make_queue(), max_receive_count=2
        )
        self.waiting: dict[str, Known] = {}
        self.active: dict[str, Known] = {}

    def teardown(self):
        self.kept.engine.close()

    @rule(priorities=st.lists(st.integers(1, 3), min_size=1, max_size=6), delay=st.sampled_from([0, 0, 0, 5_000]))
    def send(self, priorities: list[int], delay: int):
        for priority in priorities:
            self._put(priority, delay, 60_000)

    @rule(priority=st.integers(1, 3))
    def send_what_is_soon_too_old(self, priority: int):
        self._put(priority, 0, 2_000)

    @rule(priority=st.integers(1, 3), limit=COUNTS)
    def send_and_claim_in_a_batch_that_comes_to_nothing(self, priority: int, limit: int):
        with contextlib.suppress(ZeroDivisionError), self.kept.engine.batch():
            self.kept.messages.put(self.of, ordinary.make_message(priority=priority, visible_at=self.kept.now))
            self.kept.claim(self.of, now=self.kept.now, limit=limit)
            raise ZeroDivisionError

    @rule(limit=COUNTS, is_dead=st.booleans())
    def claim(self, limit: int, *, is_dead: bool):
        """What was received twice is dead, if there is a dead-letter queue, and cannot go, for that queue is gone."""
        self._time_passes()
        best = self._best(limit, is_dead=is_dead)
        found = self.kept.claim(self.of, now=self.kept.now, limit=limit, dead=self.route if is_dead else None)
        assert [each.message_id for each in found] == best
        for name in best:
            known = self.waiting[name] = self.active.pop(name)
            known.place = (known.place[0], self.kept.now + HIDDEN, name)
            known.dequeues += 1

    @rule(limit=COUNTS, is_dead=st.booleans())
    def peek(self, limit: int, *, is_dead: bool):
        self._time_passes()
        dead = self.route if is_dead else None
        found = self.kept.messages.peek(self.of, limit=limit, now=self.kept.now, dead=dead)
        assert [each.message_id for each in found] == self._best(limit, is_dead=is_dead)

    @rule(seconds=st.sampled_from([1, 3, 31]))
    def wait(self, seconds: int):
        self.kept.now += seconds * 1000

    @rule()
    def sweep(self):
        self.kept.engine.expire(100)
        self.waiting = {name: known for name, known in self.waiting.items() if known.expires_at > self.kept.now}

    @rule()
    def purge(self):
        while self.kept.messages.purge(self.of.partitions[0]):
            pass
        self.waiting.clear()
        self.active.clear()

    @invariant()
    def what_is_told_to_other_processes_is_not_too_high(self):
        told = self.kept.messages.rows.tells
        there = [known.place[:2] for known in self.active.values() if known.expires_at > self.kept.now]
        assert told.first(self.of.queue_id) <= min([bounds.rank(*place) for place in there], default=bounds.NOTHING)
        dues = [known.place[1] for known in self.waiting.values() if known.expires_at > self.kept.now]
        assert not [due for due in dues if due <= self.kept.now and not told.is_due(self.of.queue_id, self.kept.now)]

    @invariant()
    def the_counts_are_those_of_the_rows(self):
        states = "sum(state = 0), sum(state = 1 AND dequeues > 0), sum(state = 1 AND dequeues = 0)"
        rows = self.kept.messages.rows.db.execute(f"SELECT {states} FROM queue_messages").fetchone()  # noqa: S608
        assert self.kept.count(self.of) == tuple(count or 0 for count in rows)

    def _best(self, limit: int, *, is_dead: bool) -> list[str]:
        alive = [name for name, known in self.active.items() if not (is_dead and self.route.takes(known.dequeues))]
        return sorted(alive, key=lambda name: self.active[name].place)[:limit]

    def _put(self, priority: int, delay: int, retention: int) -> None:
        now = self.kept.now
        new = ordinary.make_message(
            priority=priority, enqueued_at=now, visible_at=now + delay, expires_at=now + retention
        )
        self.kept.messages.put(self.of, new)
        known = Known(place=(priority, now + delay, new.message_id), expires_at=now + retention)
        (self.waiting if delay else self.active)[new.message_id] = known

    def _time_passes(self) -> None:
        now = self.kept.now
        for name, known in list(self.waiting.items()):
            if known.place[1] <= now:
                self.active[name] = self.waiting.pop(name)
        self.active = {name: known for name, known in self.active.items() if known.expires_at > now}


TestClaims = Claims.TestCase
TestClaims.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@pytest.fixture
def kept():
    made = Kept(None)
    yield made
    made.engine.close()


def test_a_claim_that_fails_passes_nothing_over(kept, monkeypatch):
    of = ordinary.make_queue()
    kept.messages.put_all(of, [ordinary.make_message(f"{number}") for number in range(4)])

    def failing(n: int, columns: tuple) -> tuple:
        raise errors.InternalError("The body of a message is missing.")

    with kept.engine.batch():
        with monkeypatch.context() as broken:
            broken.setattr(kept.messages.rows.payloads, "read", failing)
            with pytest.raises(errors.InternalError):
                kept.claim(of, limit=2)
        # What has been written stays with the batch: the first one was claimed.
        assert [found.body for found in kept.claim(of)] == ["1"]


@pytest.mark.parametrize(("limit", "times"), [(1, 3), (16, 1), (2, 2)])
def test_many_queues_are_not_all_remembered(kept, limit, times):
    queues = [ordinary.make_queue() for _ in range(300)]
    for of in queues:
        kept.messages.put_all(of, [ordinary.make_message(f"{number}") for number in range(3)])
    got: dict[str, list[str]] = {of.queue_id: [] for of in queues}
    for _ in range(times):
        for of in queues:
            got[of.queue_id] += [found.body for found in kept.claim(of, limit=limit)]
    assert list(got.values()) == [["0", "1", "2"]] * len(queues)
    assert {kept.count(of) for of in queues} == {(0, 3, 0)}


@pytest.mark.parametrize("deleted", [False, True])
def test_a_dead_letter_that_cannot_go_does_not_bring_back_what_was_received_with_it(kept, deleted):
    of, gone = ordinary.make_queue(), ordinary.make_queue()
    dead = dead_letter.Route(namespace=HERE, source=of, target=gone, max_receive_count=1)
    kept.messages.put(of, ordinary.make_message("dead", priority=8, expires_at=NOW + 10**9))
    kept.claim(of)
    kept.messages.put(of, ordinary.make_message("live", priority=1, expires_at=NOW + 10**9))
    now = NOW + HIDDEN
    [live] = kept.claim(of, now=now, limit=2, dead=dead)
    if deleted:
        assert kept.messages.delete([live.receipt(of)], now=now) == (None,)
    assert (live.body, kept.claim(of, now=now, limit=2, dead=dead)) == ("live", ())
    assert kept.count(of) == (1, 0 if deleted else 1, 0)
    assert kept.messages.rows.tells.first(of.queue_id) <= bounds.rank(8, now)


def test_what_is_told_to_other_processes_is_told_in_the_order_of_commits(kept, monkeypatch):
    tell, told = kept.messages.rows.tells.tell_first, []

    def watched(queue_id: str, rank: int, *, sure: bool) -> None:
        with futures.ThreadPoolExecutor(1) as other:  # whoever else wants to write has to wait
            told.append(other.submit(engine_is_free).result())
        tell(queue_id, rank, sure=sure)

    lock = kept.engine._lock  # the engine's own

    def engine_is_free() -> bool:
        free = lock.acquire(blocking=False)
        if free:
            lock.release()
        return free

    monkeypatch.setattr(kept.messages.rows.tells, "tell_first", watched)
    of = ordinary.make_queue()
    kept.messages.put(of, ordinary.make_message())
    with kept.engine.batch():
        kept.claim(of)
    kept.messages.peek(of, limit=1, now=NOW)
    assert told
    assert not any(told)


def test_what_was_read_is_gone_with_a_purge(kept):
    of = ordinary.make_queue()
    kept.messages.put_all(of, [ordinary.make_message() for _ in range(3)])
    kept.claim(of)
    while kept.messages.purge(of.partitions[0]):
        pass
    assert kept.claim(of) == ()


def test_what_was_read_and_is_too_old_is_not_counted_twice(kept):
    of = ordinary.make_queue()
    kept.messages.put_all(of, [ordinary.make_message(expires_at=kept.now + 2_000) for _ in range(3)])
    kept.claim(of)
    kept.now += 2_000
    assert kept.engine.expire(100) == 3
    assert (kept.claim(of, now=kept.now), kept.count(of)) == ((), (0, 0, 0))
