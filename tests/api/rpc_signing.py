"""A client's half of the RPC dialect, written from Alibaba's help pages and sharing nothing with the server."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib import parse

from chalicelib.wire import http
from tests.api.signing import KEY, SECRET

HOST = "mns-open.cn-hangzhou.aliyuncs.com"
VERSION = "2022-01-19"
_nonces = itertools.count(1)


def quote(text: str) -> str:
    return parse.quote(text, safe="~")


def canonical(parameters: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name)}={quote(parameters[name])}" for name in sorted(parameters))


def iso(now: int) -> str:
    return datetime.fromtimestamp(now / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def v1(
    action: str | None,
    parameters: Mapping[str, str] | None = None,
    *,
    now: int,
    method: str = "POST",
    form: bool = False,
    key: str = KEY,
    secret: str = SECRET,
    common: Mapping[str, str | None] | None = None,
    host: str = HOST,
) -> http.Request:
    """A call signed with V1; everything in the query, or the action's own parameters in a form."""
    sent: dict[str, str | None] = {
        "Action": action,
        "Version": VERSION,
        "Format": "JSON",
        "AccessKeyId": key,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": f"nonce-{next(_nonces)}",
        "Timestamp": iso(now),
        **(common or {}),
    }
    shared = {name: value for name, value in sent.items() if value is not None}
    own = dict(parameters or {})
    text = f"{method}&{quote('/')}&{quote(canonical(shared | own))}"
    signature = base64.b64encode(hmac.new(f"{secret}&".encode(), text.encode(), hashlib.sha1).digest()).decode()
    query, body = shared | {"Signature": signature}, own
    if not form:
        query, body = query | own, {}
    return http.Request(
        method=method,
        path="/",
        query=parse.urlencode(query),
        headers={"host": host} | ({"content-type": "application/x-www-form-urlencoded"} if body else {}),
        body=parse.urlencode(body).encode(),
    )


def acs3(
    action: str,
    parameters: Mapping[str, str] | None = None,
    *,
    now: int,
    method: str = "POST",
    form: bool = False,
    key: str = KEY,
    secret: str = SECRET,
    headers: Mapping[str, str] | None = None,
    unsigned: tuple[str, ...] = (),
) -> http.Request:
    """A call signed with ACS3-HMAC-SHA256; the parameters in the query or in a form."""
    own = dict(parameters or {})
    body = parse.urlencode(own).encode() if form else b""
    sent = {
        "host": HOST,
        "x-acs-action": action,
        "x-acs-version": VERSION,
        "x-acs-date": iso(now),
        "x-acs-signature-nonce": f"nonce-{next(_nonces)}",
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        **({"content-type": "application/x-www-form-urlencoded"} if form else {}),
        **(headers or {}),
    }
    names = sorted(name for name in sent if name not in unsigned)
    query = {} if form else own
    request = "\n".join(
        [
            method,
            "/",
            canonical(query),
            *(f"{name}:{sent[name].strip()}" for name in names),
            "",
            ";".join(names),
            sent["x-acs-content-sha256"],
        ]
    )
    text = f"ACS3-HMAC-SHA256\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    authorization = f"ACS3-HMAC-SHA256 Credential={key},SignedHeaders={';'.join(names)},Signature={signature}"
    return http.Request(
        method=method,
        path="/",
        query=parse.urlencode(query),
        headers=sent | {"authorization": authorization},
        body=body,
    )


def answer(response: http.Response) -> dict[str, Any]:
    """The JSON of an answer."""
    return json.loads(response.body)


def outcome(response: http.Response) -> tuple[int, str]:
    """Status and code of an error."""
    return response.status, answer(response)["Code"]
