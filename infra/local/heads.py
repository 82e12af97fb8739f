"""Requests that came whole and in the plainest form, read by one expression; all others are the parser's.

Most requests come in one piece, and calling back for each header costs more than reading them. What is accepted here is
less than what HTTP allows, and nothing about which two readers could be of different opinions: printable ASCII, one
space where blanks may be, no header twice, none by which a connection or a body's end is negotiated, and a length that
is that of what is there. Nothing is refused here.

Who sends one request sends others of the same make: the same headers in the same order. From the second one on they
are read by an expression of their own, which finds all values at once; it accepts what the one for all accepts.

Consumers send the same bytes again and again: dates tell seconds, so a queue is asked hundreds of times with one head,
by all who use one key. Such a request is read once; what it was the last time comes with what is known of it. Bytes are
found by their hash, so how long that takes tells nobody how much of a signature is right.
"""

import functools
import re
from dataclasses import dataclass

from chalicelib.wire import http

LONGEST = 65_536  # bytes of a request; what is longer seldom comes in one piece
MAKES = 64  # that get an expression of their own, in the life of the process: making one takes a millisecond
_MOST_NAMES, _MOST_LETTERS = 32, 1024  # headers of one of these, and the characters of their names
_KEPT, _LONGEST_KEPT = 256, 2048  # requests that may come again, and the bytes of one
_TARGET = r"(/[!-\"$-~]*+)"  # possessive, as all that follows: nothing could be read in another way
_VALUE = r"[!-~][ -~]*+(?<! )"
_HEAD = re.compile(rf"(GET|PUT|POST|DELETE) {_TARGET} HTTP/1\.1((?:\r\n[A-Za-z0-9-]++: {_VALUE})*+)")
_NEGOTIATED = frozenset({"expect", "proxy-connection", "transfer-encoding", "upgrade"})
_KEPT_ALIVE = "keep-alive"  # what a connection is anyway
_makes: dict[tuple[str, tuple[str, ...]], "_Make"] = {}


@dataclass(frozen=True, slots=True)
class _Make:
    """Requests with the same method and the same headers."""

    method: str
    names: tuple[str, ...]  # in lower case
    head: re.Pattern[str]  # of the target and of every value


class Reader:
    """Reads the requests of one connection."""

    def __init__(self) -> None:
        self._make: _Make | None = None  # of the last one with a make of its own

    def read(self, data: bytes, *, address: str, arrived_at: int) -> http.Request | None:
        """The one request that `data` is; None: the parser decides.

        Args:
            data: what came, where a request may begin.
            address: of the client.
            arrived_at: when it came (ms).
        """
        if data.startswith(b"GET ") and len(data) <= _LONGEST_KEPT:
            first = _first(data)
            return None if first is None else first.again(address=address, arrived_at=arrived_at)
        if len(data) > LONGEST:
            return None
        head, end, body = data.partition(b"\r\n\r\n")
        text = head.decode("latin-1")
        make = self._make
        found = None if make is None else make.head.fullmatch(text)
        if make is not None and found is not None:
            target, *values = found.groups()
            read = make.method, target, dict(zip(make.names, values, strict=True))
        else:
            split = _split(text)
            if split is None:
                return None
            read, names = split
            self._make = _make(read[0], names)
        return _request(*read, body, address, arrived_at) if end else None


@functools.lru_cache(maxsize=_KEPT)
def _first(data: bytes) -> http.Request | None:
    """What all the requests of these bytes are; of what has a body nothing is kept."""
    head, end, body = data.partition(b"\r\n\r\n")
    split = _split(head.decode("latin-1"))
    if split is None or not end or body:
        return None
    return _request(*split[0], body)


def _split(head: str) -> tuple[tuple[str, str, dict[str, str]], tuple[str, ...]] | None:
    """Method, target and headers, and the names of these as they were sent; None: the parser decides."""
    found = _HEAD.fullmatch(head)
    if found is None:
        return None
    method, target, rest = found.groups()
    pairs = [line.partition(": ") for line in rest.split("\r\n")[1:]]  # before the first one is nothing
    headers = {name.lower(): value for name, _, value in pairs}
    if len(headers) < len(pairs) or not _NEGOTIATED.isdisjoint(headers):
        return None
    return (method, target, headers), tuple([name for name, _, _ in pairs])


def _make(method: str, names: tuple[str, ...]) -> _Make | None:
    """What requests with this method and these headers are read by, if that is to be had."""
    made = _makes.get((method, names))
    small = len(names) <= _MOST_NAMES and sum(map(len, names)) <= _MOST_LETTERS
    if made is None and len(_makes) < MAKES and small:
        headers = "".join([rf"\r\n{re.escape(name)}: ({_VALUE})" for name in names])
        head = re.compile(rf"{method} {_TARGET} HTTP/1\.1{headers}")
        made = _makes[method, names] = _Make(method, tuple([name.lower() for name in names]), head)
    return made


def _request(
    method: str, target: str, headers: dict[str, str], body: bytes, address: str = "", arrived_at: int | None = None
) -> http.Request | None:
    """A request, if its headers say no more than that it is one."""
    if (
        headers.get("content-length", "0") != str(len(body))
        or headers.get("connection", _KEPT_ALIVE).lower() != _KEPT_ALIVE
        or (method == "POST" and not body)  # it is still to come: some clients send it by itself
    ):
        return None
    path, _, query = target.partition("?")
    return http.Request(
        method=method, path=path, query=query, headers=headers, body=body, address=address, arrived_at=arrived_at
    )
