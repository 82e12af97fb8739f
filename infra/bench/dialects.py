"""The bytes of requests, in the two dialects that the HTTP subjects speak: MNS and SQS.

Whatever can be the same every time is made and signed once: MNS takes a signature for 15 minutes, and these peers do
not check one. Only what names a receipt handle is made anew. A dialect is made for one queue of one server.
"""

import base64
import hashlib
import hmac
import itertools
import re
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import utils
from typing import Protocol
from urllib import parse

BODY = "0123456789abcdef" * 64  # 1 KB
ACCESS_KEY_ID = "openmns"
ACCESS_KEY_SECRET = b"openmns-secret"
GROUPS = 1000  # message groups in a FIFO queue
_HANDLE = re.compile(rb"<ReceiptHandle>([^<]+)</ReceiptHandle>")
_MESSAGE_ID = re.compile(rb"<MessageId>([^<]+)</MessageId>")
_NEXT_VISIBLE = re.compile(rb"<NextVisibleTime>([0-9]+)</NextVisibleTime>")


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where a subject listens and what it speaks."""

    dialect: str  # "mns", "mns-fifo", "sqs" or "postgresql"
    port: int
    host: str = "127.0.0.1"
    prefix: str = "/queues"  # what stands before a queue's name in a path

    @property
    def address(self) -> tuple[str, int]:
        """For a socket."""
        return self.host, self.port


class Dialect(Protocol):
    """Requests for one queue; the operations that both services have, and `peek`, which only one has."""

    batch: int  # messages in a batch

    def hello(self) -> bytes:
        """List queues: the first thing asked of a server."""

    def create(self, visibility: int) -> bytes:
        """Create the queue; visibility timeout in seconds."""

    def drop(self) -> bytes:
        """Delete the queue."""

    def send(self, count: int = 1) -> bytes:
        """Send `count` messages; one: not as a batch."""

    def sends(self, count: int = 1) -> Iterator[bytes]:
        """Such requests without end, for one producer."""

    def receive(self, count: int = 1, wait: int = 0) -> bytes:
        """Receive up to `count` messages, waiting up to `wait` seconds for the first one."""

    def peek(self, count: int = 1) -> bytes | None:
        """Look at up to `count` messages; None: cannot be asked."""

    def delete(self, handles: Sequence[bytes]) -> bytes:
        """Delete the messages of these handles; one: not as a batch."""

    def change(self, handle: bytes, seconds: int) -> bytes:
        """Change a message's visibility timeout."""


def of(endpoint: Endpoint, queue: str) -> Dialect:
    """The dialect that a subject speaks."""
    return {"mns": Mns, "mns-fifo": Fifo}.get(endpoint.dialect, Sqs)(endpoint, queue)


def handles(payload: bytes) -> list[bytes]:
    """The receipt handles in an answer."""
    return _HANDLE.findall(payload)


def is_empty(status: int, payload: bytes) -> bool:
    """Whether a receive was answered with: there is no message."""
    return status == 200 or (status == 404 and b"<Code>MessageNotExist<" in payload)  # noqa: PLR2004  # SQS, MNS


def message_ids(payload: bytes) -> list[str]:
    """The message ids in an answer."""
    return [found.decode() for found in _MESSAGE_ID.findall(payload)]


def next_visible_times(payload: bytes) -> list[int]:
    """When each message in an answer becomes visible again, in ms."""
    return [int(found) for found in _NEXT_VISIBLE.findall(payload)]


