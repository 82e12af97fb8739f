"""Whatever way a request takes, it is let in or refused, and answered, as if it had come straight from the client.

Each way has an application of its own with the same clock and ids, and all get the same requests: so their answers must
be the same to the byte. What a gateway cannot hand on is left out: a `+` that is no `%2B`, escapes in lower case, and
(of a REST API) a Content-MD5 that is signed and wrong.
"""

import base64
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib import parse

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import app as deployed
from chalicelib import bootstrap
from chalicelib import settings as configuration
from chalicelib.api import direct, table
from chalicelib.model import account
from chalicelib.wire import http
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault
from tests import gateways, live
from tests.conftest import HandClock

HOST = f"{live.OWNER.account_id}.mns.cn-hangzhou.aliyuncs.com"
DATE, LATER = "Tue, 02 Jan 2024 03:04:05 GMT", "Tue, 02 Jan 2024 03:05:05 GMT"
WRONG = live.Key(account_id=live.OWNER.account_id, access_key_id=live.OWNER.access_key_id, secret="wrong")
NOBODY = live.Key(account_id=live.OWNER.account_id, access_key_id="nobody", secret="x")


class CountingIds:
    """The same ids each time."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def message_id(self, now: int) -> str:
        return f"{now:016X}{next(self._numbers):016X}"

    def request_id(self, now: int) -> str:
        return f"{now:012X}{next(self._numbers):012X}"

    def queue_id(self) -> str:
        return f"{next(self._numbers):016x}"

    def stamp(self) -> str:
        return f"{next(self._numbers):012x}"

    def order_id(self) -> str:
        return "123456789012345"

    def pick(self, count: int) -> int:
        return 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the client sees, as far as it is ours: bodies of errors may spell the target differently."""

    status: int
    headers: dict[str, str]
    body: str


class Way:
    """A way to an application."""

    def __init__(self, ask: Callable[[gateways.Sent, int], Answer]) -> None:
        self._ask = ask
        self._clock = HandClock()
        engine = EmbeddedEngine(None, now=self._clock.now)
        decided = configuration.Settings(table_prefix="t-")
        engines.make_tables(engine, decided.table_prefix)
        self._application = bootstrap.build(
            decided, engine=engine, clock=self._clock, ids=CountingIds(), vault=vault.in_memory()
        )
        self._application.verbs.identities.add_key(
            account.AccessKey(
                access_key_id=live.OWNER.access_key_id, secret=live.OWNER.secret, account_id=live.OWNER.account_id
            )
        )
        self.close = engine.close

    def ask(self, sent: gateways.Sent) -> Answer:
        bootstrap.install(self._application)
        return self._ask(sent, self._clock.now())


def straight(sent: gateways.Sent, now: int) -> Answer:
    headers = {name.lower(): value for name, value in sent.headers}
    request = http.Request(
        method=sent.method, path=sent.path, query=sent.query, headers=headers, body=sent.body, arrived_at=now
    )
    response = bootstrap.application().door.run(request)
    return seen(response.status, response.headers, "" if sent.method == "HEAD" else response.body.decode())


def by_rest(handler: Callable[[Any, Any], Any]) -> Callable[[gateways.Sent, int], Answer]:
    return lambda sent, now: returned(handler(gateways.rest_event(sent, now=now), None))


def by_http_api(sent: gateways.Sent, now: int) -> Answer:
    return returned(direct.handler(gateways.http_event(sent, now=now), None))


def by_url(sent: gateways.Sent, now: int) -> Answer:
    return returned(direct.handler(gateways.url_event(sent, now=now), None))


def returned(answer: dict[str, Any]) -> Answer:
    assert not answer.get("isBase64Encoded")
    return seen(answer["statusCode"], answer["headers"], answer["body"])


def seen(status: int, headers: Any, body: str) -> Answer:
    code = body.partition("<Code>")[2].partition("</Code>")[0]
    return Answer(status=status, headers=dict(headers), body=code or body)


@pytest.fixture(scope="module")
def ways():
    made = {
        "straight": Way(straight),
        "REST API, Chalice": Way(by_rest(deployed.app)),
        "REST API, without Chalice": Way(by_rest(direct.handler)),
        "HTTP API": Way(by_http_api),
        "function URL": Way(by_url),
    }
    yield made
    for way in made.values():
        way.close()


# --- Requests as clients make them -----------------------------------------------------------------------------------

