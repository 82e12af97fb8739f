"""The machines of the broker's tests on the local server's own way to keep messages: what holds there holds here."""

import os

from hypothesis import settings
from hypothesis.stateful import invariant

from chalicelib.storage import errors, queues, resources, sealing
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault
from infra.local.store import messages
from tests.broker.fakes import Tables
from tests.broker.test_life_of_groups import FifoQueue
from tests.broker.test_life_of_messages import Queue


def kept_in_sql(engine: EmbeddedEngine, made: Tables) -> Tables:
    """The tables with queues and messages in the engine's file."""
    engines.make_tables(engine, "t-")
    gate = errors.Gate(engine)
    made.queues = queues.Queues(resources=resources.Resources(gate=gate, prefix="t-"))
    made.messages = made.tallies = messages.here(
        engine,
        seal=sealing.Sealing(gate=gate, prefix="t-", vault=vault.in_memory(), draw=os.urandom),
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
        counted = self.select("SELECT queue, active, inactive, delayed FROM queue_counts ORDER BY queue")
        assert [row for row in counted if any(row[1:])] == self.select(
            "SELECT queue, sum(state <> 1 AND NOT held), sum(held OR (state = 1 AND dequeues > 0)),"
            " sum(state = 1 AND dequeues = 0) FROM (SELECT *, EXISTS (SELECT 1 FROM queue_groups g,"
            " json_each(g.heads) h WHERE g.queue = m.queue AND g.group_key = m.group_key AND"
            " json_extract(h.value, '$[1]') = m.id AND json_extract(h.value, '$[6]') <> '') AS held"
            " FROM queue_messages m) GROUP BY queue ORDER BY queue"
        )

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


class SqlGroups(InSql, FifoQueue):
    """A FIFO queue."""


TestLifeOfMessages = SqlQueue.TestCase
TestLifeOfMessages.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
TestLifeOfGroups = SqlGroups.TestCase
TestLifeOfGroups.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
