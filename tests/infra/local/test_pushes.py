"""What a local server needs for pushes: a certificate, an outbox, the log, and the driver's part."""

import json
import time
from collections.abc import Iterator

import pytest
from Crypto.Hash import SHA1
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from chalicelib.model import limits, publication, retry, subscription, topic
from chalicelib.push import signing
from chalicelib.wire import http
from infra.local import certificates, config, helpers, outbox, runtime
from tests.broker.fakes import HERE
from tests.push import servers

DECAY = retry.Strategy.EXPONENTIAL_DECAY_RETRY


@pytest.fixture
def running() -> Iterator[runtime.Runtime]:
    made = runtime.start(config.load({"memory": True, "config": "/dev/null"}, {}))
    made.move_clock(made.clock.now(), frozen=True)
    yield made
    made.stop()


def subscribe(running: runtime.Runtime, endpoint: str, **attributes) -> None:
    verbs = running.application.verbs
    verbs.topics.create(HERE, "news", topic.TopicChange())
    wanted = subscription.SubscriptionAttributes(endpoint=endpoint, **attributes)
    verbs.subscriptions.subscribe(HERE, "news", "sub", wanted)


def publish(running: runtime.Runtime, body: str = "hello", **fields) -> None:
    running.application.verbs.publications.publish(HERE, "news", publication.Draft(body=body, **fields))


def ask(running: runtime.Runtime, path: str, document: object = None, method: str = "GET") -> tuple[int, dict]:
    path, _, query = path.partition("?")
    body = b"" if document is None else json.dumps(document).encode()
    request = http.Request(
        method=method,
        path=f"/_local/{path}",
        query=query,
        headers={"content-type": "application/json"},
        body=body,
    )
    answer = finished(helpers.answer(running, request))
    return answer.status, json.loads(answer.body)


def finished(work: helpers.Work) -> http.Response:
    """What a helper answers, of which none here has to wait for pushes."""
    with pytest.raises(StopIteration) as done:
        next(work)
    response: http.Response = done.value.value
    return response


