"""Messages are read before they are claimed: whatever comes between, a claim takes those that come first now."""

import contextlib
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chalicelib.model import errors
from infra.local.store import bounds
from tests.infra.local.store.test_messages import Kept
from tests.storage import test_messages as ordinary

HIDDEN = 30_000
COUNTS = st.integers(1, 5)
Place = tuple[int, int, str]


@dataclass
class Known:
    """What a message is known to be."""

    place: Place
    expires_at: int


class Claims(RuleBasedStateMachine):
    """A queue, and what is in it."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = Kept(None)
        self.of = ordinary.make_queue()
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

    @rule(limit=COUNTS)
    def claim(self, limit: int):
        self._time_passes()
        best = sorted(self.active, key=lambda name: self.active[name].place)[:limit]
        assert [found.message_id for found in self.kept.claim(self.of, now=self.kept.now, limit=limit)] == best
        for name in best:
            known = self.waiting[name] = self.active.pop(name)
            known.place = (known.place[0], self.kept.now + HIDDEN, name)

    @rule(limit=COUNTS)
    def peek(self, limit: int):
        self._time_passes()
        found = self.kept.messages.peek(self.of, limit=limit, now=self.kept.now)
        assert [each.message_id for each in found] == sorted(self.active, key=lambda name: self.active[name].place)[
            :limit
        ]

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


def test_many_queues_are_not_all_remembered(kept):
    queues = [ordinary.make_queue() for _ in range(300)]
    for of in queues:
        kept.messages.put_all(of, [ordinary.make_message(f"{number}") for number in range(3)])
    bodies = [[found.body for found in kept.claim(of)] for _ in range(3) for of in queues]
    assert bodies == [[f"{number}"] for number in range(3) for _ in queues]


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
