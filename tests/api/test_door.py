"""What every request meets: routing, authentication, isolation, errors."""

import pytest

from chalicelib import bootstrap, settings
from chalicelib.model import account, errors
from chalicelib.storage import client
from chalicelib.wire import http
from infra.local import vault
from tests.api import signing
from tests.api.signing import code, signed, texts

NAMESPACE = "http://mns.aliyuncs.com/doc/v1"


def test_a_first_session_works_from_creation_to_deletion(call):
    assert call("PUT", "/queues/demo", body="<Queue/>").status == 201
    sent = call("POST", "/queues/demo/messages", body="<Message><MessageBody>hi</MessageBody></Message>")
    received = texts(call("GET", "/queues/demo/messages"))
    assert (sent.status, received["MessageBody"], received["MessageId"]) == (201, "hi", texts(sent)["MessageId"])
    assert call("DELETE", f"/queues/demo/messages?ReceiptHandle={received['ReceiptHandle']}").status == 204
    assert code(call("GET", "/queues/demo/messages")) == "MessageNotExist"
    assert call("DELETE", "/queues/demo").status == 204
    assert code(call("GET", "/queues/demo")) == "QueueNotExist"


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", "/nowhere"),
        ("GET", "/queues/demo/messages/extra"),
        ("GET", "/queues//messages"),
        ("GET", "//queues"),
        ("GET", "/Queues"),
        ("POST", "/queues"),
        ("POST", "/queues/demo"),
        ("PATCH", "/queues/demo"),
        ("HEAD", "/queues/demo"),
        ("OPTIONS", "/queues"),
        ("DELETE", "/"),
        ("GET", "/commonbuy/openservice"),
    ],
)
def test_an_unknown_path_or_method_is_an_mns_error(call, method, target):
    response = call(method, target)
    assert (response.status, code(response)) == (400, "InvalidRequestURL")


