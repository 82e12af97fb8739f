"""The local HTTP server: an event loop that accepts connections, shares them out, and ends in good order.

Told to stop, it takes no new connections, answers the parked polls, finishes what has begun to come in, and ends after
`GRACE_SECONDS` whatever clients do; told again, it ends at once.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvloop

from infra.local import config, connection, crew, front, runners, runtime

GRACE_SECONDS = 10
_BACKLOG = 2048  # connections that may wait to be accepted
_AT_ONCE = 64  # connections accepted before requests have their turn
_PAUSE_SECONDS = 0.5  # in accepting, when the process has no descriptors left
_ROUND_SECONDS = 5  # between looks for connections that say nothing


class Serving:
    """The connections of one process."""

    def __init__(
        self, running: runtime.Runtime, relay: front.Relay | None = None, closed: Callable[[], None] = lambda: None
    ) -> None:
        """Set up; `relay` is the front's, and `closed` is called whenever a connection has ended."""
        self._loop = asyncio.get_running_loop()
        self._running = running
        self._open: set[connection.Connection] = set()
        self._arriving: set[asyncio.Future[Any]] = set()
        self._count = 0  # of connections, those arriving among them
        self._closed = closed
        self._ended = asyncio.Event()  # one more connection
        self._finishing = False
        self.front = front.Front(running, self._loop, relay)
        self._watching = asyncio.ensure_future(self._watch())
        gc.freeze()  # what was made up to here stays: collections need not look at it

    def take_in(self, accepted: socket.socket) -> None:
        """Serve a connection."""
        self._count += 1
        accepted.setblocking(False)  # noqa: FBT003  # the socket's
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made = asyncio.ensure_future(self._loop.connect_accepted_socket(self._connection, accepted))
        self._arriving.add(made)
        made.add_done_callback(self._arrived)

    def _arrived(self, made: "asyncio.Future[Any]") -> None:
        self._arriving.discard(made)
        if made.cancelled() or made.exception() is not None:  # a client that has gone again is no news
            self._lose()
        elif self._finishing:
            made.result()[1].finish()

    async def finish(self, hurry: Callable[[], bool]) -> None:
        """Let what is in hand come to its end, in `GRACE_SECONDS` and while nobody says hurry; then hang up."""
        self._finishing = True
        self._running.lot.close()
        for each in list(self._open):
            each.finish()
        ends = self._loop.time() + GRACE_SECONDS
        while self._open and not hurry() and self._loop.time() < ends:
            self._ended.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), ends - self._loop.time())
        for each in list(self._open):
            each.close()
        self._watching.cancel()
        self.front.close()

    def wake(self) -> None:
        """Have `finish` ask again whether to hurry."""
        self._ended.set()

    def _connection(self) -> connection.Connection:
        return connection.Connection(self.front, self._open, self._loop, self._lose)

    def _lose(self) -> None:
        self._count -= 1
        self._ended.set()
        self._closed()

    def __len__(self) -> int:
        """How many connections there are."""
        return self._count

    async def _watch(self) -> None:
        """Hang up on who says nothing."""
        while True:
            await asyncio.sleep(_ROUND_SECONDS)
            for each in list(self._open):
                each.close_if_old(self._loop.time())


class _Server:
    """The server's first process."""

    def __init__(self, running: runtime.Runtime, told: config.LocalConfig, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._serving = Serving(running)
        self._crew = crew.Crew(running, told, self._serving.front, self._loop, self._serving.take_in)
        self._told = 0  # how often it was told to stop
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Serve until told to stop."""
        self._listener.setblocking(False)  # noqa: FBT003  # the socket's
        self._loop.add_reader(self._listener.fileno(), self._accept)
        self._crew.start()
        try:
            with self._signals():
                await self._stopping.wait()
                self._loop.remove_reader(self._listener.fileno())
                self._listener.close()
                await asyncio.gather(self._serving.finish(lambda: self._told > 1), self._crew.finish(GRACE_SECONDS))
                await self._crew.stop(GRACE_SECONDS)
        finally:
            self._crew.kill()

    def _stop(self) -> None:
        self._told += 1
        self._stopping.set()
        if self._told > 1:
            self._serving.wake()
            self._crew.kill()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            self._loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in numbers:
                self._loop.remove_signal_handler(number)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor is left: the client waits until one is
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(_PAUSE_SECONDS, self._accept_again)
                return
            if not self._crew.share_out(accepted, len(self._serving)):
                self._serving.take_in(accepted)

    def _accept_again(self) -> None:
        if not self._stopping.is_set():
            self._loop.add_reader(self._listener.fileno(), self._accept)


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


def serve(running: runtime.Runtime, told: config.LocalConfig, listener: socket.socket, runner: runners.OnLoop) -> None:
    """Serve until SIGINT or SIGTERM. The runner is the driver's, if it is for a loop."""

    async def main() -> None:
        runner.attach(asyncio.get_running_loop(), lambda: running.shared.parked > 0)
        await _Server(running, told, listener).run()

    uvloop.run(main())
