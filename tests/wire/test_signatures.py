"""Signatures: the vectors of the specification, and every form of request that SDKs and gateways make of them.

The signing here is written from section 3 of the specification and shares nothing with the server's.
"""

import base64
import hashlib
import hmac

import pytest

from chalicelib.wire import http, signatures

KEY = "TESTAKID0001"
SECRET = "testSecretKey0123456789"
DATE = "Tue, 02 Jan 2024 03:04:05 GMT"
VERSION = {"x-mns-version": "2015-06-06"}
XML = {"content-type": "text/xml;charset=UTF-8"}
HANDLE = "8-0zxjHBaWtzPz8zphz0z6OGz5yWWidU1fJM"
EMPTY_MD5 = "ZDQxZDhjZDk4ZjAwYjIwNGU5ODAwOTk4ZWNmODQyN2U="
BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Message xmlns="http://mns.aliyuncs.com/doc/v1/">'
    b"<MessageBody>SGVsbG8sIE1OUyE=</MessageBody></Message>"
)


def request(method, target, headers, body=b"", **fields):
    path, _, query = target.partition("?")
    return http.Request(method=method, path=path, query=query, headers={"date": DATE} | headers, body=body, **fields)


def hmac_sha1(text, secret=SECRET):
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def hmac_sha256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def v2(signature):
    return signatures.V2(access_key_id=KEY, signature=signature)


def v4(signature, prefix="MNS4-HMAC-SHA256", date="20240102", region="cn-hangzhou"):
    return signatures.V4(access_key_id=KEY, signature=signature, prefix=prefix, date=date, region=region)


V2_VECTORS = {
    "A": (
        request("GET", "/queues", VERSION),
        f"GET\n\n\n{DATE}\nx-mns-version:2015-06-06\n/queues",
        "uDpBjh43AwIcTn69pV2hdfjzFjs=",
    ),
    "B, Content-MD5 of the hex text": (
        request(
            "POST",
            "/queues/demo/messages",
            VERSION | XML | {"content-md5": "ZmY4N2M1ZGU1MzRiY2Y0ZGFjMTU0NTdmNDZlMDUwMGE="},
            BODY,
        ),
        (
            "POST\nZmY4N2M1ZGU1MzRiY2Y0ZGFjMTU0NTdmNDZlMDUwMGE=\ntext/xml;charset=UTF-8\n"
            f"{DATE}\nx-mns-version:2015-06-06\n/queues/demo/messages"
        ),
        "/q2LC0Zmq7utz3s+TffeNxFYCdM=",
    ),
    "C, Content-MD5 of RFC 1864": (
        request("POST", "/queues/demo/messages", VERSION | XML | {"content-md5": "/4fF3lNLz02sFUV/RuBQCg=="}, BODY),
        (
            "POST\n/4fF3lNLz02sFUV/RuBQCg==\ntext/xml;charset=UTF-8\n"
            f"{DATE}\nx-mns-version:2015-06-06\n/queues/demo/messages"
        ),
        "cPaPY+Xi957doOgJMlD6QQrzsKw=",
    ),
    "D": (
        request("PUT", f"/queues/demo/messages?ReceiptHandle={HANDLE}&VisibilityTimeout=60", VERSION | XML),
        (
            f"PUT\n\ntext/xml;charset=UTF-8\n{DATE}\nx-mns-version:2015-06-06\n"
            f"/queues/demo/messages?ReceiptHandle={HANDLE}&VisibilityTimeout=60"
        ),
        "TTbUGm0AXFjac1tCBgZsqMxHpO8=",
    ),
    "E, a list as the Go SDK asks for it": (
        request(
            "GET",
            "/queues",
            VERSION
            | {
                "content-md5": EMPTY_MD5,
                "content-type": "application/xml",
                "x-mns-with-meta": "true",
                "x-mns-ret-number": "2",
                "x-mns-prefix": "de",
            },
        ),
        (
            f"GET\n{EMPTY_MD5}\napplication/xml\n{DATE}\n"
            "x-mns-prefix:de\nx-mns-ret-number:2\nx-mns-version:2015-06-06\nx-mns-with-meta:true\n/queues"
        ),
        "f6H7XXvBekYYtyrmmL874LUF00U=",
    ),
    "F, a delete as the Node SDK sends it": (
        request(
            "DELETE",
            "/queues/demo",
            VERSION | {"content-md5": EMPTY_MD5, "content-type": "text/xml", "x-mns-date": DATE},
        ),
        f"DELETE\n{EMPTY_MD5}\ntext/xml\n{DATE}\nx-mns-date:{DATE}\nx-mns-version:2015-06-06\n/queues/demo",
        "bO6ZjgcOEuBlReYxALxOvtVnPSk=",
    ),
}
each_v2 = pytest.mark.parametrize(("sent", "text", "signature"), V2_VECTORS.values(), ids=V2_VECTORS)


