"""The machines of the broker's tests on the local server's own way to keep messages: what holds there holds here."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import invariant, rule

from chalicelib.model import queue
from chalicelib.storage import errors, queues, resources, sealing
from infra.embedded import database
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault
from infra.local.store import bounds, messages
from tests.broker.fakes import Process, Tables
from tests.broker.test_life_of_groups import FifoQueue
from tests.broker.test_life_of_messages import Queue
from tests.infra.local.store import crowd


def kept_in_sql(engine: EmbeddedEngine, made: Tables, messages_engine: EmbeddedEngine | None = None) -> Tables:
    """The tables with queues and messages in the engine's file, or in those of two engines."""
    engines.make_tables(engine, "t-")
    gate = errors.Gate(engine)
    made.queues = queues.Queues(resources=resources.Resources(gate=gate, prefix="t-"))
    made.seal = sealing.Sealing(gate=gate, prefix="t-", vault=vault.in_memory(), draw=os.urandom)
    made.messages = made.tallies = messages.here(
        messages_engine or engine,
        seal=made.seal,
        queues=made.queues,
        ids=made.ids,
        announce=lambda queue_id, visible, next_due: None,
    )
    return made


class InSql:
    """What both machines need."""

    def tables(self) -> Tables:
        made = Tables()
        self.engine = EmbeddedEngine(None, now=made.clock.now)
        return kept_in_sql(self.engine, made)

    def select(self, statement: str) -> list[tuple]:
        return self.process.tables.messages.rows.db.execute(statement).fetchall()

    @invariant()
    def the_counts_are_those_of_the_rows(self):
        if not hasattr(self, "process"):
            return
        found = self.select(
            "SELECT queue, sum(state <> 1 AND NOT held), sum(held OR (state = 1 AND dequeues > 0)),"
            " sum(state = 1 AND dequeues = 0) FROM (SELECT *, EXISTS (SELECT 1 FROM queue_groups g,"
            " json_each(g.heads) h WHERE g.queue = m.queue AND g.group_key = m.group_key AND"
            " json_extract(h.value, '$[1]') = m.id AND json_extract(h.value, '$[6]') <> '') AS held"
            " FROM queue_messages m) GROUP BY queue"
        )
        there = {
            queue_id: queue.Counts(active=active, inactive=inactive, delayed=delayed)
            for queue_id, active, inactive, delayed in found
        }
        known = there.keys() | {queue_id for (queue_id,) in self.select("SELECT queue FROM queue_counts")}
        counted = self.process.tables.messages.rows.counts(sorted(known))
        assert {queue_id: of for queue_id, of in counted.items() if of != queue.Counts()} == there

    def teardown(self):
        super().teardown()
        if hasattr(self, "engine"):
            assert self.select("SELECT count(*) FROM queue_bodies") == [(0,)]
            self.engine.close()


class SqlQueue(InSql, Queue):
    """An ordinary queue."""

    def catch_up(self, *, again: bool) -> None:
        while self.engine.expire(3):
            pass

    def stored(self) -> set[str]:
        return {key for (key,) in self.select("SELECT id FROM queue_messages")}


class ManyProcesses(Queue):
    """An ordinary queue whose messages several processes keep."""

    def tables(self) -> Tables:
        made = Tables()
        self.engine = EmbeddedEngine(None, now=made.clock.now)
        kept_in_sql(self.engine, made)
        self.crowd = crowd.Crowd(None, now=made.clock.now, seal=made.seal, queues=made.queues, ids=made.ids)
        made.messages = made.tallies = self.crowd
        return made

    def matches(self, found: list[str], expected: list[str]) -> bool:
        """Which of several of one priority comes is left to the processes; of a batch the first is the best."""
        ranks = {key: self.known[key].priority for key in self.active()}
        return (
            len(found) == len(set(found)) == len(expected)
            and ranks.keys() >= set(found)
            and [ranks[key] for key in found[:1]] == [ranks[key] for key in expected[:1]]
        )

    def catch_up(self, *, again: bool) -> None:
        while self.crowd.expire(3):
            pass

    def stored(self) -> set[str]:
        return {key for (key,) in self.crowd.select("SELECT id FROM queue_messages")}

    @invariant()
    def what_processes_tell_of_their_messages_is_never_too_high(self):
        for kept, told in self.crowd.told() if hasattr(self, "crowd") else ():
            for queue_id, first, due in kept.db.execute(
                "SELECT queue, min(iif(state = 0, (priority << 48) + visible_at, NULL)),"
                " min(iif(state = 1, visible_at, NULL)) FROM queue_messages GROUP BY queue"
            ).fetchall():
                assert told.first(queue_id) <= (first or bounds.NOTHING)
                assert told.is_due(queue_id, due or bounds.NOTHING)

    def teardown(self):
        try:
            super().teardown()
        finally:
            if hasattr(self, "engine"):
                self.crowd.close()
                self.engine.close()


class SqlGroups(InSql, FifoQueue):
    """A FIFO queue."""


class Killed:
    """The server is killed now and then, and goes on with what is in its files."""

    def tables(self) -> Tables:
        made = Tables()
        self.bytes, database.JOURNAL_BYTES = database.JOURNAL_BYTES, 3000
        self.folders = [Path(tempfile.mkdtemp())]
        self.rest = EmbeddedEngine(None, now=made.clock.now)
        self.engine = self.opened(made)
        return kept_in_sql(self.rest, made, self.engine)

    def opened(self, made: Tables) -> EmbeddedEngine:
        folder = self.folders[-1]
        return EmbeddedEngine(folder / "m.db", now=made.clock.now, journal=folder / "m.journal")

    @rule()
    def kill(self):
        self.folders.append(Path(tempfile.mkdtemp()))
        for file in self.folders[-2].iterdir():
            if file.suffix != ".db-shm":
                shutil.copy(file, self.folders[-1])
        self.engine.close()
        made = self.process.tables
        self.engine = self.opened(made)
        kept = messages.here(
            self.engine, seal=made.seal, queues=made.queues, ids=made.ids, announce=lambda queue_id, visible, due: None
        )
        made.messages = made.tallies = kept
        self.process = Process(made, shards=self.shards)

    def teardown(self):
        try:
            super().teardown()
        finally:
            if hasattr(self, "folders"):
                database.JOURNAL_BYTES = self.bytes
                self.rest.close()
                for folder in self.folders:
                    shutil.rmtree(folder)


class KilledQueue(Killed, SqlQueue):
    """An ordinary queue."""

    shards = 1


class KilledGroups(Killed, SqlGroups):
    """A FIFO queue."""

    shards = 2


TestLifeOfMessages = SqlQueue.TestCase
TestLifeOfMessages.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
TestLifeOfAKilledServer = KilledQueue.TestCase
TestLifeOfAKilledServer.settings = settings(max_examples=20, stateful_step_count=30, deadline=None, database=None)
TestLifeOfAKilledServersGroups = KilledGroups.TestCase
TestLifeOfAKilledServersGroups.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None, database=None
)
TestLifeInManyProcesses = ManyProcesses.TestCase
TestLifeInManyProcesses.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
TestLifeOfGroups = SqlGroups.TestCase
TestLifeOfGroups.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
