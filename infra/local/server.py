"""The local HTTP server: an event loop that accepts connections, and ends in good order.

Told to stop, it takes no new connections, answers the parked polls, finishes what has begun to come in, and ends after
`GRACE_SECONDS` whatever clients do; told again, it ends at once.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import uvloop

from infra.local import connection, front, runners, runtime

GRACE_SECONDS = 10
_BACKLOG = 2048  # connections that may wait to be accepted
_LOOK_ROUND_SECONDS = 5  # between looks for connections that say nothing


class Server:
    """One process's share of the serving."""

    def __init__(self, running: runtime.Runtime) -> None:
        self._loop = asyncio.get_running_loop()
        self._running = running
        self._front = front.Front(running, self._loop)
        self._open: set[connection.Connection] = set()
        self._told = 0  # how often it was told to stop
        self._stopping = asyncio.Event()
        self._progress = asyncio.Event()  # a connection has ended, or it was told to stop

    async def run(self, listener: socket.socket) -> None:
        """Serve until told to stop."""
        accepting = await self._loop.create_server(self._connection, sock=listener, backlog=_BACKLOG)
        watching = asyncio.ensure_future(self._watch())
        try:
            with self._signals():
                await self._stopping.wait()
                accepting.close()
                self._running.lot.close()
                await self._finish()
        finally:
            watching.cancel()
            self._front.close()

    def stop(self) -> None:
        """Stop; the second time at once."""
        self._told += 1
        self._stopping.set()
        self._progress.set()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Stop at SIGINT and SIGTERM."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        for number in numbers:
            self._loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in numbers:
                self._loop.remove_signal_handler(number)

    async def _finish(self) -> None:
        """Let what is in hand come to its end."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                for each in list(self._open):
                    each.finish()
                while self._open and self._told == 1:
                    self._progress.clear()
                    await self._progress.wait()
        for each in list(self._open):
            each.close()

    def _connection(self) -> connection.Connection:
        return connection.Connection(self._front, self._open, self._loop, self._progress.set)

    async def _watch(self) -> None:
        """Hang up on who says nothing."""
        while True:
            await asyncio.sleep(_LOOK_ROUND_SECONDS)
            for each in list(self._open):
                each.close_if_old(self._loop.time())


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


def serve(running: runtime.Runtime, listener: socket.socket, runner: runners.LoopRunner) -> None:
    """Serve until SIGINT or SIGTERM. The runner is the driver's, if it is for a loop."""

    async def main() -> None:
        runner.attach(asyncio.get_running_loop(), lambda: len(running.lot) > 0)
        await Server(running).run(listener)

    uvloop.run(main())
