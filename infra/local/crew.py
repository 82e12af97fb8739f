"""The worker processes of a server, as its first process sees them.

    first process    accepts connections and shares them out, runs the driver, and all operations but those on messages
                     of queues
    worker           operations on messages of queues, which it keeps in a file of its own (`store.shards`); relays all
                     others here, so that what processes remember of queues and keys is changed in one place, and
                     those whose messages are in another file; hands back a connection that keeps asking them

A worker that dies is replaced; the connections it had are lost. Workers end when the first process does, however it
ends: they see the end of their channel.
"""

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from chalicelib import telemetry
from chalicelib.wire import http
from infra.local import channel, collecting, config, connection, runtime
from infra.local.store import shards

if TYPE_CHECKING:
    from infra.local import line as lines

ALONE = 4  # connections that the first process has before it shares
_AGAIN_SECONDS = 1  # before a worker that died is replaced


class _Asked:
    """A request that a worker relayed: an `Exchange`."""

    def __init__(self, worker: "_Worker", number: int, *, waits: bool) -> None:
        assert worker.channel is not None  # noqa: S101  # it has asked
        self._to = worker.channel
        self._worker = worker
        self._number = number
        self._waits = waits
        self._tell: Callable[[], None] | None = None
        self.gone = False
        worker.asked[number] = self

    @property
    def nothing(self) -> Callable[[], None] | None:
        """See `Exchange`; most polls wait in the worker, where their client is."""
        return None if self._waits else self._have_it_wait

    def answer(self, response: http.Response) -> None:
        """Send the answer to the worker."""
        self._end(("answer", self._number, response))

    def when_gone(self, tell: Callable[[], None] | None) -> None:
        """See `Exchange`."""
        self._tell = tell

    def hang_up(self) -> None:
        """Its client is gone."""
        self.gone = True
        if self._tell is not None:
            self._tell()

    def _have_it_wait(self) -> None:
        self._end(("nothing", self._number))

    def _end(self, message: tuple[Any, ...]) -> None:
        if self._worker.asked.pop(self._number, None) is self:
            self._to.send(message)


