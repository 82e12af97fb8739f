"""A client's half of the protocol, written from section 3 of its document and sharing nothing with the server."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from email import utils
from xml.etree import ElementTree as ET

from chalicelib.wire import http

ACCOUNT = "1234567890123456"
KEY, SECRET = "TESTAKID0001", "testSecretKey0123456789"
OTHER_ACCOUNT, OTHER_KEY, OTHER_SECRET = "6543210987654321", "TESTAKID0002", "otherSecretKey987654321"
HOST = f"{ACCOUNT}.mns.cn-hangzhou.aliyuncs.com"


def signed(
    method: str,
    target: str,
    *,
    now: int,
    body: str | bytes = b"",
    headers: Mapping[str, str] | None = None,
    key: str = KEY,
    secret: str = SECRET,
    host: str = HOST,
) -> http.Request:
    """A request as the Python SDK signs it."""
    content = body.encode() if isinstance(body, str) else body
    sent = {"date": utils.formatdate(now / 1000, usegmt=True), "x-mns-version": "2015-06-06", "host": host}
    if content:
        sent["content-type"] = "text/xml;charset=UTF-8"
        sent["content-md5"] = base64.b64encode(hashlib.md5(content).hexdigest().encode()).decode()
    sent |= headers or {}
    canonical = "".join(f"{name}:{sent[name]}\n" for name in sorted(sent) if name.startswith("x-mns-"))
    text = "\n".join(
        [method, sent.get("content-md5", ""), sent.get("content-type", ""), sent["date"], canonical + target]
    )
    signature = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    path, _, query = target.partition("?")
    return http.Request(
        method=method, path=path, query=query, headers=sent | {"authorization": f"MNS {key}:{signature}"}, body=content
    )


def code(response: http.Response) -> str:
    """The error code of a response."""
    return texts(response)["Code"]


def texts(response: http.Response) -> dict[str, str]:
    """The texts of all leaves of a response, by name."""
    root = ET.fromstring(response.body)
    return {element.tag.rpartition("}")[2]: element.text or "" for element in root.iter() if len(element) == 0}
