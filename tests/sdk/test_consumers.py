"""Many producers and consumers at once, through the Python client, and the checker that judges what they saw."""

import os
import threading
import time
from concurrent import futures
from dataclasses import dataclass, field

import pytest

from tests import live
from tests.sdk import clients, history
from tests.sdk.clients import Draft, RefusedError
from tests.sdk.history import Delete, Receive

if not os.environ.get("CI"):
    pytest.importorskip("mns")

MESSAGES = 500
PRODUCERS = CONSUMERS = 8
FORGOTTEN = 25  # every so many messages a consumer "crashes": it does not delete what it got the first time
VISIBILITY_SECONDS = 2
MOST_SECONDS = 120


@dataclass(kw_only=True)
class Run:
    """What all threads saw."""

    backlog: int  # how many messages may be sent and not yet deleted
    lock: threading.Lock = field(default_factory=threading.Lock)
    sent: dict[str, str] = field(default_factory=dict)  # message id -> body
    bodies: dict[str, str] = field(default_factory=dict)  # message id -> body, as received
    receives: list[Receive] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)
    room: threading.Semaphore = field(init=False)
    give_up_at: float = field(default_factory=lambda: time.monotonic() + MOST_SECONDS)

    def __post_init__(self) -> None:
        self.room = threading.Semaphore(self.backlog)

    def done(self) -> bool:
        with self.lock:
            return len(self.deletes) >= MESSAGES or time.monotonic() > self.give_up_at


def now() -> int:
    return time.time_ns() // 1_000_000


def produce(endpoint: str, queue: str, producer: int, run: Run) -> None:
    client = clients.PythonClient(endpoint, live.OWNER)
    try:
        for number in range(producer, MESSAGES, PRODUCERS):
            assert run.room.acquire(timeout=MOST_SECONDS)
            sent = client.send(queue, Draft(body=f"message {number}"))
            with run.lock:
                run.sent[sent.message_id] = f"message {number}"
    finally:
        client.close()


def consume(endpoint: str, queue: str, consumer: int, run: Run) -> None:
    client = clients.PythonClient(endpoint, live.OWNER)
    try:
        while not run.done():
            asked_at = now()
            try:
                got = client.receive(queue, 1)
            except RefusedError as error:
                assert error.code == "MessageNotExist"  # noqa: PT017  # the only refusal that is right here
                continue
            receive = Receive(
                message_id=got.message_id,
                consumer=consumer,
                asked_at=asked_at,
                answered_at=now(),
                next_visible_at=got.next_visible_time,
                dequeue_count=got.dequeue_count,
            )
            with run.lock:
                run.receives.append(receive)
                run.bodies[got.message_id] = got.body
            if got.dequeue_count > 1 or int(got.body.split()[1]) % FORGOTTEN:
                remove(client, queue, got, consumer, run)
    finally:
        client.close()


def remove(client: clients.PythonClient, queue: str, got: clients.Delivery, consumer: int, run: Run) -> None:
    try:
        client.delete(queue, got.receipt_handle)
    except RefusedError as error:
        assert error.code == "MessageNotExist"  # noqa: PT017  # too late: it is somebody else's by now
        return
    with run.lock:
        run.deletes.append(Delete(message_id=got.message_id, consumer=consumer, answered_at=now()))
    run.room.release()


@pytest.mark.parametrize(("engine", "backlog"), [("moto", 40), ("embedded", 500)])  # moto is slow where much waits
def test_8_producers_and_8_consumers_move_500_messages_without_losing_or_sharing_any(tmp_path, engine, backlog, name):
    with live.serving(tmp_path, "--port", "0", "--memory", "--engine", engine) as server:
        _move_messages(server, name, backlog)
        assert live.stopped_cleanly(server) == (0, "")


def _move_messages(server: live.Server, name: str, backlog: int) -> None:
    owner = clients.PythonClient(server.endpoint, live.OWNER)
    owner.create_queue(name, VisibilityTimeout=VISIBILITY_SECONDS)
    run = Run(backlog=backlog)
    with futures.ThreadPoolExecutor(PRODUCERS + CONSUMERS) as pool:
        threads = [pool.submit(consume, server.endpoint, name, number, run) for number in range(CONSUMERS)]
        threads += [pool.submit(produce, server.endpoint, name, number, run) for number in range(PRODUCERS)]
        for thread in threads:
            thread.result()
    left = owner.list_queues_with_meta(name)[0]
    owner.close()

    assert sorted(run.sent.values()) == sorted(f"message {number}" for number in range(MESSAGES))
    assert history.faults(run.sent, run.receives, run.deletes) == []
    assert run.bodies == run.sent
    assert len(run.receives) >= MESSAGES + MESSAGES // FORGOTTEN  # those forgotten came again
    assert [left[count] for count in ("ActiveMessages", "InactiveMessages", "DelayMessages")] == ["0", "0", "0"]


# --- The checker -----------------------------------------------------------------------------------------------------


def receive(asked_at: int, consumer: int = 1, count: int = 1, message_id: str = "M1") -> Receive:
    """A receive answered 10 ms later, hiding the message for 1000 ms."""
    return Receive(
        message_id=message_id,
        consumer=consumer,
        asked_at=asked_at,
        answered_at=asked_at + 10,
        next_visible_at=asked_at + 1005,
        dequeue_count=count,
    )


def delete(answered_at: int, consumer: int = 1, message_id: str = "M1") -> Delete:
    return Delete(message_id=message_id, consumer=consumer, answered_at=answered_at)


@pytest.mark.parametrize(
    ("receives", "deletes"),
    [
        ([receive(0)], [delete(20)]),
        ([receive(0), receive(1000, consumer=2, count=2)], [delete(1020, consumer=2)]),
    ],
    ids=["received once", "received again when its time was over"],
)
def test_the_checker_finds_nothing_where_all_is_well(receives, deletes):
    assert history.faults(["M1"], receives, deletes) == []


@pytest.mark.parametrize(
    ("receives", "deletes", "fault"),
    [
        ([], [delete(20)], "M1 was never received"),
        ([receive(0)], [], "M1 was never deleted"),
        ([receive(0)], [delete(20), delete(30)], "M1 was deleted twice"),
        (
            [receive(0), receive(0, message_id="M2")],
            [delete(20)],
            "M2 was received, but never sent",
        ),
        (
            [receive(0), receive(500, consumer=2, count=2)],
            [delete(600)],
            "M1 was received by 2 while it was still hidden for 1",
        ),
        ([receive(0), receive(1100, consumer=2)], [delete(1200)], "M1 was received twice with the same count"),
        ([receive(0), receive(1100, count=2)], [delete(1090)], "M1 was received by 1 after it was deleted"),
    ],
)
def test_the_checker_names_the_rule_that_was_broken(receives, deletes, fault):
    assert history.faults(["M1"], receives, deletes) == [fault]
