"""The header and query forms of the C++ SDK and of clients made by hand (sections 2.1, 2.2 and 14)."""

import base64
import hashlib

import pytest

from tests import live

NS = "http://mns.aliyuncs.com/doc/v1"


@pytest.fixture
def queue(server: live.Server, name: str) -> str:
    assert server.ask("PUT", f"/queues/{name}", body=f'<Queue xmlns="{NS}"/>').status == 201
    return name


def send(server: live.Server, queue: str, body: str = "x") -> live.Reply:
    return server.ask(
        "POST",
        f"/queues/{queue}/messages",
        body=f'<?xml version="1.0"?><Message xmlns="{NS}"><MessageBody>{body}</MessageBody></Message>',
    )


def receive(server: live.Server, queue: str) -> str:
    """A receipt handle."""
    return server.ask("GET", f"/queues/{queue}/messages").fields["ReceiptHandle"]


def test_xml_in_the_namespace_without_a_slash_is_taken_and_answered_in_it(server, queue):
    sent = send(server, queue, "over the wire")
    got = server.ask("GET", f"/queues/{queue}/messages?waitseconds=1")
    assert (sent.status, sent.root, got.root) == (201, f"{{{NS}}}Message", f"{{{NS}}}Message")
    assert got.fields["MessageBody"] == "over the wire"


def test_an_sts_token_in_its_header_is_not_part_of_what_is_signed(server, queue):
    signed = live.request("GET", f"/queues/{queue}", host=server.host)
    with server.connect() as connection:
        connection.send(signed.removesuffix(b"\r\n") + b"security-token: CAISxyz==\r\n\r\n")
        assert connection.read().status == 200


@pytest.mark.parametrize("signer", ["v2", "v4"])
def test_a_request_without_any_content_type_is_taken(server, queue, signer):
    assert server.ask("GET", f"/queues/{queue}", content_type=None, signer=signer).status == 200


def test_x_mns_date_stands_in_for_date_and_is_itself_signed(server, queue):
    headers = [("Host", server.host), ("x-mns-version", "2015-06-06"), ("x-mns-date", live.now())]
    target = f"/queues/{queue}"
    signature = live.sign_v2("GET", target, headers, live.OWNER)
    with server.connect() as connection:
        connection.send(live.raw("GET", target, [*headers, ("Authorization", signature)]))
        assert connection.read().status == 200
        changed = [*headers[:2], ("x-mns-date", "Tue, 02 Jan 2024 03:04:05 GMT")]
        connection.send(live.raw("GET", target, [*changed, ("Authorization", signature)]))
        assert connection.read().outcome == (408, "TimeExpired")
        connection.send(live.raw("GET", target, [*headers[:2], ("Authorization", signature)]))
        assert connection.read().outcome == (400, "MissingDateHeader")


def test_header_names_are_taken_in_any_case(server, queue):
    headers = [("HOST", server.host), ("DATE", live.now()), ("X-MNS-VERSION", "2015-06-06"), ("X-Mns-Prefix", queue)]
    signature = live.sign_v2("GET", "/queues", headers, live.OWNER)
    with server.connect() as connection:
        connection.send(live.raw("GET", "/queues", [*headers, ("AUTHORIZATION", signature)]))
        assert [entry["QueueURL"] for entry in connection.read().entries] == [f"{server.endpoint}/queues/{queue}"]


@pytest.mark.parametrize(
    "form",
    [
        "ReceiptHandle={}&VisibilityTimeout=60",
        "receiptHandle={}&visibilityTimeout=60",
        "RECEIPTHANDLE={}&VISIBILITYTIMEOUT=60",
        "VisibilityTimeout=60&ReceiptHandle={}",
    ],
)
@pytest.mark.parametrize("signer", ["v2", "v4"])
def test_query_names_are_taken_in_any_case_and_order(server, queue, form, signer):
    send(server, queue)
    target = f"/queues/{queue}/messages?" + form.format(receive(server, queue))
    assert server.ask("PUT", target, signer=signer).status == 200


