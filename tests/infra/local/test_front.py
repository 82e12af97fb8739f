"""Polls in a worker process while other processes look for them."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NoReturn

import pytest

from chalicelib.model import account, message, queue
from chalicelib.wire import http
from infra.local import config, connection, front, heads, runtime
from tests import live

HERE = account.Namespace(account_id=live.OWNER.account_id, region="cn-hangzhou")


@dataclass
class Client:
    """Who waits for an answer."""

    gone: bool = False
    nothing: None = None
    answers: list[http.Response] = field(default_factory=list)

    def answer(self, response: http.Response) -> None:
        self.answers.append(response)

    def when_gone(self, tell: Callable[[], None] | None) -> None: ...


class Worker:
    """A worker process's front, and what it has relayed to the first one, which keeps one message."""

    def __init__(self, first: runtime.Runtime, running: runtime.Runtime) -> None:
        self.first = first
        self.running = running
        self.lot = running.lot
        self.relayed: list[connection.Exchange] = []
        self.front = front.Front(
            running, asyncio.get_running_loop(), lambda exchange, *_: self.relayed.append(exchange)
        )
        self.queue_id = first.application.verbs.queues.create(HERE, "q", queue.QueueChange())[0].queue_id

    async def poll(self, client: Client) -> None:
        sent = live.request("GET", "/queues/q/messages?waitseconds=20", host="local")
        asked = heads.Reader().read(sent, address="127.0.0.1", arrived_at=self.front.now())
        assert asked is not None
        self.front.take(client, asked)
        await turns()

    def send(self) -> None:
        """A message comes in through the first process, of which nobody has told yet."""
        self.first.application.verbs.messages.send(HERE, "q", message.Draft(body="x"))


async def turns() -> None:
    """Let the event loop do all that there is."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def run(tmp_path):
    """Run a scenario with a worker."""
    told = config.load({"data": str(tmp_path), "workers": 2}, {})
    first = runtime.start(told)
    running = runtime.join(told, first.application.settings, first.shared, 0, lambda *_: None)

    async def begin(scenario: Callable[[Worker], Awaitable[None]]) -> None:
        worker = Worker(first, running)
        try:
            await scenario(worker)
        finally:
            running.stop()
            first.stop()
            await turns()
            worker.front.close()

    return lambda scenario: asyncio.run(begin(scenario))


@pytest.mark.parametrize("is_late", [False, True])
def test_a_poll_for_which_nothing_was_found_looks_again_if_a_message_has_come_meanwhile(run, is_late):
    async def scenario(worker: Worker) -> None:
        worker.send()
        await worker.poll(Client())
        [elsewhere] = worker.relayed
        assert elsewhere.nothing is not None
        if is_late:
            elsewhere.nothing()
        worker.lot.ring(worker.queue_id)
        if not is_late:
            elsewhere.nothing()
        await turns()
        assert len(worker.relayed) == 2

    run(scenario)


def test_a_poll_for_which_nothing_was_found_waits(run):
    async def scenario(worker: Worker) -> None:
        worker.send()
        await worker.poll(Client())
        [elsewhere] = worker.relayed
        assert elsewhere.nothing is not None
        elsewhere.nothing()
        await turns()
        assert (len(worker.relayed), len(worker.lot)) == (1, 1)

    run(scenario)


def test_a_message_in_another_process_wakes_one_of_those_who_wait(run):
    async def scenario(worker: Worker) -> None:
        for _ in range(3):
            await worker.poll(Client())
        worker.send()
        worker.lot.ring(worker.queue_id)
        await turns()
        assert (len(worker.relayed), len(worker.lot)) == (1, 2)

    run(scenario)


def test_what_wakes_a_client_that_has_just_gone_is_for_those_who_wait_in_other_processes(run):
    async def scenario(worker: Worker) -> None:
        told: list[tuple[str, str | None, int]] = []
        client = Client()
        await worker.poll(client)
        worker.lot.elsewhere = lambda *news: told.append(news)
        client.gone = True
        worker.lot.announce(worker.queue_id)
        await turns()
        assert told == [("ring", worker.queue_id, 1)]

    run(scenario)


def test_what_fails_with_others_is_answered_once_though_another_process_was_to_answer(run):
    async def scenario(worker: Worker) -> None:
        def failing(work: Callable[[], object]) -> NoReturn:
            work()
            raise OSError(28, "No space left on device")

        failed = Worker(worker.first, dataclasses.replace(worker.running, together=failing))
        client = Client()
        worker.send()
        await failed.poll(client)
        assert ([answer.status for answer in client.answers], failed.relayed) == ([500], [])
        failed.front.close()

    run(scenario)


def test_long_paths_are_not_remembered():
    front._is_of_messages.cache_clear()
    for path in ("/queues/q/messages", f"/queues/{'q' * 60_000}/messages", "/queues/q", "/topics/t/messages"):
        assert front._is_steady(path) is path.endswith("messages")
        assert front._is_own(path) is (path.endswith("messages") and path.startswith("/queues"))
    assert front._is_of_messages.cache_info().currsize == 3
