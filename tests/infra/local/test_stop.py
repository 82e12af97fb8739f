"""How a server stops: what is in hand is finished, who waits is let go, and the exit is clean."""

import contextlib
import signal
import subprocess
import time
from concurrent import futures

import pytest

from tests import live

MESSAGE = b"<Message><MessageBody>in flight</MessageBody></Message>"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_finishes_the_request_in_flight_lets_polls_go_at_once_and_exits_with_0(tmp_path, number):
    with live.serving(tmp_path, "--port", "0", "--memory") as server:
        assert server.ask("PUT", "/queues/q", body="<Queue/>").status == 201
        sent = live.request("POST", "/queues/q/messages", host=server.host, body=MESSAGE)
        with server.connect() as in_flight, futures.ThreadPoolExecutor(3) as pool:
            in_flight.send(sent[:-20])
            polls = [pool.submit(server.ask, "GET", "/queues/q/messages?waitseconds=30") for _ in range(3)]
            time.sleep(0.5)
            started = time.monotonic()
            server.send_signal(number)
            assert [poll.result().outcome for poll in polls] == [(404, "MessageNotExist")] * 3
            assert time.monotonic() - started < 1
            in_flight.send(sent[-20:])
            assert in_flight.read().status == 201
        assert server.wait() == 0
        assert time.monotonic() - started < 3
        assert server.stderr == ""
        with pytest.raises(ConnectionRefusedError):
            server.connect()


def test_a_server_that_is_told_to_stop_closes_idle_connections_and_takes_no_new_ones(tmp_path):
    with live.serving(tmp_path, "--port", "0", "--memory") as server, server.connect() as idle:
        assert idle.ask("GET", "/queues").status == 200
        assert server.stop() == 0
        with contextlib.suppress(ConnectionResetError):
            assert idle.at_end()


def test_a_request_that_never_ends_does_not_keep_a_server_from_stopping(tmp_path):
    with live.serving(tmp_path, "--port", "0", "--memory") as server, server.connect() as stuck:
        stuck.send(live.request("POST", "/queues/q/messages", host=server.host, body=MESSAGE)[:-20])
        time.sleep(0.2)
        server.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        server.send_signal(signal.SIGINT)  # a second signal does not wait for the grace time
        assert server.wait(5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["told to stop", "killed"])
def test_a_server_with_a_data_folder_goes_on_where_the_former_one_ended(tmp_path, number):
    told = ["--port", "0", "--data", "kept"]
    with live.serving(tmp_path, *told) as server:
        server.ask("PUT", "/queues/q", body="<Queue/>")
        for body in ("received", "waiting"):
            message = f"<Message><MessageBody>{body}</MessageBody></Message>"
            assert server.ask("POST", "/queues/q/messages", body=message).status == 201
        delayed = "<Message><MessageBody>delayed</MessageBody><DelaySeconds>1</DelaySeconds></Message>"
        assert server.ask("POST", "/queues/q/messages", body=delayed).status == 201
        handle = server.ask("GET", "/queues/q/messages").fields["ReceiptHandle"]
        server.stop(number)
    with live.serving(tmp_path, *told) as server:
        assert server.ask("GET", "/queues/q/messages").fields["MessageBody"] == "waiting"
        assert server.ask("DELETE", f"/queues/q/messages?ReceiptHandle={handle}").status == 204
        assert server.ask("GET", "/queues/q/messages?waitseconds=5").fields["MessageBody"] == "delayed"
        counts = server.ask("GET", "/queues/q").fields
        assert [counts[count] for count in ("ActiveMessages", "InactiveMessages", "DelayMessages")] == ["0", "2", "0"]
        assert live.stopped_cleanly(server) == (0, "")


def test_a_second_server_on_the_same_data_folder_is_told_so_in_one_line(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    with live.serving(first, "--port", "0", "--data", str(tmp_path / "kept")) as server:
        told = subprocess.run(  # noqa: S603  # our own command
            [live.mns_command(), "serve", "--port", "0", "--data", str(tmp_path / "kept")],
            cwd=second,
            env=live.environment(),
            capture_output=True,
            timeout=5,
            check=False,
            text=True,
        )
        assert (told.returncode, told.stdout) == (2, "")
        assert told.stderr == (
            f"mns: another server uses {tmp_path / 'kept'}:"
            " end it, or choose another folder with --data, or use --memory\n"
        )
        assert server.ask("GET", "/queues").status == 200