@each_v2
def test_the_v2_vectors_verify(sent, text, signature):
    assert signatures.verify(sent, v2(signature), SECRET) is None


@each_v2
def test_a_v2_mismatch_is_answered_with_the_string_that_should_have_been_signed(sent, text, signature):
    assert signatures.verify(sent, v2(signature), "wrong") == text
    assert signatures.verify(sent, v2(signature[:-2] + "A="), SECRET) == text


@each_v2
def test_the_v2_vectors_were_signed_as_section_3_says(sent, text, signature):
    assert hmac_sha1(text) == signature


@pytest.mark.parametrize("form", ["B, Content-MD5 of the hex text", "C, Content-MD5 of RFC 1864"])
def test_the_digests_of_the_v2_vectors_are_right_in_both_forms(form):
    sent, *_ = V2_VECTORS[form]
    assert (len(BODY), hashlib.md5(BODY).hexdigest()) == (140, "ff87c5de534bcf4dac15457f46e0500a")
    signatures.check_digest(sent)


V4_VECTORS = {
    "A": (
        request("GET", "/queues", VERSION | XML),
        "GET\n/queues\n\ncontent-type:text/xml;charset=UTF-8\nx-mns-version:2015-06-06\n\n",
        "95f4f7abe22933c68133a873e330b6edac07614102520718f6535a261034878d",
    ),
    "B": (
        request("POST", "/queues/demo/messages", VERSION | XML, BODY),
        "POST\n/queues/demo/messages\n\ncontent-type:text/xml;charset=UTF-8\nx-mns-version:2015-06-06\n\n",
        "8d60a31f1ab890d2978263cd9731fed63d999e93ad729e89199a2dbd04a7310e",
    ),
    "C": (
        request(
            "PUT",
            "/queues/demo/messages?ReceiptHandle=1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA==&VisibilityTimeout=60",
            VERSION | XML,
        ),
        (
            "PUT\n/queues/demo/messages\n"
            "receipthandle=1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA%3D%3D&visibilitytimeout=60\n"
            "content-type:text/xml;charset=UTF-8\nx-mns-version:2015-06-06\n\n"
        ),
        "4036768c262821c9e0df798ca4e0e470b7580e887f939bfa1f70e372075eb442",
    ),
    "D, an account": (
        request("GET", "/?accountmeta=true", VERSION | XML),
        "GET\n/\naccountmeta=true\ncontent-type:text/xml;charset=UTF-8\nx-mns-version:2015-06-06\n\n",
        "fea6ce607894ef381f45d5eb6c9468ef47ca5510a9d6764ec78b3a3cd9dded7c",
    ),
}
START = "MNS4-HMAC-SHA256\n20240102T030405Z\n20240102/cn-hangzhou/mns/aliyun_v4_request\n"
DERIVED = [
    ("20240102", "5f45de35e2944a55c035d72bb9ecad28b4abe6e8342515473475d8ceaf71d005"),
    ("cn-hangzhou", "32dec016ac1e312d4248437a3f73842af1a16432889f81416b31a764c3474643"),
    ("mns", "623b3af7f6cc1cd55508eb0c5d3824642fc47b8ec2c962500271893fea9afb20"),
    ("aliyun_v4_request", "62c5f6c40557a4e5fe56cd48b53794987b1c0fdd47b0b50c7225da9cdfe86b37"),
]
each_v4 = pytest.mark.parametrize(("sent", "canonical", "signature"), V4_VECTORS.values(), ids=V4_VECTORS)


@each_v4
def test_the_v4_vectors_verify(sent, canonical, signature):
    assert signatures.verify(sent, v4(signature), SECRET) is None


@each_v4
def test_a_v4_mismatch_is_answered_with_the_string_that_should_have_been_signed(sent, canonical, signature):
    assert signatures.verify(sent, v4(signature), "wrong") == START + canonical


@each_v4
def test_the_v4_vectors_were_signed_with_the_derived_key_of_day_region_and_product(sent, canonical, signature):
    key = ("aliyun_v4" + SECRET).encode()
    for part, derived in DERIVED:
        key = hmac_sha256(key, part)
        assert key.hex() == derived
    assert hmac_sha256(key, START + canonical).hex() == signature


