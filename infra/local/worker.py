"""A worker process of a server; see `crew`."""

import asyncio
import itertools
import os
import signal
import socket
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import uvloop

from chalicelib import settings, telemetry
from chalicelib.wire import http
from infra.local import channel, collecting, config, connection, runtime, server
from infra.local.shared import Shared

_SWEEP_SECONDS = 1  # between looks for messages whose retention is over
_BREATH_SECONDS = 0.05  # between pages of a purge
_STRAYS = 16  # requests of one connection for the first process, in `_STRAY_SECONDS`, until it serves the connection
_STRAY_SECONDS = 1.0
_QUEUES = 10_000  # of which is remembered what the first process was told


class _Worker:
    """What the process does, from its first message to its last."""

    def __init__(self, end: socket.socket, shared: Shared) -> None:
        self._loop = asyncio.get_running_loop()
        self._shared = shared
        self._ended = asyncio.Event()
        self._asked: dict[int, connection.Exchange] = {}
        self._numbers = itertools.count()
        # Connection -> how many of its requests were for the first process, and since when.
        self._strays: WeakKeyDictionary[connection.Connection, tuple[int, float]] = WeakKeyDictionary()
        self._due: dict[str, int] = {}  # queue id -> the moment (ms) that the first process was told of last
        self._channel = channel.Channel(end, self._loop, self._hear, _end_at_once)

    async def run(self) -> None:
        """Work until told to stop."""
        await self._ended.wait()
        self._channel.close()

    def _hear(self, message: tuple[Any, ...], file: int | None) -> None:
        match message:
            case ("start", number, told, decided):
                self._start(number, told, decided)
            case ("serve",) if file is not None:
                self._serving.take_in(socket.socket(fileno=file))
            case ("news", news):
                self._learn(news)
            case ("answer", number, response):
                self._answer(number, response)
            case ("nothing", number):
                nothing = self._asked.pop(number).nothing
                assert nothing is not None  # noqa: S101  # what has found nothing is a poll that was handed on
                nothing()
            case ("ask", number, asked):
                self._serving.front.ask(lambda answer: self._channel.send(("told", number, answer)), asked)
            case ("purge", queue_id):
                self._purge(queue_id)
            case ("finish",):
                self._finishing = asyncio.ensure_future(self._finish())
            case ("end",):
                self._running.stop()
                self._ended.set()

    def _start(self, number: int, told: config.LocalConfig, decided: settings.Settings) -> None:
        try:
            self._running = runtime.join(told, decided, self._shared, number, self._heard)
        except Exception:  # noqa: BLE001  # whatever it is, who asks this process shall not wait for ever
            telemetry.logger.exception("a worker process could not begin", worker=number)
            _end_at_once()
        assert self._running.rows is not None  # noqa: S101  # workers keep messages
        self._rows = self._running.rows
        rung: collecting.Collected[str] = collecting.Collected(
            self._loop,
            lambda counts: self._channel.send(("heard", counts, {})),
            partial(self._shared.parked_besides, number + 1),
        )
        self._running.lot.elsewhere = lambda _, queue_id, count: rung.add(queue_id or "", count)
        self._serving = server.Serving(self._running, self._relay, partial(self._shared.close, number))
        self._channel.send(("ready",))
        for queue_id, due in self._rows.dues().items():
            self._heard(queue_id, 0, due)
        self._sweep()

    def _purge(self, queue_id: str) -> None:
        """Delete a queue's messages, a page at a time."""
        if self._rows.purge(queue_id):
            self._loop.call_later(_BREATH_SECONDS, self._purge, queue_id)

    def _sweep(self) -> None:
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)  # first, for a full disk is not full for ever
        self._rows.sweep()

    def _relay(self, exchange: connection.Exchange, request: http.Request, waits: bool) -> None:  # noqa: FBT001  # `Relay`
        """Have the first process answer."""
        number = next(self._numbers)
        self._asked[number] = exchange
        self._channel.send(("ask", number, request, waits))
        if waits:
            exchange.when_gone(partial(self._lose, number))
        if isinstance(exchange, connection.Connection):
            self._note_stray(exchange)

    def _note_stray(self, client: connection.Connection) -> None:
        """Have the first process serve a connection that keeps asking what that one does, whatever else it asks."""
        now = self._loop.time()
        count, since = self._strays.get(client, (0, now))
        if now - since > _STRAY_SECONDS:
            count, since = 0, now
        self._strays[client] = count + 1, since
        if count + 1 == _STRAYS:
            client.leave(lambda file: self._channel.send(("serve",), file))

    def _answer(self, number: int, response: http.Response) -> None:
        exchange = self._asked.pop(number, None)
        if exchange is not None:  # or its client has just hung up
            exchange.answer(response)

    def _lose(self, number: int) -> None:
        """The client of a poll that waits in the first process has hung up."""
        if self._asked.pop(number, None) is not None:
            self._channel.send(("gone", number))

    def _heard(self, queue_id: str, visible: int, next_due: int | None) -> None:
        """Ring here, and have the first process ring elsewhere; what it expects anyway it need not be told."""
        if visible:
            self._running.lot.announce(queue_id, visible)
        told = self._due.get(queue_id, 0)
        if next_due is not None and not self._running.clock.now() < told <= next_due:
            if len(self._due) >= _QUEUES:
                self._due.clear()
            self._due[queue_id] = next_due
            self._channel.send(("heard", {}, {queue_id: next_due}))

    def _learn(self, news: Mapping[tuple[str, str | None], int]) -> None:
        for (what, queue_id), count in news.items():
            if what == "stir" or queue_id is None:
                self._running.lot.stir(queue_id)
            else:
                self._running.lot.ring(queue_id, count)

    async def _finish(self) -> None:
        await self._serving.finish(lambda: False)
        self._channel.send(("finished",))


def _end_at_once() -> None:
    """End; if the first process is gone, perhaps killed, so is the server."""
    os._exit(1)


def main() -> None:
    """Work at the other end of a channel; arguments: its descriptor, that of the numbers, and how many processes."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a terminal sends them to all; the first process decides
    theirs, file, processes = map(int, sys.argv[1:])
    end, shared = socket.socket(fileno=theirs), Shared(file, processes=processes)

    async def work() -> None:
        await _Worker(end, shared).run()

    uvloop.run(work())


if __name__ == "__main__":
    main()
