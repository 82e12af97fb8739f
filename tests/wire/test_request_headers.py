"""The headers that every request has to show before its signature counts: Authorization, dates, version, digest."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.model import errors
from chalicelib.wire import http, signatures

NOW = 1_704_164_645_000  # Tue, 02 Jan 2024 03:04:05 GMT
SIGNATURE = "0123456789abcdef" * 4
SCOPE = "20240102/cn-hangzhou/mns/aliyun_v4_request"
quick = settings(max_examples=100, deadline=None, database=None)


def request(**headers):
    return http.Request(
        method="GET", path="/queues", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


def refused(check, *arguments):
    with pytest.raises(errors.MnsError) as raised:
        check(*arguments)
    return raised.value.code


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        (
            "MNS TESTAKID0001:uDpBjh43AwIcTn69pV2hdfjzFjs=",
            signatures.V2(access_key_id="TESTAKID0001", signature="uDpBjh43AwIcTn69pV2hdfjzFjs="),
        ),
        ("MNS STS.Nabc:a/b+c=", signatures.V2(access_key_id="STS.Nabc", signature="a/b+c=")),
        ("  MNS k:s  ", signatures.V2(access_key_id="k", signature="s")),
        ("MNS k:s:t", signatures.V2(access_key_id="k", signature="s:t")),
        (
            f"MNS4-HMAC-SHA256 Credential=TESTAKID0001/{SCOPE},Signature={SIGNATURE}",
            signatures.V4(
                access_key_id="TESTAKID0001",
                signature=SIGNATURE,
                prefix="MNS4-HMAC-SHA256",
                date="20240102",
                region="cn-hangzhou",
            ),
        ),
        (
            f"MNS4-HMAC-SHA256 Credential=k/{SCOPE}, Signature={SIGNATURE}",
            signatures.V4(
                access_key_id="k", signature=SIGNATURE, prefix="MNS4-HMAC-SHA256", date="20240102", region="cn-hangzhou"
            ),
        ),
        (
            f"APSARA-MNS4-HMAC-SHA256 Credential=k/20240102/r/mns/apsara_v4_request,Signature={SIGNATURE}",
            signatures.V4(
                access_key_id="k", signature=SIGNATURE, prefix="APSARA-MNS4-HMAC-SHA256", date="20240102", region="r"
            ),
        ),
    ],
)
def test_an_authorization_header_says_who_signed_and_how(header, meaning):
    assert signatures.read_authorization(request(authorization=header)) == meaning


@pytest.mark.parametrize("headers", [{}, {"authorization": ""}, {"authorization": "  "}])
def test_without_an_authorization_header_it_is_missing(headers):
    assert refused(signatures.read_authorization, request(**headers)) == "MissingAuthorizationHeader"


@pytest.mark.parametrize(
    "header",
    [
        "MNS",
        "MNS k",
        "MNS k:",
        "MNS :s",
        "MNS  k:s",
        "MNS k: s",
        "MNS k:s t",
        "MNSk:s",
        "mns k:s",
        "MQS k:s",
        "Basic azpz",
        "Bearer k:s",
        "MNS " + "k" * 129 + ":s",
        "MNS k:" + "s" * 257,
        f"MNS4-HMAC-SHA256 Credential=k/{SCOPE}",
        f"MNS4-HMAC-SHA256 Signature={SIGNATURE}",
        f"MNS4-HMAC-SHA256 Signature={SIGNATURE},Credential=k/{SCOPE}",
        f"MNS4-HMAC-SHA256 Credential=k/{SCOPE} Signature={SIGNATURE}",
        f"MNS4-HMAC-SHA256 Credential=k/{SCOPE},Signature={SIGNATURE[:-1]}",
        f"MNS4-HMAC-SHA256 Credential=k/{SCOPE},Signature={SIGNATURE}0",
        f"MNS4-HMAC-SHA256 Credential=k/{SCOPE},Signature={SIGNATURE.upper()}",
        f"MNS4-HMAC-SHA256 Credential=/{SCOPE},Signature={SIGNATURE}",
        f"MNS4-HMAC-SHA256 Credential=k/2024010/cn-hangzhou/mns/aliyun_v4_request,Signature={SIGNATURE}",
        f"MNS4-HMAC-SHA256 Credential=k/2024-1-2/cn-hangzhou/mns/aliyun_v4_request,Signature={SIGNATURE}",
        f"MNS4-HMAC-SHA256 Credential=k/20240102/mns/aliyun_v4_request,Signature={SIGNATURE}",
        f"MNS4-HMAC-SHA256 Credential=k/20240102/cn-hangzhou/oss/aliyun_v4_request,Signature={SIGNATURE}",
        f"MNS4-HMAC-SHA256 Credential=k/20240102/cn-hangzhou/mns/apsara_v4_request,Signature={SIGNATURE}",
        f"APSARA-MNS4-HMAC-SHA256 Credential=k/{SCOPE},Signature={SIGNATURE}",
        f"MNS5-HMAC-SHA256 Credential=k/{SCOPE},Signature={SIGNATURE}",
        f"AWS4-HMAC-SHA256 Credential=k/{SCOPE},Signature={SIGNATURE}",
    ],
)
def test_an_authorization_header_of_any_other_form_is_invalid(header):
    assert refused(signatures.read_authorization, request(authorization=header)) == "InvalidAuthorizationHeader"


@pytest.mark.parametrize(
    "headers",
    [
        {"date": "Tue, 02 Jan 2024 03:04:05 GMT"},
        {"date": "Tue, 2 Jan 2024 03:04:05 GMT"},
        {"date": "Tue, 02 Jan 2024 03:04:05 +0000"},
        {"date": "Tue, 02 Jan 2024 11:04:05 +0800"},
        {"x_mns_date": "Tue, 02 Jan 2024 03:04:05 GMT"},
        {"date": "", "x_mns_date": "Tue, 02 Jan 2024 03:04:05 GMT"},
        {"date": "Tue, 02 Jan 2024 03:04:05 GMT", "x_mns_date": "Tue, 02 Jan 2024 03:10:00 GMT"},
        {"date": "Tue, 02 Jan 2024 02:49:05 GMT"},
        {"date": "Tue, 02 Jan 2024 03:19:05 GMT"},
    ],
)
def test_a_date_may_come_in_either_header_or_both_and_be_15_minutes_off(headers):
    signatures.check_date(request(**headers), NOW)


def test_without_a_date_it_is_missing():
    assert refused(signatures.check_date, request(), NOW) == "MissingDateHeader"
    assert refused(signatures.check_date, request(date=""), NOW) == "MissingDateHeader"


GARBAGE = [
    "x",
    " ",
    "0",
    "1704164645",
    "2024-01-02T03:04:05Z",
    "20240102T030405Z",
    "Tue, 02 Foo 2024 03:04:05 GMT",
    "Tue, 32 Jan 2024 03:04:05 GMT",
    "Tue, 02 Jan 2024 24:04:05 GMT",
    "Tue, 02 Jan 2024 03:04:05 +9999",
    "Tue, 02 Jan 99999 03:04:05 GMT",
    "消息",
]


@pytest.mark.parametrize("text", GARBAGE)
@pytest.mark.parametrize("name", ["date", "x_mns_date"])
def test_what_is_no_date_is_an_invalid_date_header(name, text):
    assert refused(signatures.check_date, request(**{name: text}), NOW) == "InvalidDateHeader"


def test_a_good_date_does_not_make_up_for_garbage_in_the_other_header():
    good = "Tue, 02 Jan 2024 03:04:05 GMT"
    assert refused(signatures.check_date, request(date=good, x_mns_date="x"), NOW) == "InvalidDateHeader"
    assert refused(signatures.check_date, request(date="x", x_mns_date=good), NOW) == "InvalidDateHeader"


@pytest.mark.parametrize(
    "headers",
    [
        {"date": "Tue, 02 Jan 2024 02:49:04 GMT"},
        {"date": "Tue, 02 Jan 2024 03:19:06 GMT"},
        {"date": "Mon, 01 Jan 2024 03:04:05 GMT"},
        {"date": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"x_mns_date": "Tue, 02 Jan 2024 03:19:06 GMT"},
        {"date": "Tue, 02 Jan 2024 03:04:05 GMT", "x_mns_date": "Tue, 02 Jan 2024 03:19:06 GMT"},
        {"date": "Tue, 02 Jan 2024 03:19:06 GMT", "x_mns_date": "Tue, 02 Jan 2024 03:04:05 GMT"},
    ],
)
def test_a_date_more_than_15_minutes_off_has_expired_in_whichever_header_it_is(headers):
    assert refused(signatures.check_date, request(**headers), NOW) == "TimeExpired"


def test_a_millisecond_over_15_minutes_is_too_much():
    sent = request(date="Tue, 02 Jan 2024 02:49:05 GMT")
    signatures.check_date(sent, NOW)
    with pytest.raises(errors.TimeExpired) as raised:
        signatures.check_date(sent, NOW + 1)
    assert raised.value.message == (
        "The date of the request is Tue, 02 Jan 2024 02:49:05 GMT, but the server's is Tue, 02 Jan 2024 03:04:05 GMT;"
        " they should not differ by more than 15 minutes."
    )


@pytest.mark.parametrize("text", ["Fri, 31 Dec 9999 23:59:59 -0100", "Fri, 31 Dec 9999 23:59:59 -0001"])
def test_a_date_at_the_end_of_time_is_refused_like_any_other(text):
    assert refused(signatures.check_date, request(date=text), NOW) in {"TimeExpired", "InvalidDateHeader"}


@quick
@given(
    st.text(max_size=40)
    | st.builds(
        "{}, {} {} {} {}:{}:{} {}".format,
        st.sampled_from(["Tue", "", "X"]),
        st.integers(-1, 40),
        st.sampled_from(["Jan", "Dec", "Foo"]),
        st.integers(-1, 9998),
        st.integers(-1, 30),
        st.integers(0, 70),
        st.integers(0, 70),
        st.sampled_from(["GMT", "UTC", "EST", "+0000", "-2359", "+9999", ""]),
    )
)
@example("Tue, 02 Jan 2024 03:04:05 GMT")
def test_whatever_stands_in_a_date_header_is_answered_with_a_code_of_the_protocol(text):
    try:
        signatures.check_date(request(date=text), NOW)
    except errors.MnsError as error:
        assert error.code in {"MissingDateHeader", "InvalidDateHeader", "TimeExpired"}  # noqa: PT017  # or none at all


@pytest.mark.parametrize("version", ["2015-06-06", " 2015-06-06 "])
def test_the_version_is_the_one_that_there_is(version):
    signatures.check_version(request(x_mns_version=version))


def test_without_a_version_it_is_missing():
    assert refused(signatures.check_version, request()) == "MissingVersionHeader"
    assert refused(signatures.check_version, request(x_mns_version=" ")) == "MissingVersionHeader"


@pytest.mark.parametrize("version", ["2014-07-08", "2015-06-6", "20150606", "2015-06-06x", "v1"])
def test_any_other_version_is_invalid_and_the_answer_names_the_right_one(version):
    with pytest.raises(errors.InvalidVersionHeader) as raised:
        signatures.check_version(request(x_mns_version=version))
    assert raised.value.message == (f"The x-mns-version header is {version!r}; the version supported is 2015-06-06.")


BODY = (
    b'<?xml version="1.0" encoding="UTF-8"?><Message xmlns="http://mns.aliyuncs.com/doc/v1/">'
    b"<MessageBody>SGVsbG8sIE1OUyE=</MessageBody></Message>"
)


@pytest.mark.parametrize(
    ("digest", "body"),
    [
        ("ZmY4N2M1ZGU1MzRiY2Y0ZGFjMTU0NTdmNDZlMDUwMGE=", BODY),
        ("/4fF3lNLz02sFUV/RuBQCg==", BODY),
        ("ff87c5de534bcf4dac15457f46e0500a", BODY),
        ("FF87C5DE534BCF4DAC15457F46E0500A", BODY),
        ("ZDQxZDhjZDk4ZjAwYjIwNGU5ODAwOTk4ZWNmODQyN2U=", b""),
        ("1B2M2Y8AsgTpgAmY7PhCfg==", b""),
        ("", BODY),
        (" /4fF3lNLz02sFUV/RuBQCg== ", BODY),
    ],
    ids=["base64 of hex", "RFC 1864", "hex", "upper-case hex", "Go on an empty body", "empty", "none", "white space"],
)
def test_a_digest_may_have_any_form_that_clients_send(digest, body):
    signatures.check_digest(http.Request(method="POST", path="/", headers={"content-md5": digest}, body=body))


@pytest.mark.parametrize("digest", ["x", "é", "1B2M2Y8AsgTpgAmY7PhCfg==", "ff87c5de534bcf4dac15457f46e0500b", "=" * 44])
def test_a_digest_of_another_body_is_refused_under_the_code_as_the_service_spells_it(digest):
    sent = http.Request(method="POST", path="/", headers={"content-md5": digest}, body=BODY)
    assert refused(signatures.check_digest, sent) == "InvalidDegist"


def test_a_request_without_a_digest_needs_none():
    signatures.check_digest(http.Request(method="POST", path="/", body=BODY))
