"""One client's connection: HTTP/1.1 on httptools' parser and `heads`, requests in their order, one in hand at a time.

Life of a connection:

    idle      nothing of a request has come; closed when it stays so for too long
    reading   a request is coming in; bounded in size and in time
    in hand   the front has the request; what comes meanwhile is kept for later, and reading stops when that is much
    ending    the answer in hand is the last one, because the client, the request or the server said so
    leaving   the answer in hand is the last one here, because another process is to serve the client

Why this is not uvicorn: docs/adr/0008-http-server.md.
"""

import asyncio
import contextlib
import email.utils
import http as standard
import os
from collections import deque
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from chalicelib.model import limits
from chalicelib.wire import http
from infra.local import heads

HEADER_BYTES = 65_536
IDLE_SECONDS = 75  # between requests
READ_SECONDS = 60  # for one request to come in
_DRAINED_BYTES = 16 * limits.REQUEST_BYTES  # of a body too large, read and dropped so that the client gets its answer
_HEAD_BYTES = 8 * HEADER_BYTES  # that may come before the end of the headers, with the end of another request
_AHEAD = 16  # requests that a client may send before their answers; more wait in its socket
_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in standard.HTTPStatus}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_TOO_LARGE = f"The request may have {limits.REQUEST_BYTES} bytes of body and {HEADER_BYTES} of headers."
_UPGRADE = "A request with a body cannot ask for an upgrade; leave out Upgrade."
_NO_HTTP = "What was sent is not HTTP/1.1."


class Exchange(Protocol):
    """A request in hand, to be answered once."""

    @property
    def nothing(self) -> Callable[[], None] | None:
        """What is called when a poll has found nothing; None: it waits."""

    @property
    def gone(self) -> bool:
        """Whether nobody waits for the answer any more."""

    def answer(self, response: http.Response) -> None:
        """Send the answer."""

    def when_gone(self, tell: Callable[[], None] | None) -> None:
        """Have `tell` called if the client hangs up before the answer; None: no longer."""


class Taker(Protocol):
    """What a connection hands its requests to."""

    def take(self, exchange: Exchange, request: http.Request) -> None:
        """Answer the request, now or later."""

    def refuse(self, request: http.Request, reason: str) -> http.Response:
        """The answer to a request that cannot be taken."""

    def now(self) -> int:
        """The time (ms) that requests are stamped with."""


