"""The trigger driver on each engine, with a clock moved by hand."""

import time
from dataclasses import dataclass, field

import pytest

from chalicelib import bootstrap, settings
from chalicelib.model import account, errors, message, queue
from chalicelib.storage import schema
from infra.local import driver as drivers
from infra.local import engine as engines
from infra.local import parking, vault

HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")


@dataclass
class Local:
    """A local application without a server."""

    application: bootstrap.Application
    lot: parking.ParkingLot
    engine: engines.LocalEngine
    prefix: str
    rings: list[str] = field(default_factory=list)

    def driver(self) -> drivers.Driver:
        return drivers.Driver(engine=self.engine, prefix=self.prefix, clock=self.application.clock, lot=self.lot)

    def send(self, name: str, *delays: int) -> None:
        for delay in delays:
            self.application.verbs.messages.send(HERE, name, message.Draft(body="x", delay_seconds=delay))

    def receive(self, name: str) -> message.Received:
        [received] = self.application.verbs.messages.receive(HERE, name, 1)[1]
        return received

    def counts(self, name: str) -> queue.Counts:
        return self.application.verbs.queues.get_attributes(HERE, name)[1]

    def park(self, queue_id: str) -> None:
        """Note when the queue is rung for."""
        self.lot.park(queue_id, self.lot.mark(), lambda: self.rings.append(queue_id))


@pytest.fixture
def local(engine, prefix, clock) -> Local:
    made = bootstrap.build(settings.Settings(table_prefix=prefix), engine=engine, clock=clock, vault=vault.in_memory())
    bootstrap.install(made)
    return Local(application=made, lot=parking.ParkingLot(), engine=engine, prefix=prefix)


@pytest.fixture
def queue_id(local) -> str:
    """A queue called q."""
    return local.application.verbs.queues.create(HERE, "q", queue.QueueChange())[0].queue_id


def test_settling_makes_the_counts_those_of_this_moment(local, queue_id):
    local.send("q", 0, 0, 0, 60)
    driver = local.driver()
    driver.settle()
    assert local.counts("q") == queue.Counts(active=3, delayed=1)
    received = local.receive("q")
    driver.settle()
    assert local.counts("q") == queue.Counts(active=2, inactive=1, delayed=1)
    local.application.verbs.messages.delete(HERE, "q", received.receipt_handle)
    driver.settle()
    assert local.counts("q") == queue.Counts(active=2, delayed=1)


def test_a_message_that_was_sent_is_rung_for_and_a_delayed_one_when_it_is_due(local, queue_id, clock):
    driver = local.driver()
    local.park(queue_id)
    local.send("q", 5)
    driver.settle()
    assert local.rings == []
    clock.advance(5)
    driver.settle()
    assert local.rings == [queue_id]
    assert local.counts("q") == queue.Counts(active=1)
    local.park(queue_id)
    local.send("q", 0)
    driver.settle()
    assert local.rings == [queue_id, queue_id]


def test_a_message_whose_visibility_timeout_is_over_is_rung_for(local, queue_id, clock):
    driver = local.driver()
    local.send("q", 0)
    local.receive("q")
    driver.settle()
    local.park(queue_id)
    clock.advance(29)
    driver.settle()
    assert local.rings == []
    clock.advance(1)
    driver.settle()
    assert (local.rings, local.counts("q")) == ([queue_id], queue.Counts(active=1))


def test_the_driver_knows_when_the_next_message_is_due(local, queue_id, clock):
    driver = local.driver()
    driver._sweep()
    local.send("q", 600)
    driver.settle()
    swept = driver._pause()
    assert swept == drivers._SWEEP_SECONDS
    local.send("q", 1)
    driver.settle()
    clock.advance(0.5)
    assert driver._pause() == 0.5


def test_the_driver_waits_for_what_it_is_told_to_expect(local, queue_id, clock):
    driver = local.driver()
    driver._sweep()
    driver.settle()
    for seconds in (30, 0.5, 20):
        driver.expect(queue_id, clock.now() + round(seconds * 1000))
    assert driver._pause() == 0.5
    clock.advance(0.5)
    driver.settle()
    assert driver.next_due() is None  # the release found no message, so there is none to wait for
    driver.expect("of a queue that is no more", clock.now() + 1_000)
    clock.advance(1)
    driver.settle()
    assert driver.next_due() is None


def test_what_one_process_tells_of_does_not_take_the_place_of_what_another_one_does(local, queue_id, clock):
    driver = local.driver()
    driver._sweep()
    driver.settle()
    driver.expect(queue_id, clock.now() + 900, process=1)
    driver.expect(queue_id, clock.now() + 500)
    assert driver._pause() == 0.5
    clock.advance(0.5)
    driver.settle()
    assert driver._pause() == 0.4


def test_a_driver_started_later_takes_up_what_came_due_while_there_was_none(local, queue_id, clock):
    local.send("q", 5, 500)
    clock.advance(10)
    driver = local.driver()
    driver.start()
    driver.stop()
    assert local.counts("q") == queue.Counts(active=1, delayed=1)
    assert local.receive("q").message.dequeue_count == 1


def test_a_second_driver_reads_on_where_the_first_one_stopped(local, queue_id):
    local.send("q", 0, 0)
    local.driver().settle()
    second = local.driver()
    local.send("q", 0)
    handed_over = [len(records) for records in second._messages.drain()]
    assert handed_over == [1]


def test_a_deleted_queue_is_emptied_by_the_driver(local, queue_id):
    local.send("q", 0, 0, 60)
    driver = local.driver()
    driver.settle()
    local.application.verbs.queues.delete(HERE, "q")
    driver._purge()
    driver.settle()
    left = local.engine.query(
        TableName=local.prefix + schema.MESSAGES.name,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": queue.partition(queue_id, 0)}},
    )
    assert left["Count"] == 0
    with pytest.raises(errors.QueueNotExist):
        local.counts("q")


def test_a_started_driver_counts_what_is_written_without_being_asked(local, queue_id):
    driver = local.driver()
    driver.start()
    try:
        local.park(queue_id)
        local.send("q", 0)
        for _ in range(500):
            if local.rings:
                break
            time.sleep(0.01)
        assert local.rings == [queue_id]
    finally:
        driver.stop()
