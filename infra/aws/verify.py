"""`mns aws verify`: a deployment is used as a client would use it, and every claim is looked at from outside.

It makes a queue, a queue for dead letters and a topic of its own, and deletes them. The requests are signed by a client
that shares nothing with the server; where the official Python SDK is installed, it has a turn too.
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import http.server
import importlib.util
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from email import utils
from typing import Any
from urllib import parse
from xml.etree import ElementTree as ET

from chalicelib.model import limits

_TIMEOUT = 60.0  # of a request; the longest poll is 30 s
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_UNREACHABLE = "http://127.0.0.1:9/"  # never let through, or nobody is there
_LATE_SECONDS = 3.0  # that a message may be late
_DEEP = "/a/b/c/d/e/f/g/h/i/j"  # deeper than the app's routes: the gateway answers by itself


class VerifyError(Exception):
    """The deployment does not do what it should; the message says what it did."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What to verify."""

    url: str
    access_key_id: str
    secret: str
    region: str = "cn-hangzhou"  # the MNS region of the deployment's bare hosts
    receiver: str | None = None  # host, or host:port, by which pushes reach this machine; None: loopback, if that is it
    patience: float = 240  # seconds
    quick: bool = False  # leave out what takes a minute and more


@dataclass(frozen=True, kw_only=True)
class Step:
    """What became of one step."""

    name: str
    outcome: str  # ok, failed or skipped
    seconds: float
    detail: str

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"seconds": round(self.seconds, 3)}