def attempts(running: runtime.Runtime) -> list[list[int]]:
    """When attempts were made at each delivery, seconds after its publication."""
    log = ask(running, "deliveries")[1]["deliveries"]
    return [[(each["time"] - item["publishTime"]) // 1000 for each in item["attempts"]] for item in log]


def until(condition) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_retries_are_made_when_the_clock_has_been_moved_to_them_and_not_before(running):
    with servers.web(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") as web:
        subscribe(running, f"http://127.0.0.1:{web.port}/", strategy=DECAY)
        publish(running)
        start = running.clock.now()
        for seconds, made in ((0, 1), (0.9, 1), (1, 2), (3, 3), (30, 5), (31, 6)):
            running.move_clock(start + round(seconds * 1000), frozen=True)
            assert len(web.got) == made, seconds
        assert attempts(running) == [[0, 1, 3, 7, 15, 31]]


def test_time_that_goes_on_by_itself_brings_retries_too(running):
    with servers.web(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") as web:
        running.move_clock(running.clock.now(), frozen=False)
        subscribe(running, f"http://127.0.0.1:{web.port}/", strategy=DECAY)
        publish(running)
        until(lambda: len(web.got) == 2)
        until(lambda: attempts(running) == [[0, 1]])


def test_what_was_under_way_when_the_server_ended_is_made_again(tmp_path):
    told = config.load({"data": str(tmp_path), "workers": 1, "config": "/dev/null"}, {})
    with servers.web() as web:
        first = runtime.start(told)
        first.application.deliver._lanes.submit = lambda *_: True  # type: ignore[method-assign]  # and never makes it
        subscribe(first, f"http://127.0.0.1:{web.port}/")
        publish(first)
        first.move_clock(first.clock.now(), frozen=True)
        first.stop()
        second = runtime.start(told)
        second.move_clock(second.clock.now() + limits.DELIVERY_LEASE_SECONDS * 1000, frozen=True)
        assert len(web.got) == 1
        second.stop()


def test_the_certificate_is_made_once_and_kept(tmp_path):
    told = config.load({"data": str(tmp_path), "workers": 1, "config": "/dev/null"}, {})
    found = []
    for _ in range(2):
        made = runtime.start(told)
        found.append(made.application.verbs.identities.certificate())
        made.stop()
    assert found[0] == found[1]
    signature = signing.read_key(found[0].key_pem).sign(b"x")
    pkcs1_15.new(RSA.import_key(found[0].certificate_pem)).verify(SHA1.new(b"x"), signature)


def test_a_certificate_may_be_given(tmp_path):
    given = certificates.make()
    for name, text in (("key", given.key_pem), ("cert", given.certificate_pem)):
        (tmp_path / name).write_text(text)
    files = {"OPENMNS_SIGNING_KEY": str(tmp_path / "key"), "OPENMNS_SIGNING_CERTIFICATE": str(tmp_path / "cert")}
    assert certificates.supply(config.load({"memory": True, "config": "/dev/null"}, files)) == given
    for broken in ({"OPENMNS_SIGNING_KEY": str(tmp_path / "key")}, files | {"OPENMNS_SIGNING_KEY": "/nowhere"}):
        with pytest.raises(config.ConfigError):
            certificates.supply(config.load({"memory": True, "config": "/dev/null"}, broken))


@pytest.mark.parametrize(
    ("host", "public_url", "url"),
    [
        ("127.0.0.1", "", "http://127.0.0.1:8000"),
        ("0.0.0.0", "", "http://127.0.0.1:8000"),  # noqa: S104  # not bound
        ("::", "", "http://[::1]:8000"),
        ("0.0.0.0", "https://mns.example.test", "https://mns.example.test"),  # noqa: S104  # not bound
    ],
)
def test_receivers_find_the_certificate_where_the_server_listens_unless_told_otherwise(host, public_url, url):
    assert config.LocalConfig(host=host, public_url=public_url).url == url


def test_pushes_reach_loopback_and_nothing_else_that_is_not_public(running):
    subscribe(running, "http://169.254.169.254/latest/meta-data/")
    publish(running)
    running.move_clock(running.clock.now(), frozen=True)
    [entry] = ask(running, "deliveries")[1]["deliveries"]
    assert [each["notifyStatus"] for each in entry["attempts"]] == ["InvalidHost"]


def test_an_empty_outbox_starts_nothing():
    made = outbox.Outbox()
    assert made.show() == {"mails": [], "texts": [], "pushes": []}
    assert made._mock is None
    made.close()


def test_mails_are_in_the_outbox_where_no_mail_server_is_told(running):
    subscribe(running, "mail:directmail:user@example.test")
    attributes = publication.Attributes(mail=publication.MailAttributes(sender="ci@example.test", subject="构建"))
    publish(running, "完成", attributes=attributes)
    running.move_clock(running.clock.now(), frozen=True)
    [mail] = ask(running, "outbox")[1]["mails"]
    assert mail | {"text": mail["text"].strip()} == {
        "from": "ci@example.test",
        "to": "user@example.test",
        "subject": "构建",
        "type": "text/plain",
        "text": "完成",
    }


@pytest.mark.parametrize(
    ("path", "document", "method", "status"),
    [
        ("nowhere", None, "GET", 404),
        ("outbox", None, "DELETE", 405),
        ("deliveries", {}, "POST", 405),
        ("deliveries?limit=0", None, "GET", 400),
        ("deliveries?limit=x", None, "GET", 400),
        ("devices", None, "GET", 405),
        ("devices", {"app": "a"}, "POST", 400),
        ("devices", {"app": 1, "token": "t"}, "POST", 400),
        ("devices", {"other": 1}, "POST", 400),
    ],
)
def test_helpers_refuse_what_they_do_not_know(running, path, document, method, status):
    assert ask(running, path, document, method)[0] == status


def test_the_log_may_be_narrowed_down(running):
    subscribe(running, "http://10.0.0.1/")
    publish(running)
    running.move_clock(running.clock.now(), frozen=True)
    found = [len(ask(running, f"deliveries?{query}")[1]["deliveries"]) for query in ("topic=news", "subscription=x")]
    assert found == [1, 0]