class Mns:
    """MNS with signatures of version 2; the bytes of a delete cost one HMAC."""

    batch = 16

    def __init__(self, endpoint: Endpoint, queue: str) -> None:
        self._queue = f"{endpoint.prefix}/{queue}"
        self._messages = f"{self._queue}/messages"
        self._date = utils.formatdate(usegmt=True)
        self._head = (
            f"Host: {endpoint.host}:{endpoint.port}\r\nDate: {self._date}\r\nx-mns-version: 2015-06-06\r\n"
            f"Authorization: MNS {ACCESS_KEY_ID}:"
        ).encode()
        self._signed_tail = f"\n\n\n{self._date}\nx-mns-version:2015-06-06\n".encode()
        self._delete_target = f"{self._messages}?ReceiptHandle=".encode()

    def hello(self) -> bytes:
        """See `Dialect`."""
        return self._request("GET", "/queues")

    def create(self, visibility: int) -> bytes:
        """See `Dialect`."""
        return self._request("PUT", self._queue, f"<Queue><VisibilityTimeout>{visibility}</VisibilityTimeout></Queue>")

    def drop(self) -> bytes:
        """See `Dialect`."""
        return self._request("DELETE", self._queue)

    def attributes(self) -> bytes:
        """Get the queue's attributes, with its counts."""
        return self._request("GET", self._queue)

    def send(self, count: int = 1) -> bytes:
        """See `Dialect`."""
        message = f"<Message><MessageBody>{BODY}</MessageBody></Message>"
        return self._request(
            "POST", self._messages, message if count == 1 else f"<Messages>{message * count}</Messages>"
        )

    def sends(self, count: int = 1) -> Iterator[bytes]:
        """See `Dialect`."""
        return itertools.repeat(self.send(count))

    def receive(self, count: int = 1, wait: int = 0) -> bytes:
        """See `Dialect`."""
        number = "" if count == 1 else f"numOfMessages={count}&"
        return self._request("GET", f"{self._messages}?{number}waitseconds={wait}")

    def peek(self, count: int = 1) -> bytes | None:
        """See `Dialect`."""
        number = "" if count == 1 else f"&numOfMessages={count}"
        return self._request("GET", f"{self._messages}?peekonly=true{number}")

    def delete(self, handles: Sequence[bytes]) -> bytes:
        """See `Dialect`."""
        if len(handles) == 1:
            target = self._delete_target + handles[0]
            digest = hmac.digest(ACCESS_KEY_SECRET, b"DELETE" + self._signed_tail + target, "sha1")
            return b"DELETE %b HTTP/1.1\r\n%b%b\r\n\r\n" % (target, self._head, base64.b64encode(digest))
        body = "".join(f"<ReceiptHandle>{handle.decode()}</ReceiptHandle>" for handle in handles)
        return self._request("DELETE", self._messages, f"<ReceiptHandles>{body}</ReceiptHandles>")

    def change(self, handle: bytes, seconds: int) -> bytes:
        """See `Dialect`."""
        return self._request("PUT", f"{self._messages}?receiptHandle={handle.decode()}&visibilityTimeout={seconds}")

    def _request(self, method: str, target: str, text: str = "") -> bytes:
        """A signed request; one with a body has its type and its MD5 as the SDKs send them."""
        body = text.encode()
        kind = "text/xml;charset=UTF-8" if body else ""
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest().encode() if body else b""
        checksum = base64.b64encode(md5).decode()
        signed = f"{method}\n{checksum}\n{kind}\n{self._date}\nx-mns-version:2015-06-06\n{target}"
        signature = base64.b64encode(hmac.digest(ACCESS_KEY_SECRET, signed.encode(), "sha1"))
        more = f"Content-Type: {kind}\r\nContent-MD5: {checksum}\r\n" if body else ""
        length = f"Content-Length: {len(body)}\r\n" if body or method in ("PUT", "POST") else ""
        line = f"{method} {target} HTTP/1.1\r\n".encode()
        return line + self._head + signature + f"\r\n{more}{length}\r\n".encode() + body


