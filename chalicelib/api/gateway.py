"""Lambda's HTTP events as requests, and responses as what Lambda hands back.

    payload 1.0   REST APIs. The query comes decoded, and its order is lost; Content-MD5 is dropped.
    payload 2.0   HTTP APIs and function URLs. The query comes as it was sent; an empty body may get a Content-Type.

A stage or a base path may stand before the path. Signatures cover all of these, so the request can tell what the client
may have signed; it works that out when a signature is checked, one guess after the other.
"""

import base64
import functools
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib import parse

from chalicelib.wire import http, signatures

_MOST_PARAMETERS = 4  # in any order; no operation takes more
_NO_STAGE = "$default"  # of HTTP APIs and function URLs: nothing before the path


def read_event(event: Mapping[str, Any]) -> http.Request:
    """The request behind an event of either payload version."""
    return _read_2(event) if event.get("version") == "2.0" else _read_1(event)


def render(request: http.Request, response: http.Response) -> dict[str, Any]:
    """A response as payload 2.0 takes it; payload 1.0 takes it as well."""
    body, encoded = b"" if request.method == "HEAD" else response.body, False
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text, encoded = base64.b64encode(body).decode(), True
    return {"statusCode": response.status, "headers": {**response.headers}, "body": text, "isBase64Encoded": encoded}


def _read_1(event: Mapping[str, Any]) -> http.Request:
    context = event.get("requestContext", {})
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    pairs = [
        (name, value)
        for name, values in (event.get("multiValueQueryStringParameters") or {}).items()
        for value in values or [""]
    ]
    full = context.get("path") or event.get("path") or "/"
    base, path = _split(full, event.get("resource") or full)
    body = _body(event)
    return http.Request(
        method=context.get("httpMethod") or event["httpMethod"],
        path=path,
        query="&".join(f"{parse.quote(name)}={parse.quote(value, safe='')}" for name, value in pairs),
        headers=headers,
        body=body,
        scheme=headers.get("x-forwarded-proto", "http"),
        address=(context.get("identity") or {}).get("sourceIp") or "",
        base=base,
        arrived_at=context.get("requestTimeEpoch"),
        targets=functools.partial(_targets, _paths(base, path), functools.partial(_queries, pairs)),
        digests=_digests(headers, body),
    )


def _read_2(event: Mapping[str, Any]) -> http.Request:
    context = event["requestContext"]
    headers = {name.lower(): value for name, value in event["headers"].items()}
    stage = context.get("stage", _NO_STAGE)
    full = event["rawPath"] or "/"
    base = f"/{stage}" if stage != _NO_STAGE and f"{full}/".startswith(f"/{stage}/") else ""
    path = full.removeprefix(base) or "/"
    query = event.get("rawQueryString", "")
    body = _body(event)
    return http.Request(
        method=context["http"]["method"],
        path=path,
        query=query,
        headers=headers,
        body=body,
        scheme=headers.get("x-forwarded-proto", "https"),
        address=context["http"].get("sourceIp", ""),
        base=base,
        arrived_at=context.get("timeEpoch"),
        targets=functools.partial(_targets, _paths(base, path), lambda: (query,)),
        digests=_digests(headers, body),
        content_types=None if body else lambda: (headers.get("content-type", ""), ""),
    )


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if isinstance(body, bytes):
        return body
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def _split(full: str, resource: str) -> tuple[str, str]:
    """Stage or base path, and the API's own path: as many segments as the resource has that the gateway found."""
    depth = sum(1 for segment in resource.split("/") if segment)
    starts = [index for index, mark in enumerate(full) if mark == "/" and full[index + 1 : index + 2] not in ("", "/")]
    if len(starts) <= depth:
        return "", full
    cut = starts[-depth] if depth else len(full.rstrip("/"))
    return full[:cut], full[cut:] or "/"


def _paths(base: str, path: str) -> tuple[str, ...]:
    """What a client may have signed as the path: some sign their endpoint's along, some do not."""
    return (path, base + path) if base else (path,)


def _targets(paths: Sequence[str], queries: http.Guesses) -> Iterator[str]:
    for path, query in itertools.product(paths, queries()):
        yield f"{path}?{query}" if query else path


def _queries(pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """The query in every order; the check itself tries how much of it was encoded."""
    orders: Iterable[Sequence[tuple[str, str]]] = (
        itertools.permutations(pairs) if len(pairs) <= _MOST_PARAMETERS else [pairs]
    )
    blanks = ("", "=") if any(not value for _, value in pairs) else ("",)  # what follows the name of one without value
    for order, blank in itertools.product(orders, blanks):
        yield "&".join(
            parse.quote(name, safe="") + (f"={parse.quote(value, safe='')}" if value else blank)
            for name, value in order
        )


def _digests(headers: Mapping[str, str], body: bytes) -> http.Guesses | None:
    """What Content-MD5 may have been where it is not there."""
    return None if "content-md5" in headers else lambda: itertools.chain([""], signatures.digests(body))
