"""Section 11 as a machine: whatever is sent, received, moved and deleted in whatever order, no message is lost.

The model keeps each message with its moments, and works out from them alone what every verb has to answer.
"""

import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from chalicelib.model import errors, message, queue
from tests.broker.fakes import HERE, Process, Tables

RETENTION = 120  # seconds, of every message
VISIBILITY = 30  # seconds after a receive


@dataclasses.dataclass(kw_only=True)
class Known:
    """What the model knows of a message."""

    number: int  # in the order of sending
    body: str
    priority: int
    expires_at: int
    visible_at: int
    handle: str | None  # the one that counts while the message waits
    receives: int = 0


class Queue(RuleBasedStateMachine):
    """One queue with one shard, and what it should hold."""

    handles = Bundle("handles")

    def tables(self) -> Tables:
        return Tables()

    @initialize()
    def create(self):
        self.process = Process(self.tables())
        self.process.create(visibility_timeout=VISIBILITY, message_retention_period=RETENTION)
        self.known: dict[str, Known] = {}
        self.sent = 0
        self.seen_changes = 0

    @property
    def now(self) -> int:
        return self.process.clock.now()

    def active(self) -> list[str]:
        """The ids of the messages that may be received now, best first."""
        there = {key: item for key, item in self.known.items() if item.visible_at <= self.now < item.expires_at}
        return sorted(there, key=lambda key: (there[key].priority, there[key].visible_at, there[key].number))

    def matches(self, found: list[str], expected: list[str]) -> bool:
        """Whether these are the messages that had to come."""
        return found == expected

    def holder(self, handle: str) -> str | None:
        """The id of the message that a handle is valid for now."""
        for key, item in self.known.items():
            if item.handle == handle and self.now < item.visible_at and self.now < item.expires_at:
                return key
        return None

    def remember(self, sent: message.Sent, priority: int, delay: int) -> str | None:
        self.sent += 1
        self.known[sent.message.message_id] = Known(
            number=self.sent,
            body=sent.message.body,
            priority=priority,
            expires_at=self.now + RETENTION * 1000,
            visible_at=self.now + delay * 1000,
            handle=sent.receipt_handle,
        )
        assert (sent.receipt_handle is not None) == (delay > 0)
        return sent.receipt_handle

    @rule(target=handles, priority=st.sampled_from([1, 8, 8, 16]), delay=st.sampled_from([0, 0, 0, 1, 30, 119, 121]))
    def send(self, priority, delay):
        sent = self.process.send(f"body {self.sent}", priority=priority, delay_seconds=delay)
        handle = self.remember(sent, priority, delay)
        return multiple(handle) if handle else multiple()

    @rule(
        target=handles,
        entries=st.lists(st.tuples(st.integers(1, 16), st.sampled_from([0, 0, 5])), min_size=1, max_size=4),
    )
    def send_batch(self, entries):
        drafts = [message.Draft(body="batch", priority=priority, delay_seconds=delay) for priority, delay in entries]
        outcomes = self.process.messages.send_batch(HERE, "demo", drafts)
        handles = [self.remember(sent, *entry) for sent, entry in zip(outcomes, entries, strict=True)]
        return multiple(*filter(None, handles))

    @rule(target=handles, limit=st.sampled_from([1, 1, 2, 16]))
    def receive(self, limit):
        expected = self.active()[:limit]
        received = self.process.receive(limit)
        assert self.matches([item.message.message_id for item in received], expected)
        for item in received:
            known = self.known[item.message.message_id]
            known.visible_at, known.handle = self.now + VISIBILITY * 1000, item.receipt_handle
            known.receives += 1
            assert (item.message.body, item.message.visible_at, item.message.dequeue_count) == (
                known.body,
                known.visible_at,
                known.receives,
            )
        return multiple(*(item.receipt_handle for item in received))

    @rule(limit=st.sampled_from([1, 3, 16]))
    def peek(self, limit):
        expected = self.active()[:limit]
        if expected:
            peeked = self.process.messages.peek(HERE, "demo", limit=limit)
            assert self.matches([item.message_id for item in peeked], expected)
        else:
            with pytest.raises(errors.MessageNotExist):
                self.process.messages.peek(HERE, "demo", limit=limit)

    @rule(handle=handles)
    def delete(self, handle):
        holder = self.holder(handle)
        if holder is None:
            with pytest.raises(errors.MessageNotExist):
                self.process.messages.delete(HERE, "demo", handle)
        else:
            self.process.messages.delete(HERE, "demo", handle)
            del self.known[holder]

    @rule(batch=st.lists(consumes(handles), min_size=1, max_size=3))
    def delete_batch(self, batch):
        holders = [self.holder(handle) for handle in batch]
        failures = self.process.messages.delete_batch(HERE, "demo", batch)
        assert [handle for handle, _ in failures] == [
            handle for handle, holder in zip(batch, holders, strict=True) if holder is None
        ]
        for holder in filter(None, holders):
            del self.known[holder]

    @rule(target=handles, handle=handles, seconds=st.sampled_from([1, 30, 60, 200]))
    def change_visibility(self, handle, seconds):
        holder = self.holder(handle)
        if holder is None:
            with pytest.raises(errors.MessageNotExist):
                self.process.messages.change_visibility(HERE, "demo", handle, seconds)
            return multiple()
        postponed = self.process.messages.change_visibility(HERE, "demo", handle, seconds)
        known = self.known[holder]
        known.visible_at, known.handle = self.now + seconds * 1000, postponed.receipt_handle
        assert postponed.next_visible_at == known.visible_at
        return postponed.receipt_handle

    @rule(seconds=st.sampled_from([0.001, 1, 5, 29.999, 30, 31, 60]))
    def wait(self, seconds):
        self.process.clock.advance(seconds)

    @rule(seconds=st.sampled_from([0, 0, 3]))
    def release(self, seconds):
        self.process.release.run(seconds=seconds)

    @rule(again=st.booleans())
    def count(self, *, again):
        self.process.release.run()
        self.catch_up(again=again)
        alive = [item for item in self.known.values() if self.now < item.expires_at]
        waiting = [item for item in alive if self.now < item.visible_at]
        _, counts = self.process.queues.get_attributes(HERE, "demo")
        assert counts == queue.Counts(
            active=len(alive) - len(waiting),
            inactive=sum(item.receives > 0 for item in waiting),
            delayed=sum(item.receives == 0 for item in waiting),
        )

    def catch_up(self, *, again: bool) -> None:
        """Sweep and count; `again` what has been counted already."""
        tables = self.process.tables
        tables.messages.expire(self.now)
        start = 0 if again else self.seen_changes
        self.process.count.run(tables.messages.changes[start:])
        self.seen_changes = len(tables.messages.changes)

    def stored(self) -> set[str]:
        """The ids of all messages that are kept."""
        return {key for partition in self.process.tables.messages.stored.values() for key in partition}

    @invariant()
    def no_message_is_lost_before_its_retention_ends(self):
        assert {key for key, item in self.known.items() if self.now < item.expires_at} <= self.stored()

    def teardown(self):
        """In the end, what was neither deleted nor too old is received, each message once."""
        if not hasattr(self, "process"):
            return
        self.process.clock.advance(VISIBILITY)
        expected = self.active()
        received = []
        while batch := self.process.receive(16):
            received += [item.message.message_id for item in batch]
        assert self.matches(received, expected)


TestLifeOfMessages = Queue.TestCase
TestLifeOfMessages.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
