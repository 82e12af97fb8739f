"""FIFO queues and topics and dead letters, through the official clients: of the control plane and of the XML API."""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import pytest

from tests import live
from tests.sdk import clients, topics
from tests.sdk.clients import Draft, RefusedError
from tests.sdk.test_mns_open import Control

if not os.environ.get("CI"):
    pytest.importorskip("alibabacloud_mns_open20220119")
    pytest.importorskip("mns")

GROUPS = 20
PER_GROUP = 10


@pytest.fixture
def control(server: live.Server) -> Control:
    return Control(server, live.OWNER, None)


@pytest.fixture
def make(server: live.Server) -> Iterator[Callable[..., clients.PythonClient]]:
    """Makes clients; each thread has its own."""
    made: list[clients.PythonClient] = []

    def connect(**options: bool) -> clients.PythonClient:
        made.append(clients.PythonClient(server.endpoint, live.OWNER, **options))
        return made[-1]

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(make) -> clients.PythonClient:
    return make()


@pytest.fixture
def queue(control: Control) -> str:
    name = live.unique("fifo")
    control("create_queue", queue_name=name, queue_type="fifo", visibility_timeout=30)
    assert control("get_queue_attributes", queue_name=name)["QueueType"] == "fifo"
    return name


def test_a_group_is_received_in_its_order_and_held_while_one_of_its_messages_is_in_hand(client, queue):
    for body in ("a1", "a2", "b1"):
        assert client.send(queue, Draft(body=body, group_id=body[0])).receipt_handle is None
    first = client.receive(queue)
    assert (first.body, first.group_id, first.priority, first.dequeue_count) == ("a1", "a", 8, 1)
    assert client.receive(queue).body == "b1"
    with pytest.raises(RefusedError, match="MessageNotExist"):
        client.receive(queue, wait=0)
    client.delete(queue, first.receipt_handle)
    assert client.peek(queue).body == "a2"
    assert client.receive(queue).body == "a2"


def test_a_batch_is_sent_and_received_in_its_order(client, queue):
    client.send_batch(queue, [Draft(body=f"{number}", group_id="g") for number in range(16)])
    received = client.receive_batch(queue, 16)
    assert [item.body for item in received] == [f"{number}" for number in range(16)]
    client.delete_batch(queue, [item.receipt_handle for item in received[:8]])
    with pytest.raises(RefusedError, match="MessageNotExist"):
        client.receive(queue, wait=0)
    client.delete_batch(queue, [item.receipt_handle for item in received[8:]])


def test_a_message_that_is_given_back_comes_first_again(client, queue):
    for body in ("1", "2"):
        client.send(queue, Draft(body=body, group_id="g"))
    held = client.receive(queue)
    client.change_visibility(queue, held.receipt_handle, 1)
    again = client.receive(queue, wait=10)
    assert (again.body, again.dequeue_count) == ("1", 2)


@pytest.mark.parametrize("draft", [Draft(body="x"), Draft(body="x", group_id="g", delay=5)])
def test_what_cannot_be_kept_in_order_is_refused(client, queue, draft):
    with pytest.raises(RefusedError, match="InvalidArgument"):
        client.send(queue, draft)


def test_a_long_poll_wakes_when_a_delete_frees_a_group(make, client, queue):
    for body in ("1", "2"):
        client.send(queue, Draft(body=body, group_id="g"))
    held = client.receive(queue)
    waiting, got = make(), []
    thread = threading.Thread(target=lambda: got.append(waiting.receive(queue, wait=20)))
    thread.start()
    thread.join(0.5)
    assert got == []
    client.delete(queue, held.receipt_handle)
    thread.join(5)
    assert [item.body for item in got] == ["2"]


def test_the_counts_of_a_fifo_queue_are_those_of_its_messages(control, client, queue):
    client.send_batch(queue, [Draft(body="x", group_id=group) for group in "aabbb"])
    client.receive(queue)
    counts = control("get_queue_attributes", queue_name=queue)
    assert (counts["ActiveMessages"], counts["InactiveMessages"]) == (4, 1)