class Connection(asyncio.Protocol):
    """See the module; `among` holds all open connections, `lost` is called when one has ended."""

    nothing = None

    def __init__(
        self, taker: Taker, among: "set[Connection]", loop: asyncio.AbstractEventLoop, lost: Callable[[], None]
    ) -> None:
        self.gone = False
        self._taker = taker
        self._among = among
        self._loop = loop
        self._lost = lost
        self._transport: asyncio.Transport | None = None
        self._address = ""  # of the client
        self._tell: Callable[[], None] | None = None
        self._in_hand = False
        self._ending = False
        self._ended = False  # whether the client sends no more
        self._cut = False  # whether we read no more
        self._paused = False  # whether reading waits for answers
        self._going = False  # whether `_go_on` is at work
        self._held = False  # whether the client does not read its answers
        self._head = False  # whether the request in hand is a HEAD, whose answer has no body
        self._heir: Callable[[int], None] | None = None
        self._waiting: deque[tuple[http.Request, bool, str]] = deque()  # with: is the last one, why refused
        self._since = loop.time()  # when the present state of idle or reading began
        self._heads = heads.Reader()
        self._parser = httptools.HttpRequestParser(self)
        self._begun = False  # whether a request is coming in
        self._begin_request()

    # --- what asyncio calls -------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        self._transport = cast("asyncio.Transport", transport)
        self._address = (transport.get_extra_info("peername") or ("",))[0]
        self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's
        """The client is gone."""
        self.gone = True
        self._among.discard(self)
        self._waiting.clear()
        if self._tell is not None:
            self._tell()
        self._lost()

    def eof_received(self) -> bool:
        """The client sends no more: it still gets its answers, but is not waited for."""
        self._ending = self._ended = True
        return self._in_hand and self._tell is None

    def data_received(self, data: bytes) -> None:
        """A piece of one or more requests."""
        if self._cut:
            return
        if not (self._begun or self._ending):
            request = self._heads.read(data, address=self._address, arrived_at=self._taker.now())
            if request is not None:
                self._since = self._loop.time()
                self._keep(request)
                return
        try:
            self._feed(data)
        except httptools.HttpParserError:
            self._cut_off(_NO_HTTP)
            return
        if self._begun:  # the parser does not tell of a header or trailer before its end
            self._taken += len(data)
            if self._taken > (_HEAD_BYTES if self._reading_head else _DRAINED_BYTES):
                self._cut_off(_TOO_LARGE)

    def pause_writing(self) -> None:
        """The client does not read its answers: begin no further request."""
        self._held = True

    def resume_writing(self) -> None:
        """It does again."""
        self._held = False
        self._go_on()

    # --- what the parser calls ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """A request begins."""
        self._begin_request()
        self._begun = True
        self._since = self._loop.time()

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; of those sent more than once the values are joined by commas. What follows a body is none."""
        if not self._reading_head:
            return
        self._sizes += len(name) + len(value)
        if self._sizes > HEADER_BYTES:
            return
        key, text, headers = name.decode("latin-1").lower(), value.decode("latin-1"), self._headers
        headers[key] = f"{headers[key]},{text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The body follows, if there is one."""
        self._reading_head = False
        if (
            self._headers.get("expect", "").lower() == "100-continue"
            and self._transport is not None
            and not (self._in_hand or self._ending)
        ):
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """A piece of the body; what is too much is dropped."""
        self._size += len(body)
        if self._size <= limits.REQUEST_BYTES:
            self._body.append(body)
        elif self._size > _DRAINED_BYTES:
            self._cut_off(_TOO_LARGE)

    def on_message_complete(self) -> None:
        """The request is here."""
        if self._cut:
            return
        self._begun = False
        refused = ""
        if self._size > limits.REQUEST_BYTES or self._sizes > HEADER_BYTES:
            refused = _TOO_LARGE
        elif self._parser.should_upgrade() and self._has_body():
            refused = _UPGRADE
        keeps = self._parser.should_keep_alive() and self._parser.get_http_version() != "1.0"
        self._keep(self._request(), last=not keeps or bool(refused), refused=refused)

    # --- what the front and the server call ---------------------------------------------------------------------------

    def answer(self, response: http.Response) -> None:
        """Send the answer to the request in hand, and take up the next one."""
        self._tell = None
        self._in_hand = False
        if self.gone or self._transport is None:
            return
        self._transport.write(self._render(response))
        if self._ending and not self._waiting:
            self._transport.close()
            return
        self._since = self._loop.time()
        if self._waiting:
            self._go_on()
        elif self._heir is not None:
            self._loop.call_soon(self._hand_over)  # when the answer has been written

    def when_gone(self, tell: Callable[[], None] | None) -> None:
        """See `Exchange`."""
        self._tell = tell
        if tell is not None and self._ended:
            self.close()

    def leave(self, heir: Callable[[int], None]) -> None:
        """Hand the client over, behind an answer after which there is nothing of it here.

        `heir` is given the descriptor of the connection, which is its own then.
        """
        self._heir = heir

    def finish(self) -> None:
        """Answer what has begun to come in, and nothing after it."""
        self._ending = True
        if self._transport is not None and not (self._in_hand or self._begun):
            self._transport.close()

    def close(self) -> None:
        """Hang up at once."""
        if self._transport is not None:
            self._transport.abort()

    def close_if_old(self, now: float) -> None:
        """Hang up if nothing has come for too long; `now` by the loop's clock."""
        if not self._in_hand and now - self._since > (READ_SECONDS if self._begun else IDLE_SECONDS):
            self.close()

    # ------------------------------------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        busy = self._in_hand or self._begun or self._waiting or self._ending or self._cut
        if self._heir is None or busy or self.gone or self._transport is None:
            return
        if self._transport.get_write_buffer_size():
            return
        with contextlib.suppress(OSError):  # without a descriptor more it stays
            theirs = os.dup(self._transport.get_extra_info("socket").fileno())
            self._heir(theirs)
            self._transport.abort()  # it closes our descriptor, and says nothing to the client
        self._heir = None

    def _begin_request(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._sizes = 0  # of the headers' names and values
        self._body: list[bytes] = []
        self._size = 0  # of the body
        self._reading_head = True
        self._taken = 0  # bytes of it so far, about

    def _feed(self, data: bytes) -> None:
        rest = data
        while rest:
            try:
                self._parser.feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                # Nobody upgrades here: what follows is HTTP as before. The parser cannot be told: another one goes on.
                self._parser = httptools.HttpRequestParser(self)
                rest = b"" if self._ending else rest[upgrade.args[0] :]
            else:
                return

    def _has_body(self) -> bool:
        return self._headers.get("content-length", "0") != "0" or "transfer-encoding" in self._headers

    def _request(self) -> http.Request:
        target = self._target
        if not target.startswith(b"/") and b"://" in target:  # the form for proxies
            url = httptools.parse_url(target)
            target = (url.path or b"/") + (b"?" + url.query if url.query else b"")
        path, _, query = target.decode("latin-1").partition("?")
        return http.Request(
            method=self._parser.get_method().decode("latin-1"),
            path=path,
            query=query,
            headers=self._headers,
            body=self._body[0] if len(self._body) == 1 else b"".join(self._body),
            address=self._address,
            arrived_at=self._taker.now(),
        )

    def _keep(self, request: http.Request, *, last: bool = False, refused: str = "") -> None:
        """Take up a request, or have it wait for its turn."""
        if not (self._waiting or self._in_hand or self._held or self._going):
            self._take_up(request, last, refused)
            return
        self._waiting.append((request, last, refused))
        if len(self._waiting) > _AHEAD and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        """Take up what waits, one after the other; an answer that is given at once comes back here and is let be."""
        if self._going:
            return
        self._going = True
        try:
            while self._waiting and not (self._in_hand or self._held):
                self._take_up(*self._waiting.popleft())
        finally:
            self._going = False

    def _take_up(self, request: http.Request, last: bool, refused: str) -> None:  # noqa: FBT001  # as it waited
        """Take up a request: the last one, perhaps, or one to be refused."""
        if self._paused and not self._cut and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        self._in_hand = True
        self._head = request.method == "HEAD"
        if last:
            self._ending = True
            self._waiting.clear()
        if refused:
            self.answer(self._taker.refuse(request, refused))
        else:
            self._taker.take(self, request)

    def _cut_off(self, reason: str) -> None:
        """Answer a request that was not read to its end, and read no more."""
        if self._cut:
            return
        self._cut = True
        request = http.Request(method="GET", path="/", headers=self._headers, arrived_at=self._taker.now())
        self._waiting.append((request, True, reason))
        if self._transport is not None:
            self._transport.pause_reading()
        self._go_on()

    def _render(self, response: http.Response) -> bytes:
        head, body = _STATUS_LINES[response.status] + _date_line(int(self._loop.time())), response.body
        if response.headers:
            head += "\r\n".join(map(": ".join, response.headers.items())) + "\r\n"
        if response.status != 204:  # noqa: PLR2004  # the status without a body, and without a length
            head += f"Content-Length: {len(body)}\r\n"
        if self._ending and not self._waiting:
            head += "Connection: close\r\n"
        written = f"{head}\r\n".encode("latin-1")
        return written if self._head else written + body


_dated: tuple[int, str] = (-1, "")


def _date_line(second: int) -> str:
    """The Date header, made once a second; `second` of any clock."""
    global _dated  # noqa: PLW0603  # the one thing all answers of a second share
    if _dated[0] != second:
        _dated = (second, f"Date: {email.utils.formatdate(usegmt=True)}\r\n")
    return _dated[1]
