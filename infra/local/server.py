"""The local HTTP server: uvicorn in front of the door.

The embedded engine answers so quickly that requests run on the event loop itself, those that are in hand together in
one transaction, and the driver's work between them; with moto requests run in a few threads. A long poll waits on the
event loop, where it costs nothing. A client that hangs up while it waits is not given a message.
"""

import asyncio
import contextlib
import dataclasses
import functools
import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent import futures
from typing import Any

import uvicorn

from chalicelib import telemetry
from chalicelib.api import operations
from chalicelib.model import errors, limits
from chalicelib.wire import http
from infra.local import driver, helpers, runtime

_THREADS = 16
_DRAINED_BYTES = 16 * limits.REQUEST_BYTES  # of a body too large, read and dropped so that the client gets its answer
_HEADER_BYTES = 65_536
_LAZY_SECONDS = 0.01  # the driver's work is put off by this while nobody waits for a message
_BACKLOG = 2048  # connections that may wait to be accepted
_GRACE_SECONDS = 10  # for requests in hand when the server is told to stop

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Look = Callable[[], operations.Step]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Verbatim(bytes):
    """A header name that uvicorn leaves in its case: the Java SDK looks for `Location` in exactly this one."""

    __slots__ = ()

    def lower(self) -> "_Verbatim":
        return self


class _HungUpError(Exception):
    """The client is gone."""


class _Together:
    """Runs the looks that are in hand together within one transaction, and lets them answer after its commit."""

    def __init__(self, running: runtime.Runtime) -> None:
        self._running = running
        self._in_hand: list[tuple[_Look, asyncio.Future[operations.Step]]] = []

    def run(self, look: _Look) -> "asyncio.Future[operations.Step]":
        """The outcome of `look`, once everything that it wrote is stored."""
        loop = asyncio.get_running_loop()
        if not self._in_hand:
            loop.call_soon(self._flush)  # after all requests that have come by now
        outcome = loop.create_future()
        self._in_hand.append((look, outcome))
        return outcome

    def _flush(self) -> None:
        in_hand, self._in_hand = self._in_hand, []
        try:
            with self._running.batch():
                steps = [look() for look, _ in in_hand]  # they do not raise: the door has its gate
        except Exception as error:  # noqa: BLE001  # nothing of the batch is stored: nobody may be told otherwise
            for _, outcome in in_hand:
                if not outcome.cancelled():
                    outcome.set_exception(error)
            self._running.recover()
            return
        for (_, outcome), step in zip(in_hand, steps, strict=True):
            if not outcome.cancelled():
                outcome.set_result(step)


class LoopRunner:
    """Runs the driver's work on the event loop, between requests: no thread is waited for, no lock is fought over.

    While nobody waits for a message the work may come a moment later, so that more of it is done in one go.
    """

    def __init__(self) -> None:
        self._work: Callable[[], None] = lambda: None
        self._pause: Callable[[], float | None] = lambda: None
        self._waited_for: Callable[[], bool] = lambda: True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._handle: asyncio.TimerHandle | None = None
        self._moment = 0.0  # of the handle

    def __call__(self, _name: str, work: Callable[[], None], pause: Callable[[], float | None]) -> driver.Runner:
        """Take over the driver's work; see `driver.Run`."""
        self._work, self._pause = work, pause
        return self

    def attach(self, loop: asyncio.AbstractEventLoop, waited_for: Callable[[], bool]) -> None:
        """Work on this loop from now on; called on it. `waited_for` tells whether somebody waits for messages."""
        self._loop, self._thread, self._waited_for = loop, threading.get_ident(), waited_for
        self._schedule(0)

    def start(self) -> None:
        """Nothing: `attach` begins."""

    def wake(self) -> None:
        """Have it work."""
        if self._loop is None or self._loop.is_closed():
            return
        if threading.get_ident() == self._thread:
            self._schedule(0 if self._waited_for() else _LAZY_SECONDS)
        else:
            self._loop.call_soon_threadsafe(self._schedule, 0)

    def stop(self) -> None:
        """Do what is left; the loop has ended."""
        self._loop = None
        try:
            self._work()
        except Exception:  # noqa: BLE001  # what is not done now is done at the next start
            telemetry.logger.exception("the driver's last work failed")

    def _schedule(self, seconds: float) -> None:
        if self._loop is None:
            return
        moment = self._loop.time() + seconds
        if self._handle is not None:
            if self._moment <= moment:
                return
            self._handle.cancel()
        self._moment = moment
        self._handle = self._loop.call_at(moment, self._run)

    def _run(self) -> None:
        self._handle = None
        try:
            self._work()
        except Exception:  # noqa: BLE001  # without the driver nothing is counted or released
            telemetry.logger.exception("the driver failed and goes on")
            self._schedule(driver.RETRY_SECONDS)
            return
        pause = self._pause()
        if pause is not None:
            self._schedule(pause)