def produce(client: clients.PythonClient, queue: str, groups: range) -> None:
    for number in range(PER_GROUP):
        for group in groups:
            client.send(queue, Draft(body=f"{number}", group_id=f"group {group}"))


def consume(client: clients.PythonClient, queue: str, received: dict[str, list[str]]) -> None:
    """Receive and delete until nothing comes for a while."""
    while True:
        try:
            batch = client.receive_batch(queue, 4, wait=2)
        except RefusedError:
            return
        for item in batch:
            received.setdefault(item.group_id, []).append(item.body)
            client.delete(queue, item.receipt_handle)


def test_eight_consumers_and_four_producers_keep_two_hundred_messages_in_order(make, queue):
    received: dict[str, list[str]] = {}
    with futures.ThreadPoolExecutor(12) as threads:
        work = [threads.submit(produce, make(), queue, range(first, GROUPS, 4)) for first in range(4)]
        work += [threads.submit(consume, make(), queue, received) for _ in range(8)]
        for each in work:
            each.result(60)
    assert received == {f"group {group}": [f"{number}" for number in range(PER_GROUP)] for group in range(GROUPS)}


def test_a_fifo_topic_fills_a_fifo_queue_in_order_and_an_ordinary_one_beside_it(control, make, queue):
    client = make(encoding=False)  # what is published is not encoded either
    topic, ordinary = live.unique("fifo-topic"), live.unique()
    client.create_queue(ordinary)
    control("create_topic", topic_name=topic, topic_type="fifo")
    publisher = topics.of(client)
    for name in (queue, ordinary):
        control(
            "subscribe",
            topic_name=topic,
            subscription_name=f"to-{name}",
            push_type="queue",
            endpoint=f"acs:mns:cn-hangzhou:{live.OWNER.account_id}:queues/{name}",
            notify_content_format="SIMPLIFIED",
        )
    for number in range(12):
        publisher.publish(topic, f"{number}", group_id="ab"[number % 2])
    got: dict[str, list[str]] = {"a": [], "b": []}
    while sum(map(len, got.values())) < 12:
        for item in client.receive_batch(queue, 16, wait=10):
            got[item.group_id].append(item.body)
            client.delete(queue, item.receipt_handle)
    assert got == {"a": ["0", "2", "4", "6", "8", "10"], "b": ["1", "3", "5", "7", "9", "11"]}
    there = []
    while len(there) < 12:
        there += [item.body for item in client.receive_batch(ordinary, 16, wait=10)]
    assert sorted(there, key=int) == [f"{number}" for number in range(12)]


@pytest.mark.parametrize("kind", ["normal", "fifo"])
def test_a_message_that_is_received_too_often_is_in_the_dead_letter_queue_with_where_it_came_from(
    control, client, kind
):
    from alibabacloud_mns_open20220119 import models  # noqa: PLC0415

    source, target = live.unique(), live.unique("dead")
    control("create_queue", queue_name=target, queue_type=kind)
    policy = {"Enabled": True, "DeadLetterTargetQueue": target, "MaxReceiveCount": 1}
    policy = models.CreateQueueRequestDlqPolicy().from_map(policy)
    control("create_queue", queue_name=source, queue_type=kind, visibility_timeout=1, dlq_policy=policy)
    sent = client.send(source, Draft(body="bad", group_id="g", priority=3))
    assert client.receive(source).body == "bad"
    with pytest.raises(RefusedError, match="MessageNotExist"):
        client.receive(source, wait=2)  # whoever asks when its visibility time-out is over finds that it is dead
    letter = client.receive(target, wait=5)
    assert (letter.body, letter.priority, letter.dequeue_count) == ("bad", 3, 1)
    assert letter.message_id != sent.message_id
    assert letter.system_properties == {
        "DLQMessageType": ("STRING", "Queue"),
        "DLQSourceArn": ("STRING", f"acs:mns:cn-hangzhou:{live.OWNER.account_id}:queues/{source}"),
        "DLQOriginMessageId": ("STRING", sent.message_id),
    }