NAMES = st.sampled_from(["demo", "demo", "demo", "other", "none", "-", "under_score", "a%20b", "q" * 121])
NUMBERS = st.sampled_from(["1", "16", "17", "0", "-1", "x", "", "99999999999999999999"])
PARAMETERS = {
    "numOfMessages": NUMBERS,
    "waitseconds": st.sampled_from(["0", "2", "31", "x"]),
    "peekonly": st.sampled_from(["true", "True", "false", ""]),
    "ReceiptHandle": st.one_of(
        st.sampled_from(
            ["1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA==", "8-0zxjHBaWtzPz8zphz0z6OGz5yWWidU1fJM", "a=/b:@,!$'"]
        ),
        st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12),
    ),
    "VisibilityTimeout": NUMBERS,
    "metaoverride": st.sampled_from(["true", "TRUE", "false", ""]),
    "accountmeta": st.just("true"),
    "unknown": st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=4),
}
DATES = [[("Date", DATE)]] * 7 + [[("x-mns-date", LATER)], [("Date", DATE), ("x-mns-date", LATER)], []]
VERSIONS = [[("x-mns-version", "2015-06-06")]] * 12 + [[], [("X-MNS-Version", "2014-07-08")]]
TYPES = [None, "text/xml", "text/xml;charset=UTF-8", "application/octet-stream"]
METHODS = ["GET", "PUT", "POST", "DELETE", "HEAD"]
LISTING = [("x-mns-prefix", "d"), ("x-mns-ret-number", "2")]
BODIES = st.sampled_from(
    [
        "",
        "<Queue/>",
        "<Queue><VisibilityTimeout>60</VisibilityTimeout></Queue>",
        "<Topic/>",
        "<Account><LoggingBucket>b</LoggingBucket></Account>",
        "<Message><MessageBody>订单 &amp; \u2028 🚀</MessageBody></Message>",
        "<Messages><Message><MessageBody>a</MessageBody></Message><Message><Priority>99</Priority></Message></Messages>",
        "<ReceiptHandles><ReceiptHandle>x</ReceiptHandle></ReceiptHandles>",
        "<Subscription><Endpoint>http://example.com/</Endpoint></Subscription>",
        "no XML",
    ]
)


def escaped(value: str) -> str:
    return parse.quote(value, safe="")


def lightly(value: str) -> str:
    """As HTTP libraries let a value pass that is given to them as it is, except for what ends one."""
    return parse.quote(value, safe="!$'()*,=:@/?~")


@st.composite
def targets(draw: st.DrawFn, path: str) -> tuple[str, str]:
    """The target as it is sent, and as it is signed."""
    unique = draw(st.sampled_from([True] * 9 + [False]))
    names = draw(st.lists(st.sampled_from(sorted(PARAMETERS)), max_size=4, unique=unique))
    pairs = [(draw(st.sampled_from([name, name.lower()])), draw(PARAMETERS[name])) for name in names]
    blank = draw(st.sampled_from(["", "="]))  # of all parameters without a value
    signed_by = draw(st.sampled_from([escaped, lightly]))
    sent_by = draw(st.sampled_from([escaped, lightly]))
    sent, signed = (
        "&".join(f"{name}={write(value)}" if value else f"{name}{blank}" for name, value in pairs)
        for write in (sent_by, signed_by)
    )
    return f"{path}?{sent}" if sent else path, f"{path}?{signed}" if signed else path


@st.composite
def requests(draw: st.DrawFn) -> gateways.Sent:
    row = draw(st.sampled_from(table.TABLE))
    method = draw(st.sampled_from([row.method] * 20 + METHODS))
    segments = [draw(NAMES) if part.startswith("{") else part for part in row.path.split("/")]
    target, signed = draw(targets("/".join(segments) or "/"))
    body = draw(BODIES if method not in ("GET", "HEAD") else st.just("")).encode()
    digests = [None, live.hex_md5_header(body), base64.b64encode(hashlib.md5(body).digest()).decode()]
    content_type, digest = draw(st.sampled_from(TYPES)), draw(st.sampled_from(digests))
    headers = [
        ("Host", HOST),
        ("User-Agent", "client"),
        *draw(st.sampled_from(DATES)),
        *draw(st.sampled_from(VERSIONS)),
        *([("Content-Type", content_type)] if content_type else []),
        *([("Content-MD5", digest)] if digest else []),
        *draw(st.lists(st.sampled_from(LISTING), unique=True)),
    ]
    key = draw(st.sampled_from([live.OWNER] * 8 + [WRONG, NOBODY]))
    sign = draw(st.sampled_from([live.sign_v2, live.sign_v2, live.sign_v4]))
    if sign is live.sign_v2 or ("Date", DATE) in headers:
        headers.append(("Authorization", sign(method, signed, headers, key)))
    return gateways.Sent(method=method, target=target, headers=headers, body=body)


@given(st.lists(requests(), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_operation_is_answered_the_same_whatever_way_it_takes(ways, sent):
    for one in sent:
        answers = {name: way.ask(one) for name, way in ways.items()}
        assert list(answers.values()) == [answers["straight"]] * len(ways), answers


def test_a_signed_digest_of_another_body_is_refused_whatever_way_it_takes(ways):
    headers = [("Host", HOST), ("Date", DATE), ("x-mns-version", "2015-06-06")]
    headers.append(("Content-MD5", live.hex_md5_header(b"another")))
    authorization = ("Authorization", live.sign_v2("PUT", "/queues/digest", headers, live.OWNER))
    sent = gateways.Sent(method="PUT", target="/queues/digest", headers=[*headers, authorization], body=b"<Queue/>")
    assert {name: way.ask(sent).body for name, way in ways.items()} == {
        "straight": "InvalidDegist",
        "REST API, Chalice": "SignatureDoesNotMatch",  # the gateway has taken the header away
        "REST API, without Chalice": "SignatureDoesNotMatch",
        "HTTP API": "SignatureDoesNotMatch",
        "function URL": "InvalidDegist",
    }
