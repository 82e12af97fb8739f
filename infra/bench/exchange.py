"""HTTP/1.1 as cheaply as Python can: one epoll loop, one script per connection, keep-alive.

A script is a generator: it yields a request's bytes and is sent the response, or yields a number and is sent None after
that many seconds. Writes block, which on loopback with requests of a few KB they never do for long.
"""

import heapq
import re
import select
import socket
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import NamedTuple

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_CLOSING = re.compile(rb"(?i)\r\nconnection: *close")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding:")
_READ_BYTES = 262_144
_CONNECT_SECONDS = 20


class Response(NamedTuple):
    """A response."""

    status: int
    payload: bytes


Step = bytes | float
Script = Generator[Step, Response, None]


class BrokenError(Exception):
    """The server closed a connection in the middle of an exchange."""


def cut(data: bytes) -> tuple[Response, bool] | None:
    """The response at the start of `data` and whether the connection ends with it; None: it is not complete."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    found = _LENGTH.search(data, 0, head)
    if found is None and _CHUNKED.search(data, 0, head):
        raise BrokenError("the server answers in chunks, which this client does not read")
    end = head + 4 + (int(found[1]) if found else 0)
    if len(data) < end:
        return None
    closing = _CLOSING.search(data, 0, head) is not None or data.startswith(b"HTTP/1.0")
    return Response(int(data[9:12]), data[head + 4 : end]), closing


def ask(address: tuple[str, int], request: bytes, seconds: float = _CONNECT_SECONDS) -> Response:
    """One exchange on a connection of its own."""
    with socket.create_connection(address, seconds) as connection:
        connection.sendall(request)
        data = b""
        while (found := cut(data)) is None:
            part = connection.recv(_READ_BYTES)
            if not part:
                raise BrokenError(f"no response, but {data[:80]!r}")
            data += part
    return found[0]


@dataclass(eq=False)
class _Connection:
    socket: socket.socket
    script: Script
    data: bytes = b""


@dataclass
class Client:
    """Connections to one server, opened once and used by one set of scripts after the other."""

    address: tuple[str, int]
    connections: int
    idle: list[socket.socket] = field(default_factory=list)
    stopping: bool = False  # set by a script: end the run now

    def __post_init__(self) -> None:
        self.idle = [_connect(self.address) for _ in range(self.connections)]

    def close(self) -> None:
        """Hang up."""
        for connection in self.idle:
            connection.close()
        self.idle.clear()

    def run(self, scripts: Iterable[Script], until: float) -> bool:
        """Run scripts, one per connection, to their ends or to the moment `until` of `time.perf_counter`.

        Returns:
            Whether all came to their ends. Connections in the middle of an exchange are closed.

        Raises:
            BrokenError, OSError: a connection ended in the middle of an exchange.
        """
        return _Run(self).run(scripts, until)


class _Run:
    """One run of a client."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._poll = select.epoll()
        self._busy: dict[int, _Connection] = {}
        self._timers: list[tuple[float, int, _Connection]] = []
        self._order = count()

    def run(self, scripts: Iterable[Script], until: float) -> bool:
        """See `Client.run`."""
        try:
            for script in scripts:
                self._advance(_Connection(self._client.idle.pop(), script), None)
            while (self._busy or self._timers) and not self._client.stopping and self._wait(until):
                pass
            return not self._busy and not self._timers
        finally:
            self._client.stopping = False
            for connection in self._busy.values():
                connection.socket.close()
            for _, _, connection in self._timers:
                self._client.idle.append(connection.socket)
            self._poll.close()

    def _wait(self, until: float) -> bool:
        """Serve what is ready; False: the time is over."""
        now = time.perf_counter()
        if now >= until:
            return False
        while self._timers and self._timers[0][0] <= now:
            self._advance(heapq.heappop(self._timers)[2], None)
        end = min(until, self._timers[0][0]) if self._timers else until
        for number, _ in self._poll.poll(max(0.0, end - now)):
            self._read(self._busy[number])
        return True

    def _read(self, connection: _Connection) -> None:
        part = connection.socket.recv(_READ_BYTES)
        if not part:
            raise BrokenError(f"the connection ended after {connection.data[:80]!r}")
        data = connection.data + part if connection.data else part
        found = cut(data)
        if found is None:
            connection.data = data
            return
        connection.data = b""
        response, closing = found
        if closing:
            self._forget(connection)
            connection.socket.close()
            connection.socket = _connect(self._client.address)
        self._advance(connection, response)

    def _advance(self, connection: _Connection, response: Response | None) -> None:
        """Take a script to its next step."""
        try:
            # The first step of a generator, and one after a pause, is sent None.
            step = next(connection.script) if response is None else connection.script.send(response)
        except StopIteration:
            self._forget(connection)
            self._client.idle.append(connection.socket)
            return
        if isinstance(step, bytes):
            if connection.socket.fileno() not in self._busy:
                self._busy[connection.socket.fileno()] = connection
                self._poll.register(connection.socket.fileno(), select.EPOLLIN)
            connection.socket.sendall(step)
        else:
            self._forget(connection)
            heapq.heappush(self._timers, (time.perf_counter() + step, next(self._order), connection))

    def _forget(self, connection: _Connection) -> None:
        number = connection.socket.fileno()
        if self._busy.pop(number, None) is not None:
            self._poll.unregister(number)


def script(requests: Iterator[bytes], answers: list[Response]) -> Script:
    """Make the requests that several scripts share, each whatever is next; append the answers."""
    for request in requests:
        answers.append((yield request))  # noqa: PERF401  # extend would drive the generator by itself


def scripts(requests: Iterable[bytes], answers: list[Response], connections: int) -> Sequence[Script]:
    """As many scripts as connections that make these requests together."""
    shared = iter(requests)
    return [script(shared, answers) for _ in range(connections)]


def _connect(address: tuple[str, int]) -> socket.socket:
    made = socket.create_connection(address, _CONNECT_SECONDS)
    made.settimeout(None)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made