def test_an_error_has_the_four_children_and_names_the_request_and_the_host(call):
    response = call("GET", "/queues/nope")
    assert response.status == 404
    request_id = response.headers["x-mns-request-id"]
    assert response.headers == {
        "x-mns-request-id": request_id,
        "x-mns-version": "2015-06-06",
        "Content-Type": "text/xml;charset=utf-8",
    }
    assert response.body.decode() == (
        '<?xml version="1.0" ?>\n'
        f'<Error xmlns="{NAMESPACE}">\n'
        "  <Code>QueueNotExist</Code>\n"
        "  <Message>The queue name you provided is not exist.</Message>\n"
        f"  <RequestId>{request_id}</RequestId>\n"
        f"  <HostId>http://{signing.HOST}</HostId>\n"
        "</Error>"
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_needs_no_signature(application, method):
    response = application.door.run(http.Request(method=method, path="/health"))
    assert (response.status, response.headers["Content-Type"]) == (200, "application/json")


@pytest.mark.parametrize(
    ("changed", "status", "expected"),
    [
        ({"authorization": ""}, 400, "MissingAuthorizationHeader"),
        ({"authorization": "Basic abc"}, 400, "InvalidAuthorizationHeader"),
        ({"date": ""}, 400, "MissingDateHeader"),
        ({"date": "yesterday"}, 400, "InvalidDateHeader"),
        ({"date": "Tue, 02 Jan 2024 02:49:04 GMT"}, 408, "TimeExpired"),
        ({"date": "Tue, 02 Jan 2024 03:19:06 GMT"}, 408, "TimeExpired"),
        ({"x-mns-version": ""}, 400, "MissingVersionHeader"),
        ({"x-mns-version": "2014-07-08"}, 400, "InvalidVersionHeader"),
        ({"authorization": "MNS nobody:abc="}, 403, "InvalidAccessKeyId"),
        ({"authorization": f"MNS {signing.KEY}:abc="}, 403, "SignatureDoesNotMatch"),
        ({"host": f"{signing.OTHER_ACCOUNT}.mns.cn-hangzhou.aliyuncs.com"}, 403, "AccessDenied"),
        ({"content-md5": "AAAA"}, 403, "SignatureDoesNotMatch"),
    ],
)
def test_a_request_that_is_not_in_order_is_refused_and_changes_nothing(
    application, call, clock, changed, status, expected
):
    good = signed("PUT", "/queues/demo", now=clock.now(), body="<Queue/>")
    bad = http.Request(method="PUT", path="/queues/demo", headers=good.headers | changed, body=good.body)
    response = application.door.run(bad)
    assert (response.status, code(response)) == (status, expected)
    assert code(call("GET", "/queues/demo")) == "QueueNotExist"


def test_the_owner_of_the_host_is_checked_before_the_signature(call):
    response = call("GET", "/queues", host=f"{signing.OTHER_ACCOUNT}.mns.cn-hangzhou.aliyuncs.com", secret="wrong")
    assert code(response) == "AccessDenied"


def test_a_digest_that_is_signed_but_wrong_is_refused(call):
    response = call("PUT", "/queues/demo", body="<Queue/>", headers={"content-md5": "AAAAAAAAAAAAAAAAAAAAAA=="})
    assert (response.status, code(response)) == (400, "InvalidDegist")


def test_a_local_server_shows_the_string_to_sign_and_a_deployed_one_does_not(application, engine, prefix, clock):
    request = signed("GET", "/queues", now=clock.now(), secret="wrong")
    shown = texts(application.door.run(request))["Message"]
    assert shown.endswith("GET\n\n\nTue, 02 Jan 2024 03:04:05 GMT\nx-mns-version:2015-06-06\n/queues")
    deployed = bootstrap.build(
        settings.Settings(table_prefix=prefix), engine=engine, clock=clock, vault=vault.in_memory()
    )
    hidden = texts(deployed.door.run(request))["Message"]
    assert "x-mns-version" not in hidden


def test_a_disabled_key_is_unknown(application, call):
    key = account.AccessKey(access_key_id=signing.KEY, secret=signing.SECRET, account_id=signing.ACCOUNT, enabled=False)
    application.verbs.identities.add_key(key)
    assert code(call("GET", "/queues")) == "InvalidAccessKeyId"


def test_accounts_and_regions_do_not_see_each_other(call):
    other = {"key": signing.OTHER_KEY, "secret": signing.OTHER_SECRET, "host": "localhost:8000"}
    shanghai = {"host": f"{signing.ACCOUNT}.mns.cn-shanghai.aliyuncs.com"}
    call("PUT", "/queues/demo", body="<Queue/>")
    call("POST", "/queues/demo/messages", body="<Message><MessageBody>secret</MessageBody></Message>")
    handle = texts(call("GET", "/queues/demo/messages"))["ReceiptHandle"]
    for elsewhere in (other, shanghai):
        assert code(call("GET", "/queues/demo/messages", **elsewhere)) == "QueueNotExist"
        assert call("PUT", "/queues/demo", body="<Queue/>", **elsewhere).status == 201
        assert code(call("GET", "/queues/demo/messages", **elsewhere)) == "MessageNotExist"
        assert (
            code(call("DELETE", f"/queues/demo/messages?ReceiptHandle={handle}", **elsewhere)) == "ReceiptHandleError"
        )
        assert call("GET", "/queues", **elsewhere).body.count(b"<QueueURL>") == 1
    assert call("DELETE", f"/queues/demo/messages?ReceiptHandle={handle}").status == 204


def test_a_bare_host_means_the_account_of_the_key_and_the_region_of_the_server(call):
    created = call("PUT", "/queues/demo", body="<Queue/>", host="127.0.0.1:8000")
    assert created.headers["Location"] == "http://127.0.0.1:8000/queues/demo"
    assert call("GET", "/queues/demo").status == 200


def test_what_goes_wrong_inside_is_an_internal_error_without_a_trace_of_it(application, clock):
    class Broken:
        def __getattr__(self, name):
            raise RuntimeError("the secret is open-sesame")

    broken = bootstrap.build(
        application.settings, engine=application_engine(Broken()), clock=clock, vault=vault.in_memory()
    )
    response = broken.door.run(signed("GET", "/queues", now=clock.now()))
    assert (response.status, code(response)) == (500, "InternalError")
    assert b"sesame" not in response.body


def application_engine(broken):
    """An engine each of whose methods fails when it is called."""

    def method(name):
        return lambda **_: getattr(broken, name)

    names = [name for name in vars(client.Client) if name.endswith(("item", "items", "query"))]
    return type("Engine", (), {name: staticmethod(method(name)) for name in names})()


def test_a_door_can_refuse_in_its_own_name(application):
    response = application.door.refuse(http.Request(method="GET", path="/queues"), errors.TooManyRequests())
    assert (response.status, code(response)) == (429, "TooManyRequests")


HOSTILE = [
    b"",
    b"   ",
    b"no xml",
    b"<Message>",
    b"<Message><MessageBody>\xff\xfe</MessageBody></Message>",
    b'<!DOCTYPE x [<!ENTITY a "b">]><Message><MessageBody>&a;</MessageBody></Message>',
    b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><Message><MessageBody>x</MessageBody></Message>',
    b"<Message><MessageBody>&undefined;</MessageBody></Message>",
    b"<Message><MessageBody>\x00</MessageBody></Message>",
    b"<a>" * 20_000,
    b"<Message>" + b"<a/>" * 9_000 + b"<MessageBody>x</MessageBody></Message>",
    b"<Message><MessageBody>" + b"x" * 1_100_000 + b"</MessageBody></Message>",
    "<Message><MessageBody>x</MessageBody></Message>".encode("utf-16"),
    b"<Message/>",
    b"<Message><MessageBody/></Message>",
    b"<Message><MessageBody><b>x</b></MessageBody></Message>",
    b"<Message><MessageBody>x</MessageBody><MessageBody>y</MessageBody></Message>",
    b"<Message><MessageBody>x</MessageBody><Priority>17</Priority></Message>",
    b"<Message><MessageBody>x</MessageBody><Priority>-1</Priority></Message>",
    b"<Message><MessageBody>x</MessageBody><Priority>high</Priority></Message>",
    b"<Message><MessageBody>x</MessageBody><DelaySeconds>604801</DelaySeconds></Message>",
    b"<Message><MessageBody>x</MessageBody><DelaySeconds>1e3</DelaySeconds></Message>",
    "<Message><MessageBody>x</MessageBody><DelaySeconds>٣</DelaySeconds></Message>".encode(),
    b"<Message><MessageBody>" + b"x" * 65_537 + b"</MessageBody></Message>",
    b"<Messages/>",
    b"<Messages>" + b"<Message><MessageBody>x</MessageBody></Message>" * 17 + b"</Messages>",
    b"<Messages>" + (b"<Message><MessageBody>" + b"x" * 33_000 + b"</MessageBody></Message>") * 2 + b"</Messages>",
    b"<Queue/>",
]


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_or_wrong_body_is_refused_and_changes_nothing(call, body):
    call("PUT", "/queues/demo", body="<Queue/>")
    response = call("POST", "/queues/demo/messages", body=body)
    assert (response.status, code(response) in ("MalformedXML", "InvalidArgument")) == (400, True)
    assert code(call("GET", "/queues/demo/messages?peekonly=true")) == "MessageNotExist"


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("GET", "/queues/demo/messages?numOfMessages=0", "InvalidArgument"),
        ("GET", "/queues/demo/messages?numOfMessages=17", "InvalidArgument"),
        ("GET", "/queues/demo/messages?numOfMessages=-1", "InvalidArgument"),
        ("GET", "/queues/demo/messages?numOfMessages=x", "InvalidQueryString"),
        ("GET", "/queues/demo/messages?waitseconds=31", "InvalidArgument"),
        ("GET", "/queues/demo/messages?waitseconds=-1", "InvalidArgument"),
        ("GET", "/queues/demo/messages?waitseconds=1&waitseconds=2", "InvalidQueryString"),
        ("DELETE", "/queues/demo/messages?ReceiptHandle=", "MissingReceiptHandle"),
        ("DELETE", "/queues/demo/messages?ReceiptHandle=nonsense", "ReceiptHandleError"),
        ("PUT", "/queues/demo/messages?VisibilityTimeout=1", "MissingReceiptHandle"),
        ("PUT", "/queues/demo/messages?ReceiptHandle=nonsense", "MissingVisibilityTimeout"),
        ("PUT", "/queues/demo/messages?ReceiptHandle=nonsense&VisibilityTimeout=0", "InvalidArgument"),
        ("PUT", "/queues/demo/messages?ReceiptHandle=nonsense&VisibilityTimeout=43201", "InvalidArgument"),
        ("PUT", "/queues/demo/messages?ReceiptHandle=nonsense&VisibilityTimeout=1", "ReceiptHandleError"),
    ],
)
def test_a_wrong_query_is_answered_with_its_code(call, method, target, expected):
    call("PUT", "/queues/demo", body="<Queue/>")
    response = call(method, target)
    assert (response.status, code(response)) == (400, expected)