class Front:
    """The ASGI application."""

    def __init__(self, running: runtime.Runtime) -> None:
        self._running = running
        self._door = running.application.door
        self._clock = running.application.clock
        self._together = _Together(running)
        self._threads = futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="openmns")

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one request."""
        try:
            response = await self._serve(scope, receive)
        except _HungUpError:
            return
        headers: list[tuple[bytes, bytes]] = [
            (name.encode() if name == "Connection" else _Verbatim(name.encode()), value.encode())
            for name, value in response.headers.items()
        ]
        if response.status != 204:  # noqa: PLR2004  # the status without a body, and without a length
            headers.append((b"Content-Length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _serve(self, scope: _Scope, receive: _Receive) -> http.Response:
        arrived_at = self._clock.now()
        sizes = sum(len(name) + len(value) for name, value in scope["headers"])
        headers = _headers(scope["headers"]) if sizes <= _HEADER_BYTES else {}
        request = functools.partial(
            http.Request,
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            scheme=scope["scheme"],
            arrived_at=arrived_at,
        )
        body = await self._read(receive)
        if "upgrade" in headers and ("content-length" in headers or "transfer-encoding" in headers):
            return self._refuse(request(), "A request with a body cannot ask for an upgrade; leave out Upgrade.")
        if body is None or sizes > _HEADER_BYTES:
            return self._refuse(
                request(),
                f"The request may have {limits.REQUEST_BYTES} bytes of body and {_HEADER_BYTES} of headers.",
            )
        taken = request(body=body)
        if taken.path.startswith(helpers.PREFIX):
            return await self._help(taken)
        try:
            return await self._answer(taken, receive)
        except _HungUpError:
            raise
        except Exception:  # noqa: BLE001  # the engine could not store what the door had answered
            telemetry.logger.exception("requests failed together")
            return self._door.refuse(taken, errors.InternalError())

    def _refuse(self, request: http.Request, reason: str) -> http.Response:
        """Answer a request that was not read to its end, and close the connection."""
        response = self._door.refuse(request, errors.InvalidArgument(reason))
        return dataclasses.replace(response, headers={**response.headers, "Connection": "close"})

    async def _help(self, request: http.Request) -> http.Response:
        """Answer one of the local helpers, which may take its time."""
        loop = asyncio.get_running_loop()
        if self._running.blocking:
            return await loop.run_in_executor(self._threads, helpers.answer, self._running, request)
        return helpers.answer(self._running, request)

    async def _read(self, receive: _Receive) -> bytes | None:
        """The body; None if it is too large."""
        parts: list[bytes] = []
        size = 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise _HungUpError
            size += len(event.get("body", b""))
            if size <= limits.REQUEST_BYTES:
                parts.append(event.get("body", b""))
            if not event.get("more_body") or size > _DRAINED_BYTES:
                return b"".join(parts) if size <= limits.REQUEST_BYTES else None

    async def _answer(self, request: http.Request, receive: _Receive) -> http.Response:
        mark = self._running.lot.mark()
        step = await self._look(lambda: self._door.begin(request))
        while isinstance(step, operations.Waiting):
            if not await self._wait(step, mark, receive):
                return step.give_up()
            mark = self._running.lot.mark()
            queue_id = step.queue_id
            step = await self._look(step.resume)
            if isinstance(step, http.Response):
                self._running.lot.ring(queue_id)  # there may be more, for the next one who waits
        return step

    async def _look(self, look: _Look) -> operations.Step:
        """Run what calls the engine where it disturbs nobody."""
        if not self._running.blocking:
            return await self._together.run(look)
        return await asyncio.get_running_loop().run_in_executor(self._threads, look)

    async def _wait(self, step: operations.Waiting, mark: int, receive: _Receive) -> bool:
        """Wait in the lot; True: look again, False: the time is over or the server stops."""
        loop = asyncio.get_running_loop()
        woken = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(_wake, woken)

        ticket = self._running.lot.park(step.queue_id, mark, wake)
        hung_up = asyncio.ensure_future(receive())
        try:
            seconds = max(0, step.deadline - self._clock.now()) / 1000
            await asyncio.wait({woken, hung_up}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hung_up.cancel()
            parked = self._running.lot.leave(step.queue_id, ticket)
        gone = hung_up.done() and not hung_up.cancelled()
        if woken.done() and not gone and not self._running.lot.closed:
            return True
        if not parked:
            self._running.lot.ring(step.queue_id)  # it was woken and does not look: let another one
        if gone:
            raise _HungUpError
        return False


class _Server(uvicorn.Server):
    """uvicorn that lets long polls go when it is told to stop, so that it need not wait for them.

    It does so on the event loop, not in the signal's handler: that one may have interrupted the lot itself.
    """

    def __init__(self, config: uvicorn.Config, running: runtime.Runtime, runner: LoopRunner) -> None:
        super().__init__(config)
        self._running = running
        self._runner = runner

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Let the driver work on this loop."""
        self._runner.attach(asyncio.get_running_loop(), lambda: len(self._running.lot) > 0)
        await super().startup(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGINT and SIGTERM while serving; unlike uvicorn, do not raise them again afterwards."""
        before = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer the parked polls, then end as uvicorn does: what is in hand is finished."""
        self._running.lot.close()
        await super().shutdown(sockets)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; raises OSError if that cannot be."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(_BACKLOG)
    return listener


def serve(running: runtime.Runtime, listener: socket.socket, runner: LoopRunner) -> None:
    """Serve until SIGINT or SIGTERM; requests in hand are finished. The runner is the driver's, if it is for a loop."""
    config = uvicorn.Config(
        Front(running),
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="error",  # what clients send wrongly they are told
        server_header=False,
        proxy_headers=False,  # nobody stands in front of it
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    _Server(config, running, runner).run(sockets=[listener])


def _headers(sent: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by their lower-case names, those sent more than once joined by commas."""
    found: dict[str, list[str]] = {}
    for name, value in sent:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {name: ",".join(values) for name, values in found.items()}


def _wake(woken: "asyncio.Future[None]") -> None:
    if not woken.done():
        woken.set_result(None)
