"""A small HTTP server, for what stands in for AWS: requests are read whole, and a function answers them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import server
from typing import Any

Pairs = Sequence[tuple[str, str]]

_METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it comes from the wire."""

    method: str
    target: str
    headers: Pairs
    body: bytes = b""
    peer: str = "127.0.0.1"

    @property
    def path(self) -> str:
        """Of the target, what is before the query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """Of the target, what is behind the path."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A response as it goes to the wire; its length and the date are added."""

    status: int
    headers: Pairs = ()
    body: bytes = b""


class Listener:
    """Listens on a free port of this machine, with a thread for each connection."""

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        """Begin; `answer` may be called in several threads at once."""
        self._server = _Server(answer)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return "127.0.0.1", self._server.server_port

    @property
    def url(self) -> str:
        """The same as a URL, without a slash at its end."""
        return "http://{}:{}".format(*self.address)

    def close(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self.answer = answer
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients may go when they like."""


class _Handler(server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True
    server: _Server

    def serve(self) -> None:
        """One request."""
        asked = Request(
            method=self.command,
            target=self.path,
            headers=list(self.headers.items()),
            body=self._read(),
            peer=self.client_address[0],
        )
        answer = self.server.answer(asked)
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Connection", "keep-alive")
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
        """Nothing."""

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while length := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)


for _method in _METHODS:
    setattr(_Handler, f"do_{_method}", _Handler.serve)
