"""Push to web servers: one POST within five seconds, to an address that was checked, without redirects."""

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from chalicelib.broker import ports
from chalicelib.model import delivery, endpoint, limits, publication
from chalicelib.push import addresses


class Request(Protocol):
    """What is posted."""

    @property
    def target(self) -> str:
        """Path and query."""

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers."""

    @property
    def body(self) -> bytes:
        """The content."""


Render = Callable[[publication.Notification, endpoint.Http], Request]


class HttpChannel:
    """The port `Channel` to web servers."""

    def __init__(
        self,
        *,
        guard: addresses.Guard,
        render: Render,
        clock: ports.Clock,
        ca_file: str = "",
        seconds: float = limits.PUSH_SECONDS,
    ) -> None:
        """Set up.

        Args:
            guard: resolves and checks host names.
            render: makes the signed request of a notification.
            clock: the machine's, for the time that an endpoint has.
            ca_file: certificates to trust besides the machine's.
            seconds: the time that an endpoint has to answer.
        """
        self._guard = guard
        self._render = render
        self._clock = clock
        self._ca_file = ca_file
        self._seconds = seconds
        self._context: ssl.SSLContext | None = None
        self._idle: dict[tuple[str, Any], list[tuple[int, socket.socket]]] = {}
        self._lock = threading.Lock()

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        """Post the notification."""
        to = notification.subscription.attributes.target
        assert isinstance(to, endpoint.Http)  # noqa: S101  # the table of channels is by kind
        deadline = self._clock.now() + round(self._seconds * 1000)
        try:
            candidates = self._guard.addresses(to.host, to.port)
            return self._post(to, candidates, self._render(notification, to), deadline)
        except addresses.RefusedError as error:
            return delivery.Outcome(status=delivery.Status.INVALID_HOST, detail=str(error))
        except TimeoutError:
            return delivery.Outcome(
                status=delivery.Status.CONNECT_TIMEOUT, detail=f"no answer within {self._seconds:g} s"
            )
        except (OSError, http.client.HTTPException) as error:
            detail = str(error) or type(error).__name__
            return delivery.Outcome(status=delivery.Status.CONNECT_FAILURE, detail=detail)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._sweep(0)

    def _post(
        self, to: endpoint.Http, candidates: Sequence[tuple[int, tuple[Any, ...]]], request: Request, deadline: int
    ) -> delivery.Outcome:
        """Post over a connection that was kept, or over a new one to the first address that takes it."""
        _, nearest = candidates[0]
        while (kept := self._pick_up(to, nearest)) is not None:
            with contextlib.suppress(ConnectionError, http.client.BadStatusLine):  # it was closed while it was kept
                return self._exchange(to, nearest, kept, request, deadline)
        failure: OSError = TimeoutError()
        for family, address in candidates:
            try:
                made = self._connect(to, family, address, deadline)
            except OSError as error:
                failure = error
                continue
            return self._exchange(to, address, made, request, deadline)
        raise failure

    def _remaining(self, deadline: int) -> float | None:
        left = (deadline - self._clock.now()) / 1000
        return left if left > 0 else None

    def _connect(self, to: endpoint.Http, family: int, address: tuple[Any, ...], deadline: int) -> socket.socket:
        made = _Socket(family, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.remaining = lambda: self._remaining(deadline)
            made.settimeout(_or_timeout(self._remaining(deadline)))
            made.connect(address)
            if to.scheme != "https":
                return made
            made.settimeout(_or_timeout(self._remaining(deadline)))  # the handshake has what the connection left
            return self._tls().wrap_socket(made, server_hostname=to.host)
        except BaseException:
            made.close()
            raise

    def _exchange(
        self, to: endpoint.Http, address: tuple[Any, ...], over: Any, request: Request, deadline: int
    ) -> delivery.Outcome:
        """Post over a connection, and keep it if another push can follow."""
        over.remaining = lambda: self._remaining(deadline)
        keep = False
        connection = http.client.HTTPConnection(to.host, to.port)
        connection.sock = over
        try:
            over.settimeout(_or_timeout(self._remaining(deadline)))
            connection.putrequest("POST", request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                connection.putheader(name, value.encode())
            connection.endheaders(request.body)
            response = connection.getresponse()
            outcome = delivery.Outcome(status=str(response.status), detail=response.reason.strip())
            with contextlib.suppress(OSError, http.client.HTTPException):  # the status counts, not what follows it
                response.read(limits.PUSH_RESPONSE_BYTES)
                keep = response.isclosed() and not response.will_close
            return outcome
        finally:
            connection.sock = None
            if keep:
                self._put_down(to, address, over)
            else:
                over.close()

    def _pick_up(self, to: endpoint.Http, address: tuple[Any, ...]) -> socket.socket | None:
        """A connection that is kept for this address."""
        self._sweep(limits.PUSH_IDLE_SECONDS * 1000)
        with self._lock:
            kept = self._idle.get((to.lane, address))
            return kept.pop()[1] if kept else None

    def _put_down(self, to: endpoint.Http, address: tuple[Any, ...], connection: socket.socket) -> None:
        """Keep a connection for the next push."""
        with self._lock:
            kept = self._idle.setdefault((to.lane, address), [])
            if len(kept) < limits.PUSH_LANE:
                kept.append((self._clock.now(), connection))
                return
        connection.close()

    def _sweep(self, age: int) -> None:
        """Close what has been kept for `age` (ms), each list being oldest first."""
        with self._lock:
            before = self._clock.now() - age
            for key, kept in list(self._idle.items()):
                while kept and kept[0][0] <= before:
                    kept.pop(0)[1].close()
                if not kept:
                    del self._idle[key]

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            made = ssl.create_default_context()
            if self._ca_file:
                made.load_verify_locations(self._ca_file)
            made.sslsocket_class = _TlsSocket
            self._context = made
        return self._context


class _Socket(socket.socket):
    """A socket whose reads and writes end at a deadline, however slowly the bytes come in or go out."""

    remaining: Callable[[], float | None] = staticmethod(lambda: 0.0)

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_or_timeout(self.remaining()))
        return super().recv_into(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self.settimeout(_or_timeout(self.remaining()))
        super().sendall(*arguments)


class _TlsSocket(ssl.SSLSocket):
    """The same with TLS, where `sendall` is made of as many `send` as it takes."""

    remaining: Callable[[], float | None] = staticmethod(lambda: 0.0)

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(_or_timeout(self.remaining()))
        return super().recv_into(*arguments)

    def send(self, *arguments: Any) -> int:
        self.settimeout(_or_timeout(self.remaining()))
        return super().send(*arguments)


def _or_timeout(remaining: float | None) -> float:
    if remaining is None:
        raise TimeoutError
    return remaining
