"""Notifications on the wire: what an endpoint is pushed, its headers and what of it is signed.

Names of headers are in lower case, since the receiver of the Python SDK's samples knows them in no other.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from email import utils

from chalicelib.model import endpoint, limits, publication, subscription
from chalicelib.model.frozen import frozen
from chalicelib.wire import http, xml

_NAMESPACE = xml.NAMESPACE + "/"  # with a slash here: section 12.4 of the protocol document
_AGENT = "Aliyun Notification Service Agent"
_TYPES = {
    subscription.Format.XML: http.XML,
    subscription.Format.JSON: "application/json;charset=utf-8",
    subscription.Format.SIMPLIFIED: "text/plain;charset=utf-8",
    subscription.Format.STREAM: "text/plain;charset=utf-8",
}
_BARE = (subscription.Format.SIMPLIFIED, subscription.Format.STREAM)  # what is not in the body is in headers


@frozen
class Push:
    """A POST to an endpoint."""

    target: str  # path and query
    headers: Mapping[str, str]
    body: bytes


def body(of: publication.Notification) -> str:
    """What the endpoint gets of a message, in the subscription's format."""
    content_format = of.subscription.attributes.content_format
    if content_format in _BARE:
        return of.publication.draft.body
    members = _members(of)
    if content_format is subscription.Format.JSON:
        return json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return xml.write("Notification", list(members.items()), _NAMESPACE).decode()


def push(
    of: publication.Notification,
    to: endpoint.Http,
    *,
    request_id: str,
    now: int,
    certificate_url: str,
    sign: Callable[[bytes], bytes],
) -> Push:
    """The signed request that delivers a message.

    Args:
        of: the message and its subscription.
        to: where it goes.
        request_id: 24 hex digits.
        now: for the Date header (ms).
        certificate_url: where the receiver finds the certificate to check the signature with.
        sign: makes the signature of the string to sign.
    """
    content_format = of.subscription.attributes.content_format
    content = body(of).encode()
    headers = {
        "content-md5": hashlib.md5(content, usedforsecurity=False).hexdigest().upper(),
        "content-type": _TYPES[content_format],
        "date": utils.formatdate(now / 1000, usegmt=True),
        "x-mns-request-id": request_id,
        "x-mns-signing-cert-url": base64.b64encode(certificate_url.encode()).decode(),
        "x-mns-version": limits.API_VERSION,
    }
    if content_format in _BARE:
        headers |= _metadata(of)
    signature = sign(string_to_sign(to.target, headers).encode())
    return Push(
        target=to.target,
        headers={
            "host": to.authority,
            "user-agent": _AGENT,
            "accept": "*/*",
            "connection": "keep-alive",
            "content-length": str(len(content)),
            **headers,
            "authorization": base64.b64encode(signature).decode(),
        },
        body=content,
    )


def string_to_sign(target: str, headers: Mapping[str, str]) -> str:
    """What the signature covers; names of headers are in lower case."""
    named = sorted((name, value) for name, value in headers.items() if name.startswith("x-mns-"))
    lines = [headers["content-md5"], headers["content-type"], headers["date"]]
    return "\n".join(["POST", *lines, *(f"{name}:{value}" for name, value in named), target])


def _members(of: publication.Notification) -> dict[str, str | int | list[xml.Node]]:
    """What is told of a message, in the order of the document's examples; all of it text."""
    what = of.publication
    members: dict[str, str | int | list[xml.Node]] = {
        "TopicOwner": what.namespace.account_id,
        "TopicName": what.topic_name,
        "Subscriber": of.subscription.namespace.account_id,
        "SubscriptionName": of.subscription.name,
        "MessageId": what.message_id,
        "MessageMD5": what.body_md5,
    }
    if what.draft.tag:
        members["MessageTag"] = what.draft.tag
    return members | {"Message": what.draft.body, "PublishTime": str(what.published_at)}


def _metadata(of: publication.Notification) -> dict[str, str]:
    what = of.publication
    metadata = {
        "x-mns-message-id": what.message_id,
        "x-mns-publish-time": str(what.published_at),
        "x-mns-subscriber": of.subscription.namespace.account_id,
        "x-mns-subscription-name": of.subscription.name,
        "x-mns-topic-name": what.topic_name,
        "x-mns-topic-owner": what.namespace.account_id,
    }
    tag = what.draft.tag.strip()  # receivers drop the blanks around a header's value, and check the signature then
    return metadata | ({"x-mns-message-tag": tag} if tag else {})
