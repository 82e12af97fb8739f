"""The machine of FIFO queues, on the tables: what holds for the plain dictionaries of the broker's tests holds here."""

import os

from hypothesis import settings

from chalicelib.storage import batches, client, errors, messages, payloads, queues, resources, sealing
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault
from tests.broker.fakes import Tables
from tests.broker.test_life_of_groups import FifoQueue


class StoredQueue(FifoQueue):
    """The same queue, on the embedded engine."""

    def tables(self) -> Tables:
        made = Tables()
        self.engine = EmbeddedEngine(None, now=made.clock.now)
        engines.make_tables(self.engine, "t-")
        gate = errors.Gate(self.engine)
        batch = batches.Batches(gate=gate, clock=made.clock)
        seal = sealing.Sealing(gate=gate, prefix="t-", vault=vault.in_memory(), draw=os.urandom)
        made.queues = queues.Queues(resources=resources.Resources(gate=gate, prefix="t-"))
        made.messages = messages.Messages(
            gate=gate,
            batches=batch,
            payloads=payloads.Payloads(gate=gate, batches=batch, sealing=seal, prefix="t-", inline=1024),
            fan=client.one_by_one,
            ids=made.ids,
            prefix="t-",
        )
        return made

    def teardown(self):
        super().teardown()
        if hasattr(self, "engine"):
            self.engine.close()


TestLifeOfGroups = StoredQueue.TestCase
TestLifeOfGroups.settings = settings(max_examples=30, stateful_step_count=30, deadline=None, database=None)
