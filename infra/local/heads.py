"""Requests that came whole and in the plainest form, read by one expression; all others are the parser's.

Most requests come in one piece, and calling back for each header costs more than reading them. What is accepted here is
less than what HTTP allows, and nothing about which two readers could be of different opinions: printable ASCII, one
space where blanks may be, no header twice, none by which a connection or a body's end is negotiated, and a length that
is that of what is there. Nothing is refused here.

Consumers send the same bytes again and again: dates tell seconds, so a queue is asked hundreds of times with one head,
by all who use one key. Such a request is read once; what it was the last time comes with what is known of it. Bytes are
found by their hash, so how long that takes tells nobody how much of a signature is right.
"""

import functools
import re

from chalicelib.wire import http

LONGEST = 65_536  # bytes of a request; what is longer seldom comes in one piece
_KEPT, _LONGEST_KEPT = 256, 2048  # requests that may come again, and the bytes of one
_HEAD = re.compile(  # possessive, for nothing in it could be read in another way
    r"(GET|PUT|POST|DELETE) (/[!-\"$-~]*+) HTTP/1\.1((?:\r\n[A-Za-z0-9-]++: [!-~][ -~]*+(?<! ))*+)"
)
_NEGOTIATED = frozenset({"expect", "proxy-connection", "transfer-encoding", "upgrade"})
_KEPT_ALIVE = "keep-alive"  # what a connection is anyway


def read(data: bytes, *, address: str, arrived_at: int) -> http.Request | None:
    """The one request that `data` is; None: the parser decides.

    Args:
        data: what came, where a request may begin.
        address: of the client.
        arrived_at: when it came (ms).
    """
    if not data.startswith(b"GET ") or len(data) > _LONGEST_KEPT:
        return _parse(data, address, arrived_at)
    first = _first(data)
    return None if first is None else first.again(address=address, arrived_at=arrived_at)


@functools.lru_cache(maxsize=_KEPT)
def _first(data: bytes) -> http.Request | None:
    """What all the requests of these bytes are; of what has a body nothing is kept."""
    found = _parse(data)
    return None if found is None or found.body else found


def _parse(data: bytes, address: str = "", arrived_at: int | None = None) -> http.Request | None:
    if len(data) > LONGEST:
        return None
    head, end, body = data.partition(b"\r\n\r\n")
    found = _HEAD.fullmatch(head.decode("latin-1"))
    if found is None or not end:
        return None
    method, target, rest = found.groups()
    if method == "POST" and not body:  # it is still to come: some clients send it by itself
        return None
    lines = rest.split("\r\n")
    headers: dict[str, str] = {}
    for line in lines[1:]:  # before the first one is nothing
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    if (
        len(headers) + 1 != len(lines)
        or not _NEGOTIATED.isdisjoint(headers)
        or headers.get("connection", _KEPT_ALIVE).lower() != _KEPT_ALIVE
        or headers.get("content-length", "0") != str(len(body))
    ):
        return None
    path, _, query = target.partition("?")
    return http.Request(
        method=method, path=path, query=query, headers=headers, body=body, address=address, arrived_at=arrived_at
    )
