"""API Gateway's proxy events as requests.

The gateway decodes the query and forgets its order, drops Content-MD5 and may put a stage before the path; signatures
cover all of them, so the request carries every form that the client may have signed.
"""

import base64
import itertools
from collections.abc import Mapping
from typing import Any
from urllib import parse

from chalicelib.wire import http, signatures

_MOST_PARAMETERS = 4  # in any order; no operation takes more


def read_event(event: Mapping[str, Any]) -> http.Request:
    """The request behind a REST API proxy event."""
    context = event.get("requestContext", {})
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    pairs = [
        (name, value)
        for name, values in (event.get("multiValueQueryStringParameters") or {}).items()
        for value in values or [""]
    ]
    path = event.get("path") or context.get("path") or "/"
    body = _body(event)
    return http.Request(
        method=context.get("httpMethod") or event["httpMethod"],
        path=path,
        query="&".join(f"{parse.quote(name)}={parse.quote(value, safe='')}" for name, value in pairs),
        headers=headers,
        body=body,
        scheme=headers.get("x-forwarded-proto", "http"),
        address=(context.get("identity") or {}).get("sourceIp") or "",
        targets=_targets([path, context.get("path") or path], pairs),
        digests=() if "content-md5" in headers else ("", *signatures.digests(body)),
    )


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if isinstance(body, bytes):
        return body
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def _pair(name: str, value: str) -> str:
    """A parameter as the client may have sent it; what would end a value must have been encoded."""
    if "&" in value or "#" in value:
        value = parse.quote(value, safe="")
    return f"{name}={value}" if value else name


def _targets(paths: list[str], pairs: list[tuple[str, str]]) -> tuple[str, ...]:
    orders = itertools.permutations(pairs) if len(pairs) <= _MOST_PARAMETERS else iter([tuple(pairs)])
    queries = ["&".join(_pair(name, value) for name, value in order) for order in orders]
    return tuple(
        dict.fromkeys(f"{path}?{query}" if query else path for path, query in itertools.product(paths, queries))
    )
