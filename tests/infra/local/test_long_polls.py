"""Long polls in numbers: hundreds that wait, one message among many that wait, and clients that go away."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import live

POLLS = 500
WAIT_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    code: str
    seconds: float


@pytest.fixture(scope="module", params=["embedded", "moto"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Server]:
    """A server on each engine: with the embedded one requests run on the event loop, with moto in threads."""
    folder = tmp_path_factory.mktemp("polled-server")
    with live.serving(folder, "--port", "0", "--memory", "--engine", request.param) as running:
        yield running
        assert live.stopped_cleanly(running) == (0, "")


async def poll(server: live.Server, target: str) -> Answer:
    """One long poll on a connection of its own; raises whatever goes wrong."""
    reader, writer = await asyncio.open_connection(*server.address)
    started = time.monotonic()
    writer.write(live.request("GET", target, host=server.host))
    async with asyncio.timeout(30):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        body = await reader.readexactly(length)
    seconds = time.monotonic() - started
    writer.close()
    await writer.wait_closed()
    reply = live.Reply(status=int(head.split()[1]), headers=(), body=body)
    return Answer(status=reply.status, code=reply.fields.get("Code", ""), seconds=seconds)


async def polls(server: live.Server, target: str, count: int) -> list[Answer]:
    return list(await asyncio.gather(*(poll(server, target) for _ in range(count))))


def send(server: live.Server, queue: str, *bodies: str) -> None:
    entries = "".join(f"<Message><MessageBody>{body}</MessageBody></Message>" for body in bodies)
    assert server.ask("POST", f"/queues/{queue}/messages", body=f"<Messages>{entries}</Messages>").status == 201


@pytest.mark.parametrize("server", ["embedded"], indirect=True)
def test_500_long_polls_at_once_are_all_held_and_answered_in_time(server, queue):
    target = f"/queues/{queue}/messages?waitseconds={WAIT_SECONDS}"
    answers = asyncio.run(polls(server, target, POLLS))
    assert {(answer.status, answer.code) for answer in answers} == {(404, "MessageNotExist")}
    assert len(answers) == POLLS
    assert min(answer.seconds for answer in answers) > WAIT_SECONDS - 0.1
    assert max(answer.seconds for answer in answers) < WAIT_SECONDS + 4


def test_other_requests_are_served_while_hundreds_of_polls_wait(server, queue):
    async def scenario() -> float:
        waiting = asyncio.ensure_future(polls(server, f"/queues/{queue}/messages?waitseconds=2", 200))
        await asyncio.sleep(1)
        started = time.monotonic()
        reply = await asyncio.to_thread(server.ask, "GET", f"/queues/{queue}")
        seconds = time.monotonic() - started
        assert reply.status == 200
        await waiting
        return seconds

    assert asyncio.run(scenario()) < 1


def test_one_message_among_50_parked_polls_goes_to_exactly_one_of_them(server, queue):
    async def scenario() -> list[Answer]:
        waiting = asyncio.ensure_future(polls(server, f"/queues/{queue}/messages?waitseconds=2", 50))
        await asyncio.sleep(1)
        await asyncio.to_thread(send, server, queue, "one")
        return await waiting

    answers = asyncio.run(scenario())
    assert sorted(answer.status for answer in answers) == [200] + [404] * 49
    assert min(answer.seconds for answer in answers if answer.status == 200) < 1.8


def test_ten_messages_among_50_parked_polls_go_to_ten_of_them_at_once(server, queue):
    async def scenario() -> list[Answer]:
        waiting = asyncio.ensure_future(polls(server, f"/queues/{queue}/messages?waitseconds=2", 50))
        await asyncio.sleep(1)
        await asyncio.to_thread(send, server, queue, *(str(number) for number in range(10)))
        return await waiting

    answers = asyncio.run(scenario())
    assert sorted(answer.status for answer in answers) == [200] * 10 + [404] * 40
    assert max(answer.seconds for answer in answers if answer.status == 200) < 1.8


def test_a_client_that_hangs_up_while_it_waits_does_not_swallow_the_next_message(server, queue):
    target = f"/queues/{queue}/messages?waitseconds=10"
    for _ in range(5):
        with server.connect() as connection:
            connection.send(live.request("GET", target, host=server.host))
            time.sleep(0.1)
    time.sleep(0.2)
    send(server, queue, "still here")
    got = server.ask("GET", f"/queues/{queue}/messages?waitseconds=2")
    assert (got.fields["MessageBody"], got.fields["DequeueCount"]) == ("still here", "1")


def test_a_client_that_hangs_up_passes_its_turn_on_to_one_who_still_waits(server, queue):
    target = f"/queues/{queue}/messages?waitseconds=10"

    async def scenario() -> Answer:
        _, gone = await asyncio.open_connection(*server.address)
        gone.write(live.request("GET", target, host=server.host))
        await asyncio.sleep(0.3)
        stays = asyncio.ensure_future(poll(server, target))
        await asyncio.sleep(0.3)
        gone.transport.abort()
        await asyncio.to_thread(send, server, queue, "for the one who stays")
        with contextlib.suppress(ConnectionError):
            await gone.wait_closed()
        return await stays

    answer = asyncio.run(scenario())
    assert (answer.status, answer.seconds < 2) == (200, True)


def test_a_poll_for_a_batch_is_woken_by_the_first_message(server, queue):
    async def scenario() -> Answer:
        waiting = asyncio.ensure_future(poll(server, f"/queues/{queue}/messages?numOfMessages=16&waitseconds=10"))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(send, server, queue, "first")
        return await waiting

    answer = asyncio.run(scenario())
    assert (answer.status, answer.seconds < 2) == (200, True)


def test_a_poll_of_a_queue_that_is_deleted_meanwhile_ends_with_an_mns_error(server, queue):
    async def scenario() -> Answer:
        waiting = asyncio.ensure_future(poll(server, f"/queues/{queue}/messages?waitseconds=1"))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(server.ask, "DELETE", f"/queues/{queue}")
        return await waiting

    answer = asyncio.run(scenario())
    assert answer.status == 404
    assert answer.code in ("MessageNotExist", "QueueNotExist")
    assert answer.seconds < 2