class _Worker:
    """A worker process."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.ready = False
        self.finished = asyncio.Event()  # what it had in hand
        self.ended = asyncio.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.channel: channel.Channel | None = None
        self.questions: list[tuple[Any, ...]] = []  # to be asked when it is ready
        self.asked: dict[int, _Asked] = {}  # what it has relayed and is not answered yet
        self.given = 0  # connections


class Crew:
    """All workers; lives on the event loop of the first process."""

    def __init__(
        self,
        running: runtime.Runtime,
        told: config.LocalConfig,
        taker: connection.Taker,
        loop: asyncio.AbstractEventLoop,
        take_in: Callable[[socket.socket], None],
    ) -> None:
        """Set up; `take_in` serves a connection here."""
        self._running = running
        self._told = told
        self._taker = taker
        self._loop = loop
        self._take_in = take_in
        self._thread = threading.get_ident()
        self._workers = [_Worker(number) for number in range(told.workers - 1)]
        self._news = {
            worker: collecting.Collected(
                loop, partial(self._spread, worker), partial(running.shared.parked_in, worker.number + 1)
            )
            for worker in self._workers
        }
        self._stopping = False
        running.lot.elsewhere = self._tell
        if running.line is not None:
            running.line.connect(partial(self._ask, running.line), self._bid)

    def start(self) -> None:
        """Start the workers; they join when they are ready."""
        for worker in self._workers:
            self._start(worker)

    def share_out(self, accepted: socket.socket, own: int) -> bool:
        """Give a connection to the worker that has the fewest; False: it is the first process's, which has `own`.

        Few connections stay together, since messages that go from one process to another take longer.
        """
        ready = [worker for worker in self._workers if worker.ready]
        if own < ALONE or not ready:
            return False
        fewest = min(ready, key=self._open)
        if own <= self._open(fewest):
            return False
        assert fewest.channel is not None  # noqa: S101  # for the type checker: who is ready has one
        fewest.channel.send(("serve",), accepted.detach())
        fewest.given += 1
        return True

    def _open(self, worker: _Worker) -> int:
        """How many connections a worker has."""
        return worker.given - self._running.shared.closed(worker.number)

    async def finish(self, seconds: float) -> None:
        """Have the workers finish what they have in hand, in some time; they still answer what they are asked."""
        self._stopping = True
        for worker in self._workers:
            if worker.channel is not None:
                worker.channel.send(("finish",))
            elif self._running.line is not None:
                self._running.line.lose(worker.number + 1)  # it does not come again
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for worker in self._workers:
                    if worker.channel is not None:
                        await worker.finished.wait()

    async def stop(self, seconds: float) -> None:
        """End the workers; those that do not end in time are killed."""
        self._stopping = True
        for worker in self._workers:
            if worker.channel is not None:
                worker.channel.send(("end",))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for worker in self._workers:
                    if worker.channel is not None:
                        await worker.ended.wait()
        self.kill()

    def kill(self) -> None:
        """End them at once."""
        self._stopping = True
        for worker in self._workers:
            if worker.process is not None and worker.process.poll() is None:
                worker.process.kill()
                worker.process.wait()

    def _start(self, worker: _Worker) -> None:
        if self._stopping:
            return
        worker.finished.clear()
        worker.ended.clear()
        try:
            ours = self._spawn(worker)
        except OSError:  # there are no descriptors left, say, or there is no memory
            self._lose(worker)
            return
        worker.channel = channel.Channel(ours, self._loop, partial(self._hear, worker), lambda: self._lose(worker))
        worker.channel.send(("start", worker.number, self._told, self._running.application.settings))

    def _spawn(self, worker: _Worker) -> socket.socket:
        """Start the process; our end of the channel to it."""
        shared = self._running.shared.file
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as failed, theirs:
            failed.callback(ours.close)
            worker.process = subprocess.Popen(  # noqa: S603  # ours
                [sys.executable, "-m", "infra.local.worker", *map(str, (theirs.fileno(), shared, self._told.workers))],
                pass_fds=(theirs.fileno(), shared),
                stdin=subprocess.DEVNULL,
            )
            failed.pop_all()
        return ours

    def _hear(self, worker: _Worker, message: tuple[Any, ...], file: int | None) -> None:
        match message:
            case ("ready",) if worker.channel is not None:
                worker.ready = True
                for question in worker.questions:
                    worker.channel.send(question)
                worker.questions.clear()
                self._running.lot.stir_everywhere()  # what it keeps may be what others wait for
            case ("serve",) if file is not None:
                handed = socket.socket(fileno=file)
                if self._stopping:
                    handed.close()  # as others that have nothing in hand
                else:
                    self._take_in(handed)
            case ("finished",):
                worker.finished.set()
            case ("told", number, answer) if self._running.line is not None:
                self._running.line.hear(number, answer)
            case ("heard", rung, dues):
                self._learn(worker, rung, dues)
            case ("ask", number, request, waits):
                self._taker.take(_Asked(worker, number, waits=waits), request)
            case ("gone", number) if number in worker.asked:
                worker.asked.pop(number).hang_up()

    def _learn(self, worker: _Worker, rung: Mapping[str, int], dues: Mapping[str, int]) -> None:
        """Messages of a worker have become visible, or come due."""
        for queue_id, visible in rung.items():
            rest = visible - self._running.lot.ring(queue_id, visible)
            if rest:
                self._tell("ring", queue_id, rest, besides=worker)
        if self._running.driver is not None:
            for queue_id, due in dues.items():
                self._running.driver.expect(queue_id, due, worker.number + 1)

    def _lose(self, worker: _Worker) -> None:
        worker.ready, worker.channel = False, None
        lost, worker.asked = worker.asked, {}
        for asked in lost.values():
            asked.hang_up()
        self._running.shared.forget(worker.number + 1)
        if self._running.line is not None:
            worker.questions.clear()
            self._running.line.lose(worker.number + 1)
        worker.finished.set()
        worker.ended.set()
        self._running.shared.park(worker.number + 1, 0)
        worker.given = self._running.shared.closed(worker.number)
        if worker.process is not None:
            worker.process.kill()  # its channel is gone: it can be of no use, if it lives at all
            worker.process.wait()
        if not self._stopping:
            telemetry.logger.warning("a worker process died and is replaced", worker=worker.number)
            self._loop.call_later(_AGAIN_SECONDS, self._start, worker)

    def _ask(self, line: "lines.Line", process: int, number: int, asked: shards.Asked) -> None:
        """Ask a worker about messages that it keeps; one that is not ready is asked as soon as it is."""
        worker = self._workers[process - 1]
        if worker.ready and worker.channel is not None:
            worker.channel.send(("ask", number, asked))
        elif self._stopping:
            self._loop.call_soon(line.lose, process)
        else:
            worker.questions.append(("ask", number, asked))

    def _bid(self, verb: str, given: tuple[Any, ...]) -> None:
        """Have the workers do something with messages that they keep; those that are not ready need not."""
        for worker in self._workers:
            if worker.ready and worker.channel is not None:
                worker.channel.send((verb, *given))

    def _tell(self, what: str, queue_id: str | None, count: int, besides: _Worker | None = None) -> None:
        """Pass a ring or a stir on to the lots of the workers."""
        if threading.get_ident() != self._thread:
            self._loop.call_soon_threadsafe(self._tell, what, queue_id, count)
            return
        for worker, news in self._news.items():
            if worker is not besides:
                news.add((what, queue_id), count)

    def _spread(self, worker: _Worker, news: Mapping[tuple[str, str | None], int]) -> None:
        if worker.ready and worker.channel is not None:
            worker.channel.send(("news", news))
