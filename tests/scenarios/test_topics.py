"""Publish once, push to many: a live server, and real receivers of every kind."""

import base64
import json
import time
import urllib.request
from collections.abc import Iterator
from itertools import accumulate

import pytest
from Crypto.Hash import SHA1
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15
from Crypto.Util.asn1 import DerSequence

from tests import live
from tests.push import servers

ACCOUNT = live.OWNER.account_id
DECAY = [1, 2, 4, 8, 16, 32, 64, 128, 256] + [512] * 167


@pytest.fixture
def smtp() -> Iterator[servers.SmtpServer]:
    server = servers.SmtpServer()
    yield server
    server.close()


@pytest.fixture
def server(tmp_path, smtp) -> Iterator[live.Server]:
    variables = {"OPENMNS_SMTP_URL": f"smtp://127.0.0.1:{smtp.port}"}
    with live.serving(tmp_path, "--memory", "--port", "0", variables=variables) as running:
        yield running


def local(server: live.Server, path: str, document: dict | None = None, method: str = "POST") -> dict:
    """Ask one of the local helpers."""
    request = urllib.request.Request(
        f"{server.endpoint}/_local/{path}",
        method="GET" if document is None else method,
        headers={"Content-Type": "application/json"},
        data=None if document is None else json.dumps(document).encode(),
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def create(server: live.Server, path: str, body: str) -> None:
    assert server.ask("PUT", path, body=body.encode()).status == 201


def subscribe(server: live.Server, name: str, endpoint: str, more: str = "") -> None:
    body = f"<Subscription><Endpoint>{endpoint}</Endpoint>{more}</Subscription>"
    create(server, f"/topics/news/subscriptions/{name}", body)


def publish(server: live.Server, body: str = "hello", more: str = "") -> str:
    message = f"<Message><MessageBody>{body}</MessageBody>{more}</Message>"
    reply = server.ask("POST", "/topics/news/messages", body=message.encode())
    assert reply.status == 201
    return reply.body.decode().partition("<MessageId>")[2].partition("<")[0]


def until(condition, seconds: float = 10):
    """What `condition` gives, once it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def is_signed(got: servers.Got) -> bool:
    """Check a push as the receiver of the Python SDK's samples does: names of headers by their exact case."""
    headers = dict(got.headers)
    signed = [headers.get(name, "") for name in ("content-md5", "content-type", "date")]
    mns = "\n".join(sorted(f"{name}:{value}" for name, value in headers.items() if name.startswith("x-mns-")))
    text = "\n".join(["POST", *signed, mns, got.target])
    url = base64.b64decode(headers["x-mns-signing-cert-url"]).decode()
    with urllib.request.urlopen(url) as answer:
        lines = answer.read().decode().replace(" ", "").split()
    certificate, inner = DerSequence(), DerSequence()
    certificate.decode(base64.b64decode("".join(lines[1:-1])))
    inner.decode(certificate[0])
    try:
        pkcs1_15.new(RSA.import_key(inner[6])).verify(
            SHA1.new(text.encode()), base64.b64decode(headers["authorization"])
        )
    except ValueError:
        return False
    return True


def test_a_published_message_reaches_a_web_server_a_queue_a_mailbox_a_phone_and_a_mobile_app(server, smtp):
    create(server, "/topics/news", "<Topic/>")
    create(server, "/queues/inbox", "<Queue/>")
    local(server, "devices", {"app": "24680", "token": "device-1", "user": "someone"})
    with servers.web() as web:
        subscribe(server, "http", f"http://127.0.0.1:{web.port}/notify?src=mns")
        subscribe(server, "queue", f"acs:mns:cn-hangzhou:{ACCOUNT}:queues/inbox")
        subscribe(server, "mail", "mail:directmail:user@example.test")
        subscribe(server, "sms", "smq-ep:dysms:1234567890123456:13800138000")
        subscribe(server, "push", "push:24680")
        message_id = publish(server)
        [got] = until(lambda: web.got)
        assert is_signed(got)
        assert f"<MessageId>{message_id}</MessageId>".encode() in got.body
        assert not is_signed(servers.Got(got.target + "x", got.headers, got.body, got.peer))
    received = server.ask("GET", "/queues/inbox/messages?waitseconds=5")
    assert f"&lt;MessageId&gt;{message_id}&lt;/MessageId&gt;".encode() in received.body
    [(sender, receivers, mail)] = until(lambda: smtp.mails)
    assert (sender, receivers, b"Subject: news" in mail, b"hello" in mail) == (
        "openmns@localhost",
        ["user@example.test"],
        True,
        True,
    )
    until(lambda: local(server, "outbox")["texts"] and local(server, "outbox")["pushes"])
    assert local(server, "outbox") == {
        "mails": [],
        "texts": [{"number": "+8613800138000", "text": "hello"}],
        "pushes": [{"app": "24680", "token": "device-1", "user": "someone", "text": "hello"}],
    }
    until(lambda: all(item["state"] == "delivered" for item in local(server, "deliveries")["deliveries"]))
    log = local(server, "deliveries?topic=news")["deliveries"]
    assert {item["subscription"]: [each["notifyStatus"] for each in item["attempts"]] for item in log} == {
        "http": ["204"],
        "mail": ["200"],
        "sms": ["200"],
        "push": ["200"],
    }


def test_with_the_clock_moved_a_decay_shows_its_177_attempts_at_the_right_times_and_its_dead_letter(server):
    create(server, "/topics/news", "<Topic/>")
    create(server, "/queues/dead", "<Queue/>")
    dlq = "<DlqPolicy><Enabled>true</Enabled><DeadLetterTargetQueue>dead</DeadLetterTargetQueue></DlqPolicy>"
    with servers.web(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") as web:
        endpoint = f"http://127.0.0.1:{web.port}/"
        subscribe(server, "sub", endpoint, f"<NotifyStrategy>EXPONENTIAL_DECAY_RETRY</NotifyStrategy>{dlq}")
        now = local(server, "clock", {"frozen": True}, "PUT")["now"]
        message_id = publish(server, "lost")
        local(server, "clock", {"advance": 86_400})
        [entry] = local(server, "deliveries?subscription=sub")["deliveries"]
        moments = [now, *(now + seconds * 1000 for seconds in accumulate(DECAY))]
        assert [(each["time"], each["notifyStatus"]) for each in entry["attempts"]] == [
            (moment, "500") for moment in moments
        ]
        assert (len(web.got), entry["state"]) == (177, "dead")
    dead = server.ask("GET", "/queues/dead/messages").body.decode()
    assert "<MessageBody>lost</MessageBody>" in dead
    assert f"<Name>DLQOriginMessageId</Name>\n      <Value>{message_id}</Value>" in dead


def test_a_kill_in_the_midst_of_a_fan_out_loses_no_delivery(tmp_path):
    with live.serving(tmp_path, "--data", str(tmp_path / "data"), "--port", "0") as server:
        create(server, "/topics/news", "<Topic/>")
        for number in range(20):
            create(server, f"/queues/q{number}", "<Queue/>")
            subscribe(server, f"s{number}", f"acs:mns:cn-hangzhou:{ACCOUNT}:queues/q{number}")
        for number in range(30):
            publish(server, f"m{number}", "<MessageTag>t</MessageTag>")
        server.process.kill()
        server.process.wait()
    with live.serving(tmp_path, "--data", str(tmp_path / "data"), "--port", "0") as server:
        for number in range(20):
            found: set[str] = set()
            while len(found) < 30:
                reply = server.ask("GET", f"/queues/q{number}/messages?numOfMessages=16&waitseconds=5")
                assert reply.status == 200
                found |= {part.partition("&lt;")[0] for part in reply.body.decode().split("&lt;Message&gt;")[1:]}
            assert found == {f"m{number}" for number in range(30)}


def test_who_is_pushed_to_while_the_clock_moves_may_ask_the_server_meanwhile(server):
    create(server, "/topics/news", "<Topic/>")
    create(server, "/queues/inbox", "<Queue/>")
    outcomes = []

    def work(handler) -> None:
        """Fail at first; then do what a subscriber does: put work into a queue before it answers."""
        outcomes.append(len(outcomes))
        status = 500
        if len(outcomes) > 1:
            message = b"<Message><MessageBody>work</MessageBody></Message>"
            status = server.ask("POST", "/queues/inbox/messages", body=message).status
        handler.send_response(status)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with servers.web(work) as web:
        local(server, "clock", {"frozen": True}, "PUT")
        subscribe(server, "sub", f"http://127.0.0.1:{web.port}/")
        publish(server)
        started = time.monotonic()
        local(server, "clock", {"advance": 30})
        assert time.monotonic() - started < 3
    [entry] = local(server, "deliveries")["deliveries"]
    assert [each["notifyStatus"] for each in entry["attempts"]] == ["500", "201"]
    assert "work" in server.ask("GET", "/queues/inbox/messages").fields["MessageBody"]
