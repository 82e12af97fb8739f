"""What AWS does to a request on its way to a function, and to the answer: REST APIs, HTTP APIs, function URLs.

Written from what is known of the real ones (docs/adr/0013-doors-on-aws.md names the sources); where something is not
known, the harder of the possible habits is taken.
"""

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib import parse

from infra.bench import listening
from infra.bench.listening import Pairs

Event = dict[str, Any]
Sent, Answered = listening.Request, listening.Answer

STAGE = "api"
DEPTH = 8  # of Chalice's routes; what is deeper never reaches the function
_HOPS = frozenset({"connection", "expect", "te", "trailer", "transfer-encoding", "upgrade"})
_TAKEN = _HOPS | {  # by REST APIs, from what the client sent
    *("content-length", "content-md5", "max-forwards", "proxy-authenticate", "server", "www-authenticate")
}
_RENAMED = frozenset({"connection", "content-length", "date", "server", "www-authenticate"})  # of a function's answers
_TEXTS = ("text/", "application/json", "application/javascript", "application/xml")  # anything else is base64
_BINARY = ("application/octet-stream", "application/zip", "image/", "audio/", "video/")  # of Chalice's REST APIs


def rest_event(sent: Sent, *, now: int, stage: str = "", scheme: str = "http") -> Event | None:
    """The event of a REST API at `now` (ms); with a `stage` it stands before the path. None: no route has the path."""
    prefix = f"/{stage}" if stage else ""
    full = sent.path
    path = full.removeprefix(prefix) or "/"
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) > DEPTH:
        return None
    resource = "/" + "/".join(f"{{s{level}}}" for level in range(len(segments)))
    kept = [(name, value) for name, value in sent.headers if name.lower() not in _TAKEN] + [
        ("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793"),
        ("X-Forwarded-For", sent.peer),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", scheme),
    ]
    query: dict[str, list[str]] = {}
    for name, value in sorted(parse.parse_qsl(sent.query, keep_blank_values=True)):
        query.setdefault(name, []).append(value)
    several: dict[str, list[str]] = {}
    for name, value in kept:
        several.setdefault(name, []).append(value)
    content_type = _header(sent.headers, "content-type")
    return {
        "resource": resource,
        "path": path,
        "httpMethod": sent.method,
        "headers": dict(kept),
        "multiValueHeaders": several,
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": {f"s{level}": parse.unquote(segment) for level, segment in enumerate(segments)} or None,
        "stageVariables": None,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "abcdef1234",
            "domainName": _header(sent.headers, "host"),
            "extendedRequestId": "JKJaXmPLvHcESHA=",
            "httpMethod": sent.method,
            "identity": {"sourceIp": sent.peer, "userAgent": _header(sent.headers, "user-agent") or None},
            "path": full,
            "protocol": "HTTP/1.1",
            "requestId": str(uuid.uuid4()),
            "requestTimeEpoch": now,
            "resourceId": "123456",
            "resourcePath": resource,
            "stage": stage or STAGE,
        },
        **_body(sent.body, encoded=content_type.startswith(_BINARY)),
    }


def http_event(sent: Sent, *, now: int, stage: str = "$default", scheme: str = "http") -> Event:
    """The event of an HTTP API, payload 2.0: Content-MD5 taken as well, Content-Type added to empty bodies."""
    headers = [(name, value) for name, value in sent.headers if name.lower() not in _TAKEN]
    if not sent.body and not _header(headers, "content-type"):
        headers.append(("Content-Type", "application/octet-stream"))
    return _event_2(sent, headers, now=now, stage=stage, scheme=scheme)


def url_event(sent: Sent, *, now: int, scheme: str = "http") -> Event:
    """The event of a function URL, payload 2.0."""
    headers = [(name, value) for name, value in sent.headers if name.lower() not in _HOPS]
    return _event_2(sent, headers, now=now, stage="$default", scheme=scheme)


def _event_2(sent: Sent, headers: Pairs, *, now: int, stage: str, scheme: str) -> Event:
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for given, value in [*headers, ("x-forwarded-for", sent.peer), ("x-forwarded-proto", scheme)]:
        name = given.lower()
        if name == "cookie":
            cookies += value.split("; ")
        else:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    query: dict[str, str] = {}
    for name, value in parse.parse_qsl(sent.query, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name in query else value
    content_type = _header(headers, "content-type")
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": sent.path,
        "rawQueryString": sent.query,
        **({"cookies": cookies} if cookies else {}),
        "headers": joined,
        **({"queryStringParameters": query} if query else {}),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abcdef1234",
            "domainName": joined.get("host", ""),
            "domainPrefix": "abcdef1234",
            "http": {
                "method": sent.method,
                "path": sent.path,
                "protocol": "HTTP/1.1",
                "sourceIp": sent.peer,
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": stage,
            "time": "02/Jan/2024:03:04:05 +0000",
            "timeEpoch": now,
        },
        **(_body(sent.body, encoded=not content_type.startswith(_TEXTS)) if sent.body else {"isBase64Encoded": False}),
    }


def _body(body: bytes, *, encoded: bool) -> Event:
    if encoded:
        return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return {"body": body.decode("utf-8", "replace") or None, "isBase64Encoded": False}


def answer(returned: Mapping[str, Any]) -> Answered:
    """What the client sees of what a function returned."""
    headers = [
        (f"x-amzn-Remapped-{name}" if name.lower() in _RENAMED else name, str(value))
        for name, value in (returned.get("headers") or {}).items()
        if name.lower() != "transfer-encoding"
    ]
    for name, values in (returned.get("multiValueHeaders") or {}).items():
        headers += [(name, value) for value in values]
    if not _header(headers, "content-type"):
        headers.append(("Content-Type", "application/json"))
    body = str(returned.get("body") or "")
    return Answered(
        status=int(returned["statusCode"]),
        headers=[*headers, *_added()],
        body=base64.b64decode(body) if returned.get("isBase64Encoded") else body.encode(),
    )


def own(status: int, message: str) -> Answered:
    """What a gateway answers by itself."""
    return Answered(
        status=status,
        headers=[("Content-Type", "application/json"), *_added()],
        body=json.dumps({"message": message}).encode(),
    )


def _added() -> Pairs:
    return [("x-amzn-RequestId", str(uuid.uuid4())), ("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793")]


def _header(headers: Iterable[tuple[str, str]], name: str) -> str:
    return {key.lower(): value for key, value in headers}.get(name, "")