@pytest.mark.parametrize("flag", ["metaoverride=true", "metaOverride=true", "MetaOverride=True"])
def test_the_override_flag_is_taken_in_any_case(server, queue, flag):
    body = f'<Queue xmlns="{NS}"><DelaySeconds>1</DelaySeconds></Queue>'
    assert server.ask("PUT", f"/queues/{queue}?{flag}", body=body).status == 204


@pytest.mark.parametrize("signer", ["v2", "v4"])
def test_a_receipt_handle_may_be_percent_encoded_or_not(server, queue, signer):
    send(server, queue)
    handle = receive(server, queue)
    escaped = "".join(f"%{ord(letter):02X}" for letter in handle)
    target = f"/queues/{queue}/messages?ReceiptHandle={escaped}&VisibilityTimeout=60"
    new = server.ask("PUT", target, signer=signer).fields["ReceiptHandle"]
    assert server.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={new}", signer=signer).status == 204


def test_a_plus_in_a_receipt_handle_is_a_plus_and_the_handle_is_refused_not_the_signature(server, queue):
    for handle in ("a+b/c==", "a%2Bb%2Fc%3D%3D"):
        reply = server.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={handle}")
        assert reply.outcome == (400, "ReceiptHandleError")


@pytest.mark.parametrize(
    "digest",
    [
        live.hex_md5_header,
        lambda body: base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode(),
    ],
    ids=["base64 of the hex text", "RFC 1864"],
)
@pytest.mark.parametrize("signer", ["v2", "v4"])
def test_content_md5_is_taken_in_both_forms(server, queue, digest, signer):
    body = b"<Message><MessageBody>x</MessageBody></Message>"
    reply = server.ask(
        "POST", f"/queues/{queue}/messages", body=body, headers=[("Content-MD5", digest(body))], signer=signer
    )
    assert reply.status == 201


def test_a_host_of_the_vendors_form_is_echoed_and_its_region_is_a_namespace_of_its_own(server, name):
    for region in ("cn-hangzhou", "cn-beijing-internal"):
        host = f"{live.OWNER.account_id}.mns.{region}.aliyuncs.com"
        reply = server.ask("PUT", f"/queues/{name}", host=host, body="<Queue/>")
        assert (reply.status, reply.spelled["Location"]) == (201, f"http://{host}/queues/{name}")
    assert server.ask("PUT", f"/queues/{name}", body="<Queue/>").status == 204  # the server's own region is the first


def test_a_host_of_another_account_is_refused_with_access_denied_before_the_signature_is_looked_at(server):
    host = f"{live.OTHER.account_id}.mns.cn-hangzhou.aliyuncs.com"
    wrong = live.Key(account_id=live.OWNER.account_id, access_key_id=live.OWNER.access_key_id, secret="wrong")
    for key in (live.OWNER, wrong):
        reply = server.ask("GET", "/queues", host=host, key=key)
        assert reply.outcome == (403, "AccessDenied")
        assert reply.fields["HostId"] == f"http://{host}"


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ([("Authorization", "Basic eDp5")], (400, "InvalidAuthorizationHeader")),
        ([("Authorization", "MNS openmns:x")], (400, "MissingDateHeader")),
        ([("Authorization", "MNS openmns:x"), ("Date", "yesterday")], (400, "InvalidDateHeader")),
        ([("Authorization", "MNS openmns:x"), ("Date", "now")], (400, "MissingVersionHeader")),
        (
            [("Authorization", "MNS openmns:x"), ("Date", "now"), ("x-mns-version", "2014-07-08")],
            (400, "InvalidVersionHeader"),
        ),
        (
            [("Authorization", "MNS nobody:x"), ("Date", "now"), ("x-mns-version", "2015-06-06")],
            (403, "InvalidAccessKeyId"),
        ),
        (
            [("Authorization", "MNS openmns:x"), ("Date", "now"), ("x-mns-version", "2015-06-06")],
            (403, "SignatureDoesNotMatch"),
        ),
    ],
)
def test_headers_are_checked_in_the_documented_order(server, headers, outcome):
    given = [(name, live.now() if value == "now" else value) for name, value in headers]
    with server.connect() as connection:
        connection.send(live.raw("GET", "/queues", [("Host", server.host), *given]))
        assert connection.read().outcome == outcome
