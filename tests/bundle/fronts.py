"""Gateways that listen: HTTP in, events to functions, their answers out, each with its limit and its own errors."""

import threading
import time
from collections.abc import Callable
from concurrent import futures
from http import server
from typing import Any

from infra.bench import lambdas
from tests import gateways

_METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OPTIONS")
_REFUSED = frozenset("|{}")  # raw in a query, by REST APIs

Respond = Callable[[gateways.Sent], gateways.Answered]


class Front:
    """An HTTP server that answers by a gateway's rules."""

    def __init__(self, respond: Respond) -> None:
        self._server = _Server(respond)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def rest(function: lambdas.Function, *, stage: str = "", seconds: float = 29) -> Respond:
    """A REST API; with a `stage` it is called by its own host name, without one by a custom domain."""

    def respond(sent: gateways.Sent) -> gateways.Answered:
        if _REFUSED & set(sent.query):
            return gateways.own(400, "Bad Request")
        event = gateways.rest_event(sent, now=_now(), stage=stage)
        if event is None:
            return gateways.own(403, "Missing Authentication Token")
        return _call(function, event, seconds, gateways.own(504, "Endpoint request timed out"))

    return respond


def http_api(function: lambdas.Function, *, stage: str = "$default", seconds: float = 30) -> Respond:
    """An HTTP API."""
    return lambda sent: _call(
        function,
        gateways.http_event(sent, now=_now(), stage=stage),
        seconds,
        gateways.own(503, "Service Unavailable"),
    )


def function_url(function: lambdas.Function, *, seconds: float = 900) -> Respond:
    """A function URL."""
    return lambda sent: _call(
        function, gateways.url_event(sent, now=_now()), seconds, gateways.own(502, "Internal Server Error")
    )


def _now() -> int:
    return time.time_ns() // 1_000_000


def _call(
    function: lambdas.Function, event: dict[str, Any], seconds: float, late: gateways.Answered
) -> gateways.Answered:
    """What the function says in time; nobody tells the function when its time is over."""
    pool = futures.ThreadPoolExecutor(1)
    try:
        return gateways.answer(pool.submit(function.invoke, event).result(seconds))
    except TimeoutError:
        return late
    except (lambdas.FunctionError, KeyError, TypeError):
        return gateways.own(502, "Internal server error")
    finally:
        pool.shutdown(wait=False)


class _Server(server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients may go when they like."""


class _Handler(server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        sent = gateways.Sent(
            method=self.command,
            target=self.path,
            headers=list(self.headers.items()),
            body=self._read(),
            peer=self.client_address[0],
        )
        answered = self.server.respond(sent)
        self.send_response_only(answered.status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Connection", "keep-alive")
        self.send_header("Content-Length", str(len(answered.body)))
        for name, value in answered.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answered.body)

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while length := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(length))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


for _method in _METHODS:
    setattr(_Handler, f"do_{_method}", _Handler._serve)