def sign_v4(method, target, headers, *, prefix="", start="aliyun_v4", end="aliyun_v4_request"):
    """A V4 signature, of the canonical request's path, query and headers as given."""
    key = (start + SECRET).encode()
    for part in ("20240102", "cn-hangzhou", "mns", end):
        key = hmac_sha256(key, part)
    scope = f"20240102/cn-hangzhou/mns/{end}"
    text = f"{prefix}MNS4-HMAC-SHA256\n20240102T030405Z\n{scope}\n{method}\n{target}\n{headers}\n"
    return hmac_sha256(key, text).hex()


@pytest.mark.parametrize("length", [1, 30, 63, 64, 65, 128, 1000])
def test_a_v2_signature_is_an_hmac_whatever_the_length_of_the_secret(length):
    secret = "Größe" + "s" * (length - 1)
    signed = signatures.V2(access_key_id="k", signature="").sign("text", secret)
    assert signed.decode() == hmac_sha1("text", secret)
    assert signatures.V2(access_key_id="k", signature="").sign("text", secret) == signed  # the key's state is as it was


def test_the_apsara_variant_differs_in_the_three_words_only():
    signature = sign_v4(
        "GET",
        "/queues\n",
        "x-mns-version:2015-06-06\n",
        prefix="APSARA-",
        start="apsara_v4",
        end="apsara_v4_request",
    )
    sent = request("GET", "/queues", VERSION)
    assert signatures.verify(sent, v4(signature, prefix="APSARA-MNS4-HMAC-SHA256"), SECRET) is None
    assert signatures.verify(sent, v4(signature), SECRET) is not None


def test_a_v4_signature_covers_content_md5_content_type_and_the_mns_headers_and_no_other():
    signature = sign_v4(
        "POST",
        "/queues/demo/messages\n",
        "content-md5:/4fF3lNLz02sFUV/RuBQCg==\ncontent-type:text/xml\nx-mns-user-request-id:u\n"
        "x-mns-version:2015-06-06\n",
    )
    headers = VERSION | {
        "host": "example.test",
        "user-agent": "x",
        "content-length": "140",
        "security-token": "t",
        "content-type": "text/xml",
        "content-md5": "/4fF3lNLz02sFUV/RuBQCg==",
        "x-mns-user-request-id": " u ",
    }
    assert signatures.verify(request("POST", "/queues/demo/messages", headers, BODY), v4(signature), SECRET) is None


@pytest.mark.parametrize(
    ("target", "canonical"),
    [
        ("/queues/a%20b", "/queues/a%20b\n"),
        ("/queues/a*b~c", "/queues/a%2Ab~c\n"),
        ("/q?b=2&a=1&C=x", "/q\na=1&b=2&c=x"),
        ("/q?peekonly", "/q\npeekonly"),
        ("/q?peekonly=", "/q\npeekonly"),
        ("/q?ReceiptHandle=a+b/c==", "/q\nreceipthandle=a%2Bb%2Fc%3D%3D"),
        ("/q?ReceiptHandle=a%2Bb%2Fc%3D%3D", "/q\nreceipthandle=a%252Bb%252Fc%253D%253D"),
        ("/q?ReceiptHandle=a%2Bb%2Fc%3D%3D", "/q\nreceipthandle=a%2Bb%2Fc%3D%3D"),
        ("/q?ReceiptHandle=a%26b%20", "/q\nreceipthandle=a%26b"),
    ],
)
def test_a_v4_signature_covers_path_and_query_in_their_canonical_form_from_raw_values_or_from_decoded_ones(
    target, canonical
):
    signature = sign_v4("GET", canonical, "x-mns-version:2015-06-06\n")
    assert signatures.verify(request("GET", target, VERSION), v4(signature), SECRET) is None


@pytest.mark.parametrize(
    ("date", "region", "accepted"),
    [
        ("20240102", "cn-hangzhou", True),
        ("20240101", "cn-hangzhou", False),
        ("20240103", "cn-hangzhou", False),
        ("20240102", "cn-beijing", False),
    ],
)
def test_a_v4_signature_is_good_for_its_day_and_region(date, region, accepted):
    sent, _, signature = V4_VECTORS["A"]
    assert (signatures.verify(sent, v4(signature, date=date, region=region), SECRET) is None) is accepted


def test_a_v4_scope_of_another_day_than_the_date_header_verifies_under_no_signature():
    assert signatures.verify(request("GET", "/queues", VERSION), v4("0" * 64, date="20240101"), SECRET) == ""


SIGNED = "/queues/demo/messages?ReceiptHandle=1-ODU4+OA/x==&VisibilityTimeout=60"
ENCODED = "/queues/demo/messages?ReceiptHandle=1-ODU4%2BOA%2Fx%3D%3D&VisibilityTimeout=60"


