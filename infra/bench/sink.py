"""HTTP endpoints for pushes: many that answer at once, and some that never answer."""

import asyncio
import socket
import threading
import time
from collections import defaultdict

_HOST = "127.0.0.1"


class Sink:
    """Endpoints on ports of their own, in a thread; tells when each body arrived at how many of them."""

    def __init__(self, *, healthy: int, dead: int) -> None:
        """Listen; `healthy` endpoints answer 204, `dead` ones take the connection and say nothing."""
        self._sockets = [socket.create_server((_HOST, 0)) for _ in range(healthy + dead)]
        self._healthy = healthy
        self._arrivals: dict[str, list[float]] = defaultdict(list)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    @property
    def urls(self) -> list[str]:
        """The endpoints, the dead ones last."""
        return [f"http://{_HOST}:{each.getsockname()[1]}/" for each in self._sockets]

    def arrivals(self, body: str) -> list[float]:
        """When the body arrived, by `time.perf_counter`."""
        return list(self._arrivals.get(body, ()))

    def close(self) -> None:
        """Listen no more."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for each in self._sockets:
            each.close()

    async def _listen(self) -> None:
        for each in self._sockets[: self._healthy]:
            await asyncio.start_server(self._serve, sock=each)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length:")
                )
                body = await reader.readexactly(length)
                self._arrivals[body.decode()].append(time.perf_counter())
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
