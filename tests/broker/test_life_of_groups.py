"""Section 11.6 as a machine: whatever is sent, received, moved and deleted in whatever order, each group keeps its own.

The model keeps the messages of each group in the order of their answers, and works out from their moments alone what a
receive may hand out: the first ones of groups of which nothing is Inactive, without those that are dead letters.
"""

import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from chalicelib.model import errors, message, queue, resource
from tests.broker.fakes import HERE, Process, Tables

RETENTION = 120  # seconds, of every message
VISIBILITY = 30  # seconds after a receive
MOST = 3  # receives of a message
GROUPS = st.sampled_from("abc")


@dataclasses.dataclass(kw_only=True)
class Known:
    """What the model knows of a message."""

    message_id: str
    group: str
    expires_at: int
    visible_at: int = 0
    handle: str | None = None  # the one that counts while the message is Inactive
    receives: int = 0


class FifoQueue(RuleBasedStateMachine):
    """One FIFO queue with a dead-letter queue, and what they should hold."""

    handles = Bundle("handles")

    def tables(self) -> Tables:
        return Tables()

    @initialize()
    def create(self):
        self.process = Process(self.tables(), shards=2)
        fifo, change = resource.Type.FIFO, queue.QueueChange
        self.process.queues.create(HERE, "dead", change(message_retention_period=RETENTION), kind=fifo)
        policy = resource.DeadLetter(enabled=True, target="dead", max_receive_count=MOST)
        attributes = change(visibility_timeout=VISIBILITY, message_retention_period=RETENTION, dead_letter=policy)
        self.process.queues.create(HERE, "demo", attributes, kind=fifo)
        self.known: list[Known] = []
        self.dead: list[Known] = []

    @property
    def now(self) -> int:
        return self.process.clock.now()

    def alive(self, group: str) -> list[Known]:
        return [item for item in self.known if item.group == group and self.now < item.expires_at]

    def receivable(self, group: str) -> list[Known]:
        """What may be received of a group now, first to last."""
        alive = self.alive(group)
        if any(self.now < item.visible_at for item in alive):
            return []
        return [item for item in alive if item.receives < MOST]

    def holder(self, handle: str) -> Known | None:
        """The message that a handle is valid for now."""
        for item in self.known:
            if item.handle == handle and self.now < item.visible_at and self.now < item.expires_at:
                return item
        return None

    def remember(self, sent: message.Sent) -> None:
        assert sent.receipt_handle is None
        item = sent.message
        self.known.append(
            Known(message_id=item.message_id, group=str(item.group_id), expires_at=self.now + RETENTION * 1000)
        )

    @rule(group=GROUPS)
    def send(self, group):
        self.remember(self.process.send(group_id=group))

    @rule(groups=st.lists(GROUPS, min_size=1, max_size=5))
    def send_batch(self, groups):
        drafts = [message.Draft(body="batch", group_id=group) for group in groups]
        for sent in self.process.messages.send_batch(HERE, "demo", drafts):
            self.remember(sent)

    @rule(target=handles, limit=st.sampled_from([1, 1, 2, 16]))
    def receive(self, limit):
        free = {group: self.receivable(group) for group in "abc"}
        received = self.process.receive(limit)
        by_group: dict[str, list[str]] = {}
        for item in received:
            by_group.setdefault(str(item.message.group_id), []).append(item.message.message_id)
        for group, ids in by_group.items():
            assert ids == [item.message_id for item in free[group][: len(ids)]]
        wanted = sum(bool(items) for items in free.values())
        assert min(wanted, limit) <= len(received) <= limit
        for item in received:
            known = next(one for one in self.known if one.message_id == item.message.message_id)
            known.receives += 1
            known.visible_at, known.handle = self.now + VISIBILITY * 1000, item.receipt_handle
            assert (item.message.visible_at, item.message.dequeue_count) == (known.visible_at, known.receives)
        return multiple(*(item.receipt_handle for item in received))

    @rule(limit=st.sampled_from([1, 3, 16]))
    def peek(self, limit):
        free = {group: [item.message_id for item in self.receivable(group)] for group in "abc"}
        if not any(free.values()):
            with pytest.raises(errors.MessageNotExist):
                self.process.messages.peek(HERE, "demo", limit=limit)
            return
        peeked = self.process.messages.peek(HERE, "demo", limit=limit)
        for group, ids in free.items():
            seen = [item.message_id for item in peeked if item.group_id == group]
            assert seen == ids[: len(seen)]

    @rule(batch=st.lists(consumes(handles), min_size=1, max_size=3))
    def delete(self, batch):
        holders = [self.holder(handle) for handle in batch]
        failures = self.process.messages.delete_batch(HERE, "demo", batch)
        assert [handle for handle, _ in failures] == [
            handle for handle, holder in zip(batch, holders, strict=True) if holder is None
        ]
        for holder in filter(None, holders):
            self.known.remove(holder)

    @rule(target=handles, handle=handles, seconds=st.sampled_from([1, 30, 60, 200]))
    def change_visibility(self, handle, seconds):
        holder = self.holder(handle)
        if holder is None:
            with pytest.raises(errors.MessageNotExist):
                self.process.messages.change_visibility(HERE, "demo", handle, seconds)
            return multiple()
        postponed = self.process.messages.change_visibility(HERE, "demo", handle, seconds)
        holder.visible_at, holder.handle = self.now + seconds * 1000, postponed.receipt_handle
        return postponed.receipt_handle

    @rule(seconds=st.sampled_from([0.001, 1, 5, 29.999, 30, 31, 60]))
    def wait(self, seconds):
        self.process.clock.advance(seconds)

    @rule()
    def release(self):
        self.process.release.run()

    @rule()
    def restart(self):
        """Another process, which remembers nothing, goes on."""
        self.process = Process(self.process.tables, shards=2)

    @invariant()
    def receipts_name_their_group(self):
        assert all(len(item.handle) == 60 for item in getattr(self, "known", []) if item.handle)

    def drain(self, name: str) -> dict[str, list[str]]:
        """Receive and delete all that there is, group by group."""
        found: dict[str, list[str]] = {}
        for _ in range(200):
            _, received, _ = self.process.messages.receive(HERE, name, 16)
            if not received:
                break
            for item in received:
                of = item.message
                origin = {one.name: one.value for one in of.system_properties}.get("DLQOriginMessageId", of.message_id)
                found.setdefault(str(of.group_id), []).append(origin)
                self.process.messages.delete(HERE, name, item.receipt_handle)
        return found

    def teardown(self):
        """In the end all that is neither deleted nor too old is there, once, in order: received or a dead letter."""
        if not hasattr(self, "process"):
            return
        self.process.clock.advance(VISIBILITY)
        alive = {group: self.alive(group) for group in "abc"}
        blocked = {group for group, items in alive.items() if any(self.now < item.visible_at for item in items)}
        received, letters = self.drain("demo"), self.drain("dead")
        for group, items in alive.items():
            if group in blocked:
                assert group not in received
                continue
            assert received.get(group, []) == [item.message_id for item in items if item.receives < MOST]
            dead = [item.message_id for item in items if item.receives >= MOST]
            assert [letter for letter in letters.get(group, []) if letter in dead] == dead


TestLifeOfGroups = FifoQueue.TestCase
TestLifeOfGroups.settings = settings(max_examples=40, stateful_step_count=30, deadline=None, database=None)