@pytest.mark.parametrize("signed", [SIGNED, ENCODED], ids=["signed raw", "signed encoded"])
@pytest.mark.parametrize("seen", [SIGNED, ENCODED], ids=["seen raw", "seen encoded"])
def test_a_receipt_handle_may_be_raw_or_percent_encoded_in_what_was_signed_and_in_what_arrives(signed, seen):
    signature = hmac_sha1(f"PUT\n\n\n{DATE}\nx-mns-version:2015-06-06\n{signed}")
    assert signatures.verify(request("PUT", seen, VERSION), v2(signature), SECRET) is None


def test_a_base_path_of_the_endpoint_is_signed_by_v2_and_the_door_may_say_which_there_are():
    signature = hmac_sha1(f"GET\n\n\n{DATE}\nx-mns-version:2015-06-06\n/stage/queues")
    sent = request("GET", "/queues", VERSION, targets=lambda: ("/queues", "/stage/queues"))
    assert signatures.verify(sent, v2(signature), SECRET) is None
    assert signatures.verify(request("GET", "/queues", VERSION), v2(signature), SECRET) is not None


def test_a_content_md5_that_a_gateway_took_away_may_be_any_that_the_door_thinks_of():
    sent, _text, signature = V2_VECTORS["B, Content-MD5 of the hex text"]
    headers = {name: value for name, value in sent.headers.items() if name != "content-md5"}
    stripped = request("POST", "/queues/demo/messages", headers, BODY, digests=lambda: ("", *signatures.digests(BODY)))
    assert signatures.verify(stripped, v2(signature), SECRET) is None


@pytest.mark.parametrize("signed_date", ["Tue, 02 Jan 2024 03:04:05 GMT", "Tue, 02 Jan 2024 03:04:06 GMT"])
def test_with_two_date_headers_either_may_be_the_one_that_was_signed(signed_date):
    headers = VERSION | {"x-mns-date": "Tue, 02 Jan 2024 03:04:06 GMT"}
    signature = hmac_sha1(
        f"GET\n\n\n{signed_date}\nx-mns-date:Tue, 02 Jan 2024 03:04:06 GMT\nx-mns-version:2015-06-06\n/queues"
    )
    assert signatures.verify(request("GET", "/queues", headers), v2(signature), SECRET) is None


def test_a_client_that_cannot_set_date_signs_its_x_mns_date_in_both_places():
    signature = hmac_sha1(f"GET\n\n\n{DATE}\nx-mns-date:{DATE}\nx-mns-version:2015-06-06\n/queues")
    sent = http.Request(method="GET", path="/queues", headers=VERSION | {"x-mns-date": DATE})
    assert signatures.verify(sent, v2(signature), SECRET) is None


def test_the_security_token_and_the_host_are_not_signed():
    sent, _, signature = V2_VECTORS["A"]
    more = request("GET", "/queues", dict(sent.headers) | {"security-token": "t", "host": "h", "user-agent": "u"})
    assert signatures.verify(more, v2(signature), SECRET) is None


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"path": "/queues/other/messages"},
        {"query": f"ReceiptHandle={HANDLE}&VisibilityTimeout=61"},
        {"query": f"VisibilityTimeout=60&ReceiptHandle={HANDLE}"},
        {"query": ""},
        {"headers": VERSION | XML | {"date": "Tue, 02 Jan 2024 03:04:06 GMT"}},
        {"headers": VERSION | {"date": DATE}},
        {"headers": VERSION | {"date": DATE, "content-type": "text/xml"}},
        {"headers": VERSION | XML | {"date": DATE, "content-md5": EMPTY_MD5}},
        {"headers": VERSION | XML | {"date": DATE, "x-mns-prefix": "de"}},
        {"headers": XML | {"date": DATE, "x-mns-version": "2015-06-07"}},
    ],
    ids=str,
)
def test_whatever_is_signed_cannot_be_changed(change):
    sent, _, signature = V2_VECTORS["D"]
    changed = http.Request(
        **{
            "method": sent.method,
            "path": sent.path,
            "query": sent.query,
            "headers": sent.headers,
        }
        | change
    )
    assert signatures.verify(changed, v2(signature), SECRET) is not None


@pytest.mark.parametrize("signature", ["x", "é", "uDpBjh43AwIcTn69pV2hdfjzFjs", "UDPBJH43AWICTN69PV2HDFJZFJS="])
def test_a_signature_of_another_shape_does_not_match(signature):
    sent, text, _ = V2_VECTORS["A"]
    assert signatures.verify(sent, v2(signature), SECRET) == text
