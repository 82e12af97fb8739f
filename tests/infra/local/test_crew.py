"""Several processes that serve one folder: to a client they are one server."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import pytest

from chalicelib.model import errors
from infra.bench import dialects
from infra.local import config, crew, runtime
from tests import live

WORKERS = 3
CONNECTIONS = crew.ALONE + 2 * (WORKERS - 1)  # as they are shared out: four, two and two


def message(body: str, **fields: object) -> str:
    others = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f"<Message><MessageBody>{body}</MessageBody>{others}</Message>"


def helpers_of(server: live.Server) -> list[int]:
    """The worker processes of a server."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == server.process.pid and fields[0] != "Z":
                found.append(int(status.parent.name))
    return sorted(found)


def await_workers(server: live.Server, besides: frozenset[int] = frozenset(), count: int = WORKERS - 1) -> list[int]:
    """The workers, once each has the file open and has had a moment to say so."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        pids = [pid for pid in helpers_of(server) if pid not in besides]
        with contextlib.suppress(OSError):
            opened = [
                any(file.readlink().name == "openmns.db" for file in Path(f"/proc/{pid}/fd").iterdir()) for pid in pids
            ]
            if len(pids) == count - len(besides & set(helpers_of(server))) and all(opened):
                time.sleep(0.2)
                return pids
        time.sleep(0.05)
    raise AssertionError(f"no workers: {server.stderr}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Server]:
    folder = tmp_path_factory.mktemp("crew")
    with live.serving(folder, "--port", "0", "--data", "kept", "--workers", str(WORKERS)) as running:
        await_workers(running)
        yield running
        assert live.stopped_cleanly(running) == (0, "")


@pytest.fixture
def connections(server: live.Server) -> Iterator[list[live.Connection]]:
    """Connections to all processes, each twice."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]


@pytest.fixture
def queue(server: live.Server) -> str:
    name = live.unique()
    assert server.ask("PUT", f"/queues/{name}", body="<Queue/>").status == 201
    return name


def test_a_message_sent_through_any_process_is_received_through_any_other(connections, queue):
    for sender, receiver in itertools.product(connections, repeat=2):
        assert sender.ask("POST", f"/queues/{queue}/messages", body=message("hello")).status == 201
        handle = receiver.ask("GET", f"/queues/{queue}/messages").fields["ReceiptHandle"]
        assert sender.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={handle}").status == 204


def test_every_process_answers_every_operation(connections):
    for connection in connections:
        name = live.unique()
        assert connection.ask("PUT", f"/queues/{name}", body="<Queue/>").status == 201
        assert connection.ask("GET", f"/queues/{name}").fields["QueueName"] == name
        assert connection.ask("GET", "/queues?accountmeta=true").status == 200
        assert connection.ask("GET", "/nope").outcome == (400, "InvalidRequestURL")
        assert connection.ask("DELETE", f"/queues/{name}").status == 204
        connection.send(b"GET /health HTTP/1.1\r\nHost: local\r\n\r\n")
        assert connection.read().body == b'{"status": "ok"}'


def test_counts_are_of_this_moment_whichever_process_sent(connections, queue):
    for sent, connection in enumerate(connections, 1):
        connection.ask("POST", f"/queues/{queue}/messages", body=message("counted"))
        shown = connections[-sent].ask("GET", f"/queues/{queue}").fields
        assert shown["ActiveMessages"] == str(sent)


def test_a_change_of_attributes_holds_at_once_in_every_process(connections, queue):
    for connection in connections:
        assert connection.ask("POST", f"/queues/{queue}/messages", body=message("x" * 2000)).status == 201
    changed = connections[0].ask(
        "PUT", f"/queues/{queue}?metaoverride=true", body="<Queue><MaximumMessageSize>1024</MaximumMessageSize></Queue>"
    )
    assert changed.status == 204
    for connection in connections:
        refused = connection.ask("POST", f"/queues/{queue}/messages", body=message("x" * 2000))
        assert refused.outcome == (400, "InvalidArgument")


@pytest.mark.parametrize("name", ["messages", "health"])
def test_queues_that_are_called_like_parts_of_paths_are_made_and_deleted_for_all_processes(connections, name):
    for connection in connections:
        assert connection.ask("PUT", f"/queues/{name}", body="<Queue/>").status == 201
        for sender in connections:
            assert sender.ask("POST", f"/queues/{name}/messages", body=message("x")).status == 201
        assert connection.ask("DELETE", f"/queues/{name}").status == 204
        for sender in connections:
            assert sender.ask("POST", f"/queues/{name}/messages", body=message("x")).outcome == (404, "QueueNotExist")