class Fifo(Mns):
    """Requests for one FIFO queue; a producer sends to one group after the other."""

    _starts = itertools.count()

    def create(self, visibility: int) -> bytes:
        """Create it through the control plane, for the XML API has no types."""
        name = self._queue.rpartition("/")[2]
        return control("CreateQueue", QueueName=name, QueueType="fifo", VisibilityTimeout=str(visibility))

    def sends(self, count: int = 1) -> Iterator[bytes]:
        """See `Dialect`."""
        start = next(self._starts) * (GROUPS // 8)  # so that producers are not all at the same group
        made = [self.put(f"group-{(start + place) % GROUPS}", BODY, count) for place in range(GROUPS)]
        return itertools.cycle(made)

    def put(self, group: str, body: str, count: int = 1) -> bytes:
        """Send `count` messages to a group; one: not as a batch."""
        message = f"<Message><MessageBody>{body}</MessageBody><MessageGroupId>{group}</MessageGroupId></Message>"
        text = message if count == 1 else f"<Messages>{message * count}</Messages>"
        return self._request("POST", self._messages, text)


def control(action: str, **parameters: str) -> bytes:
    """A call of the control plane, signed with version 1 of the RPC signatures."""
    everything = {
        "Action": action,
        "Version": "2022-01-19",
        "Format": "JSON",
        "AccessKeyId": ACCESS_KEY_ID,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": uuid.uuid4().hex,
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **parameters,
    }
    query = "&".join(f"{name}={parse.quote(everything[name], safe='~')}" for name in sorted(everything))
    signed = f"POST&%2F&{parse.quote(query, safe='~')}"
    digest = hmac.digest(ACCESS_KEY_SECRET + b"&", signed.encode(), "sha1")
    signature = parse.quote(base64.b64encode(digest).decode(), safe="")
    host = "mns-open.cn-hangzhou.aliyuncs.com"
    return f"POST /?{query}&Signature={signature} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n".encode()


class Topic(Mns):
    """Requests for one topic of ours; no peer here has both topics and pushes."""

    def __init__(self, endpoint: Endpoint, topic: str) -> None:
        super().__init__(endpoint, topic)
        self._topic = f"/topics/{topic}"

    def create_topic(self) -> bytes:
        """Create the topic."""
        return self._request("PUT", self._topic, "<Topic/>")

    def drop_topic(self) -> bytes:
        """Delete the topic with its subscriptions."""
        return self._request("DELETE", self._topic)

    def subscribe(self, name: str, endpoint: str) -> bytes:
        """Subscribe an endpoint, which gets the body as it was published."""
        fields = f"<Endpoint>{endpoint}</Endpoint><NotifyContentFormat>SIMPLIFIED</NotifyContentFormat>"
        return self._request("PUT", f"{self._topic}/subscriptions/{name}", f"<Subscription>{fields}</Subscription>")

    def publish(self, body: str) -> bytes:
        """Publish a message."""
        text = f"<Message><MessageBody>{body}</MessageBody></Message>"
        return self._request("POST", f"{self._topic}/messages", text)


class Sqs:
    """SQS in its query form, which every emulator knows; the signature is a constant that none of them checks."""

    batch = 10

    def __init__(self, endpoint: Endpoint, queue: str) -> None:
        self._name = queue
        self._path = f"{endpoint.prefix}/{queue}"
        self._url = f"http://{endpoint.host}:{endpoint.port}{self._path}"
        self._head = (
            f"Host: {endpoint.host}:{endpoint.port}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            "Authorization: AWS4-HMAC-SHA256 Credential=bench/20250101/us-east-1/sqs/aws4_request,"
            " SignedHeaders=host, Signature=0\r\n"
        )

    def hello(self) -> bytes:
        """See `Dialect`."""
        return self._request("/", Action="ListQueues")

    def create(self, visibility: int) -> bytes:
        """See `Dialect`."""
        attribute = {"Attribute.1.Name": "VisibilityTimeout", "Attribute.1.Value": str(visibility)}
        return self._request("/", Action="CreateQueue", QueueName=self._name, **attribute)

    def drop(self) -> bytes:
        """See `Dialect`."""
        return self._request(Action="DeleteQueue")

    def send(self, count: int = 1) -> bytes:
        """See `Dialect`."""
        if count == 1:
            return self._request(Action="SendMessage", MessageBody=BODY)
        entries = {}
        for index in range(1, count + 1):
            entries[f"SendMessageBatchRequestEntry.{index}.Id"] = f"m{index}"
            entries[f"SendMessageBatchRequestEntry.{index}.MessageBody"] = BODY
        return self._request(Action="SendMessageBatch", **entries)

    def sends(self, count: int = 1) -> Iterator[bytes]:
        """See `Dialect`."""
        return itertools.repeat(self.send(count))

    def receive(self, count: int = 1, wait: int = 0) -> bytes:
        """See `Dialect`."""
        return self._request(Action="ReceiveMessage", MaxNumberOfMessages=str(count), WaitTimeSeconds=str(wait))

    def peek(self, count: int = 1) -> bytes | None:  # noqa: ARG002  # SQS has no such thing
        """See `Dialect`."""
        return None

    def delete(self, handles: Sequence[bytes]) -> bytes:
        """See `Dialect`."""
        if len(handles) == 1:
            return self._request(Action="DeleteMessage", ReceiptHandle=handles[0].decode())
        entries = {}
        for index, handle in enumerate(handles, 1):
            entries[f"DeleteMessageBatchRequestEntry.{index}.Id"] = f"m{index}"
            entries[f"DeleteMessageBatchRequestEntry.{index}.ReceiptHandle"] = handle.decode()
        return self._request(Action="DeleteMessageBatch", **entries)

    def change(self, handle: bytes, seconds: int) -> bytes:
        """See `Dialect`."""
        return self._request(
            Action="ChangeMessageVisibility", ReceiptHandle=handle.decode(), VisibilityTimeout=str(seconds)
        )

    def _request(self, path: str | None = None, **fields: str) -> bytes:
        form = fields | {"Version": "2012-11-05"} | ({"QueueUrl": self._url} if path is None else {})
        body = parse.urlencode(form).encode()
        head = f"POST {path or self._path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        return head.encode() + body