@pytest.mark.parametrize("marker", ["!!!", "ZGVtbw", "L2V0Yw==", "gA=="])
def test_a_marker_that_is_none_is_refused(call, marker):
    assert code(call("GET", "/queues", headers={"x-mns-marker": marker})) == "InvalidArgument"


@pytest.mark.parametrize("number", ["0", "1001", "-1", "x", "", "1.5", "\uff19"])
def test_a_page_size_out_of_range_is_refused(call, number):
    assert code(call("GET", "/queues", headers={"x-mns-ret-number": number})) == "InvalidArgument"


@pytest.mark.parametrize(
    ("signed_target", "sent_query"),
    [
        ("/queues/demo/messages?peekonly=true&numOfMessages=16", "peekonly=true%26numOfMessages=16"),
        ("/queues/demo/messages?peekonly=true#x", "peekonly=true%23x"),
    ],
)
def test_a_signed_query_cannot_be_cut_anew_into_another_operation(application, call, clock, signed_target, sent_query):
    call("PUT", "/queues/demo", body="<Queue/>")
    call("POST", "/queues/demo/messages", body="<Message><MessageBody>x</MessageBody></Message>")
    good = signed("GET", signed_target, now=clock.now())
    bad = http.Request(method="GET", path="/queues/demo/messages", query=sent_query, headers=good.headers)
    assert code(application.door.run(bad)) == "SignatureDoesNotMatch"
    assert call("GET", "/queues/demo/messages").status == 200


def test_a_name_that_no_queue_can_have_does_not_exist(call):
    for name in ("x" * 5_000, "under_score", "-"):
        assert code(call("GET", f"/queues/{name}")) == "QueueNotExist"
        assert code(call("GET", f"/queues/{name}/messages")) == "QueueNotExist"
        assert code(call("PUT", f"/queues/{name}?metaoverride=true", body="<Queue/>")) == "QueueNotExist"
        assert call("DELETE", f"/queues/{name}").status == 204