def test_a_queue_deleted_and_made_again_is_the_new_one_in_every_process(connections, queue):
    for connection in connections:
        connection.ask("POST", f"/queues/{queue}/messages", body=message("old"))
    connections[0].ask("DELETE", f"/queues/{queue}")
    connections[1].ask("PUT", f"/queues/{queue}", body="<Queue/>")
    for connection in connections:
        assert connection.ask("POST", f"/queues/{queue}/messages", body=message("new")).status == 201
    got = connections[0].ask("GET", f"/queues/{queue}/messages?numOfMessages=16")
    assert [entry["MessageBody"] for entry in got.entries] == ["new"] * CONNECTIONS


@pytest.mark.parametrize("receiver", range(WORKERS))
@pytest.mark.parametrize("sender", range(WORKERS))
def test_a_parked_poll_is_woken_by_a_message_sent_through_any_process(connections, queue, sender, receiver):
    waiting, sending = connections[receiver], connections[sender + WORKERS]
    waiting.send(live.request("GET", f"/queues/{queue}/messages?waitseconds=20", host="local"))
    time.sleep(0.2)
    started = time.monotonic()
    sending.ask("POST", f"/queues/{queue}/messages", body=message("wake up"))
    assert waiting.read().fields["MessageBody"] == "wake up"
    assert time.monotonic() - started < 1


def test_polls_parked_in_all_processes_share_the_messages_that_come(connections, queue):
    for connection in connections:
        connection.send(live.request("GET", f"/queues/{queue}/messages?waitseconds=20", host="local"))
    time.sleep(0.2)
    with live.Connection(connections[0].address) as sender:
        for number in range(CONNECTIONS):
            sender.ask("POST", f"/queues/{queue}/messages", body=message(str(number)))
    got = [connection.read().fields["MessageBody"] for connection in connections]
    assert sorted(got) == [str(number) for number in range(CONNECTIONS)]


def test_a_delayed_message_wakes_a_poll_in_any_process_when_its_time_has_come(connections, queue):
    for waiting in connections[:WORKERS]:
        connections[-1].ask("POST", f"/queues/{queue}/messages", body=message("later", DelaySeconds=1))
        started = time.monotonic()
        assert waiting.ask("GET", f"/queues/{queue}/messages?waitseconds=10").fields["MessageBody"] == "later"
        assert time.monotonic() - started < 2


def test_the_clock_moves_for_all_processes_whichever_is_told(tmp_path):
    told = ("--port", "0", "--data", "kept", "--workers", str(WORKERS))
    with live.serving(tmp_path, *told) as server, contextlib.ExitStack() as stack:
        await_workers(server)
        connections = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        server.ask("PUT", "/queues/q", body="<Queue/>")
        step = json.dumps({"advance": 60}).encode()
        advance = live.raw("POST", "/_local/clock", [("Host", "local"), ("Content-Type", "application/json")], step)
        for moving, receiving in zip(connections[:WORKERS], connections[WORKERS + 1 :], strict=False):
            moving.ask("POST", "/queues/q/messages", body=message("later", DelaySeconds=59))
            assert receiving.ask("GET", "/queues/q/messages").outcome == (404, "MessageNotExist")
            moving.send(advance)
            assert moving.read().status == 200
            got = receiving.ask("GET", "/queues/q/messages").fields
            assert got["MessageBody"] == "later"
            receiving.ask("DELETE", f"/queues/q/messages?ReceiptHandle={got['ReceiptHandle']}")