@dataclass(frozen=True, kw_only=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def text(self, name: str) -> str:
        """The text of the first element of this name."""
        found = [element.text or "" for element in self._elements(name)]
        if not found:
            raise VerifyError(f"there is no {name} in the answer {self.status}: {self.body[:200]!r}")
        return found[0]

    def texts(self, name: str) -> list[str]:
        """The texts of all elements of this name."""
        return [element.text or "" for element in self._elements(name)]

    def _elements(self, name: str) -> list[ET.Element]:
        try:
            root = ET.fromstring(self.body)  # noqa: S314  # the operator's own deployment
        except ET.ParseError as error:
            raise VerifyError(f"the answer {self.status} is no XML: {self.body[:200]!r}") from error
        return [element for element in root.iter() if element.tag.rpartition("}")[2] == name]


class _Client:
    """A client of the MNS API, after section "Sign requests" of its documents."""

    def __init__(self, target: Target) -> None:
        parts = parse.urlsplit(target.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise VerifyError(f"{target.url} is no URL of an endpoint")
        self._parts = parts
        self._target = target

    def ask(
        self, method: str, resource: str, body: str = "", *, secret: str | None = None, signed: bool = True
    ) -> _Answer:
        """One request on a connection of its own."""
        content = body.encode()
        headers = {"Date": utils.formatdate(usegmt=True), "x-mns-version": limits.API_VERSION}
        if content:
            headers["Content-Type"] = "text/xml;charset=UTF-8"
            headers["Content-MD5"] = base64.b64encode(_md5(content).hexdigest().encode()).decode()
        if signed:
            key = (secret or self._target.secret).encode()
            lines = [method, headers.get("Content-MD5", ""), headers.get("Content-Type", ""), headers["Date"]]
            text = "\n".join([*lines, f"x-mns-version:{limits.API_VERSION}", resource])
            signature = base64.b64encode(hmac.new(key, text.encode(), hashlib.sha1).digest()).decode()
            headers["Authorization"] = f"MNS {self._target.access_key_id}:{signature}"
        connection = self._connect()
        try:
            connection.request(method, self._parts.path.rstrip("/") + resource, content or None, headers)
            response = connection.getresponse()
            named = {name.lower(): value for name, value in response.getheaders()}
            return _Answer(status=response.status, headers=named, body=response.read())
        except (OSError, http.client.HTTPException) as error:
            raise VerifyError(f"no answer: {error}") from error
        finally:
            connection.close()

    def must(self, status: int, method: str, resource: str, body: str = "") -> _Answer:
        """The answer, which has to have this status."""
        answer = self.ask(method, resource, body)
        if answer.status != status:
            raise VerifyError(f"{method} {resource} is answered by {answer.status}: {answer.body[:200]!r}")
        return answer

    def receive(self, queue: str, seconds: int) -> _Answer | None:
        """A message; None: there was none for so long."""
        answer = self.ask("GET", f"/queues/{queue}/messages?waitseconds={seconds}")
        if answer.status == http.HTTPStatus.OK:
            return answer
        if answer.text("Code") != "MessageNotExist":
            raise VerifyError(f"a receive is answered by {answer.status} {answer.text('Code')}")
        return None

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT, context=ssl.create_default_context())
        return http.client.HTTPConnection(host, port, timeout=_TIMEOUT)


class _Receiver:
    """A web server on this machine that keeps the pushes that it gets."""

    def __init__(self, at: str, *, everywhere: bool) -> None:
        host, _, port = at.partition(":")
        got: list[tuple[dict[str, str], str, bytes]] = []
        self.got = got

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                got.append(({name.lower(): value for name, value in self.headers.items()}, self.path, body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing."""

        address = "0.0.0.0" if everywhere else "127.0.0.1"  # noqa: S104  # the deployment is elsewhere, as was said
        self._server = http.server.ThreadingHTTPServer((address, int(port or 0)), Handler)
        self.url = f"http://{host}:{self._server.server_address[1]}/verify"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Skipped(Exception):  # noqa: N818  # no error
    """A step has nothing to do here."""


@dataclass(kw_only=True)
class _Session:
    """One run: its client, and what it has made."""

    target: Target
    client: _Client
    name: str = field(default_factory=lambda: f"verify-{secrets.token_hex(6)}")

    def health(self) -> str:
        answer = self.client.ask("GET", "/health", signed=False)
        if answer.status != http.HTTPStatus.OK:
            raise VerifyError(f"GET /health is answered by {answer.status}: {answer.body[:200]!r}")
        return ""

    def signatures(self) -> str:
        self._refused("MissingAuthorizationHeader", signed=False)
        self._refused("SignatureDoesNotMatch", secret="not the secret")  # noqa: S106  # that is the point
        self.client.must(200, "GET", "/queues")
        return "none, a wrong one, a right one"

    def _refused(self, code: str, **how: Any) -> None:
        found = self.client.ask("GET", "/queues", **how).text("Code")
        if found != code:
            raise VerifyError(f"{found} where {code} was due")

    def unknown_paths(self) -> str:
        for path in ("/nonsense", _DEEP):
            found = self.client.ask("GET", path).text("Code")
            if found != "InvalidRequestURL":
                raise VerifyError(f"GET {path} is answered by {found}")
        return "MNS errors, from the app and from what is in front of it"

    def queue(self) -> str:
        self.client.must(201, "PUT", f"/queues/{self.name}", "<Queue/>")
        return self._pass_through("a & b < c, 消息")

    def _pass_through(self, text: str) -> str:
        """A message goes in and comes out, and is gone once it is deleted."""
        started = time.monotonic()
        self._send(text)
        sent = time.monotonic()
        answer = self._received(self.name, 5)
        received = time.monotonic()
        if answer.text("MessageBody") != text:
            raise VerifyError("the body is another one")
        self._delete(answer)
        return f"sent in {(sent - started) * 1000:.0f} ms, received in {(received - sent) * 1000:.0f} ms"

    def _send(self, text: str, more: str = "") -> None:
        body = text.replace("&", "&amp;").replace("<", "&lt;")
        message = f"<Message><MessageBody>{body}</MessageBody>{more}</Message>"
        self.client.must(201, "POST", f"/queues/{self.name}/messages", message)

    def _received(self, queue: str, seconds: float) -> _Answer:
        """The next message of a queue, waited for as long as may be."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            answer = self.client.receive(queue, max(0, min(20, round(left))))
            if answer is not None:
                return answer
            if left <= 1:
                raise VerifyError(f"no message came within {seconds:.0f} s")

    def _delete(self, answer: _Answer, queue: str | None = None) -> None:
        handle = parse.quote(answer.text("ReceiptHandle"), safe="")
        self.client.must(204, "DELETE", f"/queues/{queue or self.name}/messages?ReceiptHandle={handle}")

    def batch(self) -> str:
        one = "<Message><MessageBody>x</MessageBody></Message>"
        messages = f"/queues/{self.name}/messages"
        self.client.must(201, "POST", messages, f"<Messages>{one * limits.BATCH_SIZE.high}</Messages>")
        handles: list[str] = []
        while len(handles) < limits.BATCH_SIZE.high:
            answer = self.client.must(200, "GET", f"{messages}?numOfMessages={limits.BATCH_SIZE.high}&waitseconds=5")
            handles += answer.texts("ReceiptHandle")
        listed = "".join(f"<ReceiptHandle>{handle}</ReceiptHandle>" for handle in handles)
        self.client.must(204, "DELETE", messages, f"<ReceiptHandles>{listed}</ReceiptHandles>")
        return f"{len(handles)} messages"

    def large(self) -> str:
        return self._pass_through("x" * (limits.MAXIMUM_MESSAGE_SIZE.high - 1_024))

    def delay(self) -> str:
        self._send("later", "<DelaySeconds>2</DelaySeconds>")
        sent = time.monotonic()
        if self.client.receive(self.name, 0) is not None:
            raise VerifyError("it came at once")
        answer = self._received(self.name, 2 + _LATE_SECONDS)
        waited = time.monotonic() - sent
        self._delete(answer)
        if waited < 2 - 0.1:
            raise VerifyError(f"it came after {waited:.2f} s")
        return f"of 2 s: {waited:.2f} s"

    def visibility(self) -> str:
        self._send("again")
        handle = parse.quote(self._received(self.name, 5).text("ReceiptHandle"), safe="")
        self.client.must(200, "PUT", f"/queues/{self.name}/messages?ReceiptHandle={handle}&VisibilityTimeout=1")
        answer = self._received(self.name, 1 + _LATE_SECONDS)
        self._delete(answer)
        if answer.text("DequeueCount") != "2":
            raise VerifyError(f"it was received {answer.text('DequeueCount')} times")
        return "of 1 s: it came again"

    def long_poll(self) -> str:
        started = time.monotonic()
        if self.client.receive(self.name, 3) is not None:
            raise VerifyError("there was a message where none should be")
        empty = time.monotonic() - started
        if not 3 - 0.1 <= empty <= 3 + _LATE_SECONDS:
            raise VerifyError(f"an empty one of 3 s took {empty:.2f} s")
        sent_at: list[float] = []

        def send() -> None:
            self._send("wake up")
            sent_at.append(time.monotonic())

        timer = threading.Timer(1, send)
        timer.start()
        answer = self._received(self.name, 10)
        woken = time.monotonic()
        timer.join()
        self._delete(answer)
        return f"empty after {empty:.2f} s, woken {max(0.0, woken - sent_at[0]) * 1000:.0f} ms after the message"

    def counts(self) -> str:
        self._send("counted")
        started = time.monotonic()
        self._until(
            lambda: self.client.must(200, "GET", f"/queues/{self.name}").text("ActiveMessages") == "1",
            "ActiveMessages did not become 1",
        )
        took = time.monotonic() - started
        self._delete(self._received(self.name, 5))
        return f"true after {took:.2f} s"

    def _until(self, is_so: Callable[[], bool], complaint: str) -> None:
        until = time.monotonic() + self.target.patience
        while not is_so():
            if time.monotonic() > until:
                raise VerifyError(f"{complaint} within {self.target.patience:.0f} s")
            time.sleep(0.2)

    def topic(self) -> str:
        self.client.must(201, "PUT", f"/topics/{self.name}", "<Topic/>")
        self._subscribe("owner", _UNREACHABLE)
        found = self.client.must(200, "GET", f"/topics/{self.name}/subscriptions/owner")
        self.client.must(204, "DELETE", f"/topics/{self.name}/subscriptions/owner")
        queue = f"acs:mns:{self.target.region}:{found.text('TopicOwner')}:queues/{self.name}"
        self._subscribe("queue", queue)
        started = time.monotonic()
        self._publish("fanned out")
        answer = self._received(self.name, self.target.patience)
        took = time.monotonic() - started
        if answer.text("MessageBody") != "fanned out":
            raise VerifyError("the body is another one")
        self._delete(answer)
        self.client.must(204, "DELETE", f"/topics/{self.name}/subscriptions/queue")
        return f"there after {took:.2f} s"

    def _subscribe(self, name: str, endpoint: str, more: str = "") -> None:
        body = (
            f"<Subscription><Endpoint>{endpoint}</Endpoint><NotifyContentFormat>SIMPLIFIED</NotifyContentFormat>"
            f"{more}</Subscription>"
        )
        self.client.must(201, "PUT", f"/topics/{self.name}/subscriptions/{name}", body)

    def _publish(self, text: str) -> None:
        message = f"<Message><MessageBody>{text}</MessageBody></Message>"
        self.client.must(201, "POST", f"/topics/{self.name}/messages", message)

    def push(self) -> str:
        is_near = parse.urlsplit(self.target.url).hostname in _LOOPBACK
        at = self.target.receiver or ("127.0.0.1" if is_near else None)
        if at is None:
            raise _Skipped("give --receiver HOST[:PORT] by which the deployment reaches this machine")
        receiver = _Receiver(at, everywhere=self.target.receiver is not None)
        try:
            self._subscribe("push", receiver.url)
            started = time.monotonic()
            self._publish("pushed")
            self._until(lambda: bool(receiver.got), "no push came")
            took = time.monotonic() - started
            headers, path, body = receiver.got[0]
            self.client.must(204, "DELETE", f"/topics/{self.name}/subscriptions/push")
        finally:
            receiver.close()
        if body != b"pushed":
            raise VerifyError(f"the body is another one: {body[:200]!r}")
        return f"there after {took:.2f} s, {_check_signature(headers, path)}"

    def dead_letters(self) -> str:
        if self.target.quick:
            raise _Skipped("it takes a minute and more")
        dead = f"{self.name}-dead"
        self.client.must(201, "PUT", f"/queues/{dead}", "<Queue/>")
        policy = f"<Enabled>true</Enabled><DeadLetterTargetQueue>{dead}</DeadLetterTargetQueue>"
        self._subscribe("dead", _UNREACHABLE, f"<DlqPolicy>{policy}</DlqPolicy>")
        started = time.monotonic()
        self._publish("nobody takes it")
        answer = self._received(dead, self.target.patience)
        took = time.monotonic() - started
        self._delete(answer, dead)
        least = limits.BACKOFF_RETRIES * limits.BACKOFF_SECONDS
        if took < least:
            raise VerifyError(f"it was given up after {took:.0f} s, before the retries were made")
        return f"after {limits.BACKOFF_RETRIES} retries, {took:.0f} s"

    def sdk(self) -> str:
        if importlib.util.find_spec("mns") is None:
            raise _Skipped("aliyun-mns-sdk is not installed")
        if parse.urlsplit(self.target.url).path.strip("/"):
            raise _Skipped("it takes no path in an endpoint: use an own domain, or DOOR=http or url")
        from mns import account, mns_exception, queue  # noqa: PLC0415  # it may not be there

        made = account.Account(self.target.url.rstrip("/"), self.target.access_key_id, self.target.secret)
        try:
            of = made.get_queue(self.name)
            of.send_message(queue.Message("by the SDK"))
            received = of.receive_message(5)
            of.delete_message(received.receipt_handle)
        except mns_exception.MNSExceptionBase as error:
            raise VerifyError(f"the SDK says: {error}") from error
        if received.message_body != b"by the SDK":
            raise VerifyError("the body is another one")
        return "sent, received, deleted"

    def clean_up(self) -> str:
        self.client.must(204, "DELETE", f"/topics/{self.name}")
        for name in (self.name, f"{self.name}-dead"):
            self.client.must(204, "DELETE", f"/queues/{name}")
        return ""


def run(target: Target, tell: Callable[[Step], None] = lambda _: None) -> list[Step]:
    """Take every step, and `tell` of each when it is done.

    Raises:
        VerifyError: the URL is none.
    """
    session = _Session(target=target, client=_Client(target))
    plan: list[tuple[str, Callable[[], str]]] = [
        ("it answers", session.health),
        ("signatures", session.signatures),
        ("unknown paths", session.unknown_paths),
        ("queue: send, receive, delete", session.queue),
        ("queue: a batch", session.batch),
        ("queue: a large message", session.large),
        ("queue: delay", session.delay),
        ("queue: visibility time-out", session.visibility),
        ("queue: long poll", session.long_poll),
        ("queue: counts", session.counts),
        ("topic: into a queue", session.topic),
        ("topic: push to a web server", session.push),
        ("topic: retries, dead letter", session.dead_letters),
        ("the official Python SDK", session.sdk),
        ("clean up", session.clean_up),
    ]
    steps = []
    for name, action in plan:
        started = time.monotonic()
        try:
            outcome, detail = "ok", action()
        except _Skipped as reason:
            outcome, detail = "skipped", str(reason)
        except VerifyError as error:
            outcome, detail = "failed", str(error)
        steps.append(Step(name=name, outcome=outcome, seconds=time.monotonic() - started, detail=detail))
        tell(steps[-1])
        if steps[0].outcome == "failed":
            break  # nothing else can be said
    return steps


def _check_signature(headers: dict[str, str], path: str) -> str:
    """That the push was signed by the certificate that it names."""
    from cryptography import exceptions, x509  # noqa: PLC0415  # slow to import
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

    url = base64.b64decode(headers.get("x-mns-signing-cert-url", "")).decode()
    named = sorted(name for name in headers if name.startswith("x-mns-"))
    lines = ["POST", *(headers.get(name, "") for name in ("content-md5", "content-type", "date"))]
    text = "\n".join([*lines, *(f"{name}:{headers[name]}" for name in named), path])
    with _fetched(url) as pem:
        key: Any = x509.load_pem_x509_certificate(pem).public_key()
    try:
        signature = base64.b64decode(headers.get("authorization", ""))
        key.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  # MNS does
    except exceptions.InvalidSignature as error:
        raise VerifyError(f"the push is not signed by the certificate at {url}") from error
    return f"signed by {url}"


@contextlib.contextmanager
def _fetched(url: str) -> Iterator[bytes]:
    parts = parse.urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise VerifyError(f"the push names no certificate, but {url!r}")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname, parts.port, timeout=_TIMEOUT)
    try:
        connection.request("GET", parts.path)
        yield connection.getresponse().read()
    except OSError as error:
        raise VerifyError(f"the certificate at {url} cannot be had: {error}") from error
    finally:
        connection.close()


def _md5(content: bytes) -> Any:
    return hashlib.md5(content, usedforsecurity=False)
