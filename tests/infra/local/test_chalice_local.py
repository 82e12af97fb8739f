"""`chalice local --stage local` serves the same API as `mns serve`, a thread per connection."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import pytest

from tests import live
from tests.sdk import clients
from tests.sdk.clients import Draft, RefusedError

if not os.environ.get("CI"):
    pytest.importorskip("mns")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Server]:
    folder = tmp_path_factory.mktemp("chalice-local")
    port = live.free_port()
    command = str(Path(sys.executable).with_name("chalice"))
    flags = ["--stage", "local", "--no-autoreload", "--host", "127.0.0.1", "--port", str(port)]
    output, complaints = folder / "stdout", folder / "stderr"
    with output.open("wb") as out, complaints.open("wb") as err:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [command, "local", *flags],
            cwd=live.ROOT,
            env=live.environment(OPENMNS_CONFIG=str(_configuration(folder))),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
        )
    running = live.Server(process=process, endpoint=f"http://127.0.0.1:{port}", output=output, complaints=complaints)
    try:
        live.await_health(running.address)
        yield running
        assert "Traceback" not in running.stderr
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


def _configuration(folder: Path) -> Path:
    written = folder / "told.toml"
    written.write_text(
        "memory = true\n" + live.TWO_ACCOUNTS + '[[queues]]\nname = "declared"\nvisibility_timeout = 60\n'
    )
    return written


@pytest.fixture
def client(server: live.Server) -> Iterator[clients.PythonClient]:
    made = clients.PythonClient(server.endpoint, live.OWNER)
    yield made
    made.close()


@pytest.fixture
def queue(client: clients.PythonClient) -> str:
    name = live.unique()
    client.create_queue(name)
    return name


def test_a_message_goes_through_its_life_by_the_python_client(client, queue):
    sent = client.send(queue, Draft(body="订单 №7", priority=1))
    assert client.peek(queue).message_id == sent.message_id
    got = client.receive(queue)
    assert (got.body, got.priority, got.dequeue_count) == ("订单 №7", 1, 1)
    handle, _ = client.change_visibility(queue, got.receipt_handle, 60)
    client.delete(queue, handle)
    with pytest.raises(RefusedError) as refused:
        client.delete(queue, handle)
    assert refused.value.code == "MessageNotExist"


def test_a_batch_of_16_goes_through_its_life_by_the_python_client(client, queue):
    client.send_batch(queue, [Draft(body=f"{number:02}") for number in range(16)])
    got = client.receive_batch(queue, 16)
    assert [item.body for item in got] == [f"{number:02}" for number in range(16)]
    client.delete_batch(queue, [item.receipt_handle for item in got])
    with pytest.raises(RefusedError) as refused:
        client.receive(queue)
    assert refused.value.code == "MessageNotExist"


def test_a_long_poll_is_answered_as_soon_as_a_message_is_sent(server, client, queue):
    other = clients.PythonClient(server.endpoint, live.OWNER)
    with futures.ThreadPoolExecutor(1) as pool:
        poll = pool.submit(other.receive, queue, 20)
        time.sleep(0.3)
        started = time.monotonic()
        client.send(queue, Draft(body="here"))
        assert poll.result(10).body == "here"
        assert time.monotonic() - started < 1.5
    other.close()


def test_a_long_poll_that_nobody_answers_ends_when_its_time_is_over(client, queue):
    started = time.monotonic()
    with pytest.raises(RefusedError) as refused:
        client.receive(queue, 1)
    assert refused.value.code == "MessageNotExist"
    assert 0.9 < time.monotonic() - started < 2.5


def test_errors_come_as_mns_errors_also_for_a_wrong_signature(server, client):
    with pytest.raises(RefusedError) as refused:
        client.get_attributes("no-such-queue")
    assert refused.value.code == "QueueNotExist"
    wrong = live.Key(account_id=live.OWNER.account_id, access_key_id=live.OWNER.access_key_id, secret="wrong")
    reply = server.ask("GET", "/queues", key=wrong)
    assert reply.outcome == (403, "SignatureDoesNotMatch")
    assert "The server built this string to sign: GET\n" in reply.fields["Message"]


def test_accounts_and_queues_of_the_configuration_are_there(server):
    assert server.ask("GET", "/queues/declared").fields["VisibilityTimeout"] == "60"
    assert server.ask("GET", "/queues/declared", key=live.OTHER).outcome == (404, "QueueNotExist")


@pytest.mark.parametrize("depth", range(9))
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "PATCH"])
def test_an_unknown_path_up_to_a_depth_of_8_gets_an_mns_error(server, method, depth):
    target = "/" + "/".join("abcdefgh"[:depth])
    reply = server.ask(method, target)
    assert reply.outcome == (400, "InvalidRequestURL")
    assert reply.fields["RequestId"] == reply.header("x-mns-request-id")


@pytest.mark.parametrize("signer", ["v2", "v4"])
@pytest.mark.parametrize("content_type", [None, "text/xml", "text/xml;charset=UTF-8", "application/xml"])
def test_every_content_type_that_clients_send_is_taken(server, signer, content_type):
    assert server.ask("GET", "/queues", signer=signer, content_type=content_type).status == 200


def test_the_url_of_a_new_queue_stands_in_a_header_spelled_location(server):
    name = live.unique()
    reply = server.ask("PUT", f"/queues/{name}", body="<Queue/>")
    assert (reply.status, reply.spelled["Location"]) == (201, f"{server.endpoint}/queues/{name}")


def test_head_health_answers_200(server):
    with server.connect() as connection:
        connection.send(b"HEAD /health HTTP/1.1\r\nHost: local\r\nConnection: close\r\n\r\n")
        assert connection.read(has_body=False).status == 200