def test_many_clients_of_all_processes_get_each_message_once(server, queue):
    total, clients = 400, 2 * CONNECTIONS

    def produce(part: int) -> None:
        with server.connect() as connection:
            for number in range(part, total, clients // 2):
                assert connection.ask("POST", f"/queues/{queue}/messages", body=message(str(number))).status == 201

    def consume() -> list[str]:
        got = []
        with server.connect() as connection:
            while (reply := connection.ask("GET", f"/queues/{queue}/messages?waitseconds=1")).status == 200:
                got.append(reply.fields["MessageBody"])
                handle = reply.fields["ReceiptHandle"]
                assert connection.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={handle}").status == 204
        return got

    with futures.ThreadPoolExecutor(clients) as pool:
        consumers = [pool.submit(consume) for _ in range(clients // 2)]
        list(pool.map(produce, range(clients // 2)))
        got = Counter(itertools.chain.from_iterable(consumer.result() for consumer in consumers))
    assert got == Counter(map(str, range(total)))


def test_a_worker_that_is_killed_is_replaced_and_nothing_is_lost(tmp_path):
    told = ("--port", "0", "--data", "kept", "--workers", str(WORKERS))
    with live.serving(tmp_path, *told) as server:
        [victim, other] = await_workers(server)
        server.ask("PUT", "/queues/q", body="<Queue/>")
        with contextlib.ExitStack() as stack:
            for number, connection in enumerate([stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]):
                assert connection.ask("POST", "/queues/q/messages", body=message(str(number))).status == 201
        os.kill(victim, signal.SIGKILL)
        await_workers(server, besides=frozenset({victim, other}))
        for _ in range(CONNECTIONS):
            assert server.ask("GET", "/queues/q").fields["ActiveMessages"] == str(CONNECTIONS)
        assert server.stop() == 0
        assert len(re.findall("a worker process died and is replaced", server.banner)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["told to stop", "killed"])
def test_when_the_first_process_ends_so_do_the_others(tmp_path, number):
    told = ("--port", "0", "--data", "kept", "--workers", str(WORKERS))
    with live.serving(tmp_path, *told) as server:
        workers = await_workers(server)
        server.stop(number)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and any(Path(f"/proc/{pid}").exists() for pid in workers):
            time.sleep(0.02)
        assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []


def test_a_server_told_to_stop_lets_the_polls_of_all_processes_go_and_finishes_what_is_in_flight(tmp_path):
    told = ("--port", "0", "--data", "kept", "--workers", str(WORKERS))
    with live.serving(tmp_path, *told) as server, contextlib.ExitStack() as stack:
        await_workers(server)
        server.ask("PUT", "/queues/q", body="<Queue/>")
        polls = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        for connection in polls:
            connection.send(live.request("GET", "/queues/q/messages?waitseconds=30", host="local"))
        in_flight = [stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]
        sent = live.request("POST", "/queues/q/messages", host="local", body=message("in flight"))
        for connection in in_flight:
            connection.send(sent[:-20])
        time.sleep(0.3)
        server.send_signal(signal.SIGTERM)
        assert [connection.read().outcome for connection in polls] == [(404, "MessageNotExist")] * CONNECTIONS
        for connection in in_flight:
            connection.send(sent[-20:])
        assert [connection.read().status for connection in in_flight] == [201] * CONNECTIONS
        assert (server.wait(), server.stderr) == (0, "")


def test_a_server_told_to_stop_answers_what_is_in_flight_with_what_all_processes_keep(tmp_path):
    told = ("--port", "0", "--data", "kept", "--workers", str(WORKERS))
    with live.serving(tmp_path, *told) as server, contextlib.ExitStack() as stack:
        await_workers(server)
        server.ask("PUT", "/queues/q", body="<Queue/>")
        connections = [stack.enter_context(server.connect()) for _ in range(WORKERS)]
        for connection in connections:
            assert connection.ask("POST", "/queues/q/messages", body=message("x")).status == 201
        asked = live.request("GET", "/queues/q", host="local")
        for connection in connections:
            connection.send(asked[:-20])
        time.sleep(0.2)
        server.send_signal(signal.SIGTERM)
        for connection in connections:
            time.sleep(0.2)  # in which the processes end that have nothing in hand any more
            connection.send(asked[-20:])
            assert connection.read().fields["ActiveMessages"] == str(WORKERS)
        assert (server.wait(), server.stderr) == (0, "")


def test_what_is_published_through_any_process_is_delivered_at_once(connections, queue):
    topic = live.unique()
    connections[0].ask("PUT", f"/topics/{topic}", body="<Topic/>")
    endpoint = f"acs:mns:cn-hangzhou:{live.OWNER.account_id}:queues/{queue}"
    wanted = f"<Subscription><Endpoint>{endpoint}</Endpoint><NotifyContentFormat>SIMPLIFIED</NotifyContentFormat>"
    subscribed = connections[0].ask("PUT", f"/topics/{topic}/subscriptions/s", body=f"{wanted}</Subscription>")
    assert subscribed.status == 201
    for number, publisher in enumerate(connections):
        assert publisher.ask("POST", f"/topics/{topic}/messages", body=message(f"news {number}")).status == 201
        got = connections[-1].ask("GET", f"/queues/{queue}/messages?waitseconds=5").fields
        assert got["MessageBody"] == f"news {number}"
        connections[-1].ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={got['ReceiptHandle']}")


def test_messages_that_workers_kept_are_there_when_the_server_comes_again_with_fewer(tmp_path):
    with live.serving(tmp_path, "--port", "0", "--data", "kept", "--workers", str(WORKERS)) as server:
        await_workers(server)
        server.ask("PUT", "/queues/q", body="<Queue/>")
        with contextlib.ExitStack() as stack:
            for number, connection in enumerate([stack.enter_context(server.connect()) for _ in range(CONNECTIONS)]):
                assert connection.ask("POST", "/queues/q/messages", body=message(f"{number}" * 3_000)).status == 201
        server.stop(signal.SIGKILL)
    for workers in ("2", "1"):
        with live.serving(tmp_path, "--port", "0", "--data", "kept", "--workers", workers) as server:
            assert server.ask("GET", "/queues/q").fields["ActiveMessages"] == str(CONNECTIONS)
            assert server.stop() == 0
    with live.serving(tmp_path, "--port", "0", "--data", "kept", "--workers", "1") as server:
        got = {server.ask("GET", "/queues/q/messages").fields["MessageBody"] for _ in range(CONNECTIONS)}
        assert got == {f"{number}" * 3_000 for number in range(CONNECTIONS)}
        assert sorted(path.name for path in (tmp_path / "kept").glob("messages*.db")) == ["messages-0.db"]


def test_a_receive_asks_all_processes_and_a_batch_is_filled_from_all(connections, queue):
    for number, connection in enumerate(connections):
        assert connection.ask("POST", f"/queues/{queue}/messages", body=message(str(number))).status == 201
    for connection in connections:
        peeked = connection.ask("GET", f"/queues/{queue}/messages?peekonly=true&numOfMessages=16")
        assert peeked.body.count(b"<Message>") == CONNECTIONS
    batch = connections[0].ask("GET", f"/queues/{queue}/messages?numOfMessages={CONNECTIONS}")
    handles = re.findall(r"<ReceiptHandle>.*?</ReceiptHandle>", batch.body.decode())
    assert len(handles) == CONNECTIONS
    body = f"<ReceiptHandles>{''.join(handles)}</ReceiptHandles>"
    assert connections[1].ask("DELETE", f"/queues/{queue}/messages", body=body).status == 204
    assert connections[2].ask("GET", f"/queues/{queue}/messages").outcome == (404, "MessageNotExist")


def test_a_message_of_higher_priority_comes_first_through_any_process(connections, queue):
    for priority, connection in enumerate(reversed(connections), 1):
        sent = message(f"{priority}", Priority=priority)
        assert connection.ask("POST", f"/queues/{queue}/messages", body=sent).status == 201
    got = [connection.ask("GET", f"/queues/{queue}/messages").fields["MessageBody"] for connection in connections]
    assert got == [str(priority) for priority in range(1, CONNECTIONS + 1)]


def test_the_control_plane_knows_of_all_messages_and_is_asked_once(connections, queue):
    for connection in connections:
        assert connection.ask("POST", f"/queues/{queue}/messages", body=message("counted")).status == 201
    for connection in connections:
        connection.send(dialects.control("GetQueueAttributes", QueueName=queue))
        assert json.loads(connection.read().body)["Data"]["ActiveMessages"] == CONNECTIONS


def test_the_order_of_a_group_holds_through_all_processes(connections):
    name = live.unique()
    connections[0].send(dialects.Fifo(dialects.Endpoint(dialect="mns-fifo", port=0), name).create(30))
    assert connections[0].read().status == 200
    for number, connection in enumerate(connections):
        sent = message(f"{number}", MessageGroupId="g")
        assert connection.ask("POST", f"/queues/{name}/messages", body=sent).status == 201
    for number, connection in enumerate(reversed(connections)):
        got = connection.ask("GET", f"/queues/{name}/messages?waitseconds=2").fields
        assert got["MessageBody"] == str(number)
        handle = got["ReceiptHandle"]
        assert connections[number].ask("DELETE", f"/queues/{name}/messages?ReceiptHandle={handle}").status == 204


def test_the_rate_of_a_queue_is_that_of_all_processes(connections, queue):
    policy = json.dumps({"Enabled": True, "MaxReceivesPerSecond": 4})
    changed = dialects.control("SetQueueAttributes", QueueName=queue, TenantRateLimitPolicy=policy)
    connections[0].send(changed)
    assert connections[0].read().status == 200
    for connection in connections:
        assert connection.ask("POST", f"/queues/{queue}/messages", body=message("x")).status == 201
    began = time.monotonic()
    for connection in connections:
        connection.send(live.request("GET", f"/queues/{queue}/messages?waitseconds=20", host="local"))
    assert [connection.read().status for connection in connections] == [200] * CONNECTIONS
    assert time.monotonic() - began > (CONNECTIONS - 4) / 4 - 0.1


@pytest.mark.parametrize("is_stopping", [False, True])
def test_questions_to_a_worker_that_cannot_be_started_are_answered(tmp_path, monkeypatch, is_stopping):
    told = config.load({"data": str(tmp_path), "workers": 2}, {})
    running = runtime.start(told)
    line = running.line
    assert line is not None
    attempts, answers = [], []

    def fail(*given, **named):
        attempts.append(given)
        raise OSError(24, "Too many open files")

    def ask() -> None:
        try:
            answers.append(line.ask(1, "counts", ["q"]))
        except errors.InternalError as error:
            answers.append(error)

    async def scenario() -> None:
        made = crew.Crew(running, told, None, asyncio.get_running_loop(), lambda accepted: None)
        line.run(ask)
        if is_stopping:
            await made.finish(0)
            assert len(answers) == 1
            line.run(ask)
        made.start()
        for _ in range(10):
            await asyncio.sleep(0)

    monkeypatch.setattr(crew.subprocess, "Popen", fail)
    monkeypatch.setattr(crew, "_AGAIN_SECONDS", 0)
    try:
        asyncio.run(scenario())
    finally:
        running.stop()
    assert [type(answer) for answer in answers] == [errors.InternalError] * (2 if is_stopping else 1)
    assert (len(attempts) > 1) is not is_stopping


def test_few_connections_stay_together_and_many_are_shared_out(tmp_path):
    with live.serving(tmp_path, "--port", "0", "--data", "kept", "--workers", "2") as server:
        await_workers(server, count=1)
        server.ask("PUT", "/queues/q", body="<Queue/>")

        def kept() -> list[int]:
            return [_messages_in(tmp_path / "kept" / f"messages-{process}.journal") for process in range(2)]

        def sent(connections: int) -> list[int]:
            """How many messages each process gets, of one through each connection."""
            before = kept()
            with contextlib.ExitStack() as stack:
                for connection in [stack.enter_context(server.connect()) for _ in range(connections)]:
                    assert connection.ask("POST", "/queues/q/messages", body=message("x")).status == 201
            return [now - then for now, then in zip(kept(), before, strict=True)]

        for _ in range(2):  # again when the first ones are seen to have ended, which takes a moment
            await_that(lambda: sent(crew.ALONE) == [crew.ALONE, 0])
            await_that(lambda: sent(2 * crew.ALONE) == [crew.ALONE, crew.ALONE])


def test_a_connection_that_only_asks_what_the_first_process_does_is_served_by_it(tmp_path):
    with live.serving(tmp_path, "--port", "0", "--data", "kept", "--workers", "2") as server:
        [worker] = await_workers(server, count=1)
        fifo = dialects.Fifo(dialects.Endpoint(dialect="mns-fifo", port=0), "q")
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(server.connect()) for _ in range(crew.ALONE + 3)]
            *_, asking, pipelining, other = connections
            asking.send(fifo.create(30))
            assert asking.read().status == 200
            sends = fifo.sends()
            for _ in range(100):
                asking.send(next(sends))
                assert asking.read().status == 201
            for _ in range(20):  # answers to requests that came before are not left behind, nor are requests
                pipelining.send(b"".join(next(sends) for _ in range(5)))
                assert [pipelining.read().status for _ in range(5)] == [201] * 5
            assert other.ask("GET", "/queues/q/messages?peekonly=true").status == 200
            os.kill(worker, signal.SIGKILL)
            for connection in (asking, pipelining):
                assert connection.ask("GET", "/queues/q/messages?peekonly=true").status == 200
            with pytest.raises((OSError, EOFError)):
                other.ask("GET", "/queues/q/messages?peekonly=true")
        await_workers(server, besides=frozenset({worker}), count=1)
        assert server.ask("GET", "/queues/q").fields["ActiveMessages"] == "200"


def await_that(happens: Callable[[], bool]) -> None:
    """It happens at one of several attempts."""
    deadline = time.monotonic() + 10
    while not happens():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _messages_in(journal: Path) -> int:
    """How many messages a journal says were sent."""
    return journal.read_bytes().count(b"INSERT INTO queue_messages")
