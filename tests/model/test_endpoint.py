"""The grammar of endpoints, section 12.1 of the protocol document."""

import pytest

from chalicelib.model import account, endpoint, errors

HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")


def http(scheme, host, port, target, authority):
    return endpoint.Http(scheme=scheme, host=host, port=port, target=target, authority=authority)


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("http://example.test", http("http", "example.test", 80, "/notifications", "example.test")),
        (
            "https://hooks.example.test/notify?src=mns",
            http("https", "hooks.example.test", 443, "/notify?src=mns", "hooks.example.test"),
        ),
        ("http://Example.test:8080/A/b", http("http", "example.test", 8080, "/A/b", "example.test:8080")),
        ("https://example.test:443/", http("https", "example.test", 443, "/", "example.test")),
        ("HTTP://127.0.0.1:99?x=1", http("http", "127.0.0.1", 99, "/notifications?x=1", "127.0.0.1:99")),
        ("http://[::1]:81/x", http("http", "::1", 81, "/x", "[::1]:81")),
        ("http://example.test/?a=b?c", http("http", "example.test", 80, "/?a=b?c", "example.test")),
        ("acs:mns:cn-hangzhou:1234567890123456:queues/demo", endpoint.Queue(namespace=HERE, name="demo")),
        ("mail:directmail:a.b+c@example.test", endpoint.Mail(address="a.b+c@example.test")),
        ("smq-ep:dm:1234567890123456:__dynamic", endpoint.Mail(address=None)),
        ("sms:directsms:anonymous", endpoint.Sms(number=None)),
        ("sms:directsms:13800138000", endpoint.Sms(number="13800138000")),
        ("smq-ep:dysms:1234567890123456:8613800138000", endpoint.Sms(number="8613800138000")),
        ("push:24680", endpoint.Mobile(app_key="24680")),
    ],
)
def test_every_kind_of_endpoint_is_understood(text, parsed):
    assert endpoint.parse(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "demo",
        "ftp://example.test/",
        "http://",
        "http:///path",
        "http://exa mple.test/",
        "http://example.test/a b",
        "http://example.test/\r\nHost: other",
        "http://example.test/#fragment",
        "http://example.test\\@other/",
        "http://user:secret@example.test/",
        "http://example.test:0/",
        "http://example.test:65536/",
        "http://example.test/mns-reserved-x",
        "http://例子.test/",
        "http://example.test/" + "x" * 2048,
        "acs:mns:cn-hangzhou:1234567890123456:/queues/demo",
        "acs:mns:cn-hangzhou:1234567890123456:queues/de_mo",
        "acs:mns:cn-hangzhou:abc:queues/demo",
        "acs:fc:cn-hangzhou:1234567890123456:services/s/functions/f",
        "acs:eventbridge:cn-hangzhou:1234567890123456:eventbus/b",
        "mail:directmail:",
        "mail:directmail:nobody",
        "mail:directmail:a@example.test\nBcc: b@example.test",
        "mail:directmail:a@example.test,b@example.test",
        "smq-ep:dm:1234567890123456:a@example.test",
        "smq-ep:dm:x:__dynamic",
        "smq-ep:dysms:1234567890123456:abc",
        "smq-ep:fax:1234567890123456:1",
        "sms:directsms:",
        "sms:dayu:13800138000",
        "push:",
        "push:a b",
    ],
)
def test_what_is_no_endpoint_is_refused(text):
    with pytest.raises(errors.EndpointInvalid):
        endpoint.parse(text)


def test_endpoints_of_one_server_share_a_lane_and_those_of_another_do_not():
    lanes = [endpoint.parse(f"http://example.test{rest}").lane for rest in ("/a", ":80/b", ":81/a")]
    assert lanes == ["http://example.test:80", "http://example.test:80", "http://example.test:81"]


def test_the_address_of_a_queue_is_an_endpoint():
    assert endpoint.parse(endpoint.queue_arn(HERE, "demo")) == endpoint.Queue(namespace=HERE, name="demo")
