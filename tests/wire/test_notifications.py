"""What an endpoint is pushed: sections 12.4 to 12.6 of the protocol document and the vector of 23.4."""

import base64
import hashlib
import json
from xml.etree import ElementTree as ET

import pytest
from Crypto.Hash import SHA1
from Crypto.PublicKey import RSA
from Crypto.Signature import pkcs1_15

from chalicelib.model import account, endpoint, publication, subscription
from chalicelib.wire import notifications

HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
CERTIFICATE_URL = "https://mns.example.test/cert/mns-test.pem"
SIGNATURE = (
    "N+TvwIH0LqaWGHMBUAOjDnJwpXkNQsRpB61nH5FGwoV8yOS48cvLunKhskI63yBB4JfaQgoI0KA4ZW2y/f+QOOoEEymOoIz7vHjf9lXVi4VMrhVz"
    "JaSd33C+U5OoMWVjA9cYbyxQJwEoDRLtU42pjIJGRwgxAGNJPHAdTtx30io="
)
CERTIFICATE = """-----BEGIN CERTIFICATE-----
MIICNjCCAZ+gAwIBAgIUWJ/DpGZDQk9I4rkwOjYxjG1+0BswDQYJKoZIhvcNAQEL
BQAwLDEQMA4GA1UECgwHZXhhbXBsZTEYMBYGA1UEAwwPbW5zLXRlc3QtdmVjdG9y
MCAXDTI2MTEyMjE3MzExOFoYDzIxMjYxMDI5MTczMTE4WjAsMRAwDgYDVQQKDAdl
eGFtcGxlMRgwFgYDVQQDDA9tbnMtdGVzdC12ZWN0b3IwgZ8wDQYJKoZIhvcNAQEB
BQADgY0AMIGJAoGBAPVq15vbU+9BNd9IfzR7hqvzlq3vIRFWlEFQ1D6jMQCimkia
HfDDp6/prZJboJpNz6iZGqca/847gSCWyljn0aCDareQZ0OtroBtdJ5Beh9JK1ca
Jg1cfTBJo5PqKDh5wLavDkv8UcVC6ai8kG4JnPMtvLIM96QjGVgt53ETLn65AgMB
AAGjUzBRMB0GA1UdDgQWBBTrgPvmyd3BTv/4sdLgZX/3yubl7TAfBgNVHSMEGDAW
gBTrgPvmyd3BTv/4sdLgZX/3yubl7TAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3
DQEBCwUAA4GBAHAf6dzNJPUalh78yksPWLLbYRAQOVd/U0AZ4UlQkWSkw9jjx3eD
fe+8BBKG5zXP90uS3+WAUUxqGkwkaQ1xYbYnd5wZGLYwT1Lx8VaFjlrppWd/UbTC
coqZdpACVjWIh0bY/rcJz9Bx71kf2QlQyLQpAH7ZxMFUpCQYm+A+EMqx
-----END CERTIFICATE-----
"""
STRING_TO_SIGN = """POST
F46B6880B5507A5D995D75F8D305A995
text/plain;charset=utf-8
Tue, 02 Jan 2024 03:04:05 GMT
x-mns-message-id:0A1B2C3D4E5F60718293A4B5C6D7E8F9
x-mns-message-tag:important
x-mns-publish-time:1704164645123
x-mns-request-id:65937D250123456789ABCDEF
x-mns-signing-cert-url:aHR0cHM6Ly9tbnMuZXhhbXBsZS50ZXN0L2NlcnQvbW5zLXRlc3QucGVt
x-mns-subscriber:1234567890123456
x-mns-subscription-name:sub-http
x-mns-topic-name:demo-topic
x-mns-topic-owner:1234567890123456
x-mns-version:2015-06-06
/notify?src=mns"""


def make(content_format="SIMPLIFIED", *, body="SGVsbG8sIE1OUyE=", tag="important"):
    """The message and the subscription of the document's examples."""
    return publication.Notification(
        publication=publication.Publication(
            message_id="0A1B2C3D4E5F60718293A4B5C6D7E8F9",
            namespace=HERE,
            topic_id="t1",
            topic_name="demo-topic",
            shard=0,
            published_at=1_704_164_645_123,
            expires_at=1_704_251_045_123,
            logged=False,
            draft=publication.Draft(body=body, tag=tag),
        ),
        subscription=subscription.Subscription(
            name="sub-http",
            subscription_id="s1",
            namespace=HERE,
            topic_name="demo-topic",
            topic_id="t1",
            attributes=subscription.SubscriptionAttributes(
                endpoint="https://hooks.example.test/notify?src=mns",
                content_format=subscription.Format(content_format),
            ),
            created_at=0,
            modified_at=0,
        ),
    )


def push(of, sign=lambda _: b"signed"):
    to = endpoint.parse(of.subscription.attributes.endpoint)
    return notifications.push(
        of,
        to,
        request_id="65937D250123456789ABCDEF",
        now=1_704_164_645_999,
        certificate_url=CERTIFICATE_URL,
        sign=sign,
    )


def test_the_string_to_sign_is_that_of_the_vector():
    signed = []

    def sign(text: bytes) -> bytes:
        signed.append(text.decode())
        return base64.b64decode(SIGNATURE)

    made = push(make(), sign)
    assert signed == [STRING_TO_SIGN]
    assert hashlib.sha1(STRING_TO_SIGN.encode()).hexdigest() == "606c193a95a1a01c1994eedbc5c21df0e8455028"
    assert made.headers["authorization"] == SIGNATURE


def test_the_vectors_certificate_verifies_the_vectors_signature_over_our_string():
    key = RSA.import_key(CERTIFICATE)
    text = notifications.string_to_sign("/notify?src=mns", push(make()).headers)
    pkcs1_15.new(key).verify(SHA1.new(text.encode()), base64.b64decode(SIGNATURE))


def test_a_simplified_push_has_all_headers_and_the_body_alone():
    made = push(make())
    assert (made.target, made.body) == ("/notify?src=mns", b"SGVsbG8sIE1OUyE=")
    assert made.headers == {
        "host": "hooks.example.test",
        "user-agent": "Aliyun Notification Service Agent",
        "accept": "*/*",
        "connection": "keep-alive",
        "content-length": "16",
        "content-md5": "F46B6880B5507A5D995D75F8D305A995",
        "content-type": "text/plain;charset=utf-8",
        "date": "Tue, 02 Jan 2024 03:04:05 GMT",
        "x-mns-request-id": "65937D250123456789ABCDEF",
        "x-mns-signing-cert-url": "aHR0cHM6Ly9tbnMuZXhhbXBsZS50ZXN0L2NlcnQvbW5zLXRlc3QucGVt",
        "x-mns-version": "2015-06-06",
        "x-mns-message-id": "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
        "x-mns-message-tag": "important",
        "x-mns-publish-time": "1704164645123",
        "x-mns-subscriber": "1234567890123456",
        "x-mns-subscription-name": "sub-http",
        "x-mns-topic-name": "demo-topic",
        "x-mns-topic-owner": "1234567890123456",
        "authorization": base64.b64encode(b"signed").decode(),
    }


MEMBERS = {
    "TopicOwner": "1234567890123456",
    "TopicName": "demo-topic",
    "Subscriber": "1234567890123456",
    "SubscriptionName": "sub-http",
    "MessageId": "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
    "MessageMD5": "F46B6880B5507A5D995D75F8D305A995",
    "MessageTag": "important",
    "Message": "SGVsbG8sIE1OUyE=",
    "PublishTime": "1704164645123",
}


def test_the_json_is_that_of_the_document():
    expected = (
        '{"TopicOwner":"1234567890123456","TopicName":"demo-topic","Subscriber":"1234567890123456",'
        '"SubscriptionName":"sub-http","MessageId":"0A1B2C3D4E5F60718293A4B5C6D7E8F9",'
        '"MessageMD5":"F46B6880B5507A5D995D75F8D305A995","MessageTag":"important","Message":"SGVsbG8sIE1OUyE=",'
        '"PublishTime":"1704164645123"}'
    )
    assert notifications.body(make("JSON")) == expected


def test_the_xml_has_the_members_of_the_document_under_the_namespace_with_a_slash():
    root = ET.fromstring(notifications.body(make("XML")))
    assert root.tag == "{http://mns.aliyuncs.com/doc/v1/}Notification"
    assert {child.tag.rpartition("}")[2]: child.text for child in root} == MEMBERS


@pytest.mark.parametrize("content_format", ["XML", "JSON", "SIMPLIFIED", "STREAM"])
@pytest.mark.parametrize("body", [' 消息 <1> & "2"\r\n\t]]> ', "{}", "x" * 65_536])
def test_a_body_survives_every_format(content_format, body):
    text = notifications.body(make(content_format, body=body))
    if content_format == "XML":
        found = ET.fromstring(text).findtext("{http://mns.aliyuncs.com/doc/v1/}Message")
    else:
        found = json.loads(text)["Message"] if content_format == "JSON" else text
    assert found == body


@pytest.mark.parametrize("content_format", ["XML", "JSON", "SIMPLIFIED"])
def test_a_message_without_a_tag_says_nothing_of_one(content_format):
    made = push(make(content_format, tag=""))
    assert b"MessageTag" not in made.body
    assert "x-mns-message-tag" not in made.headers


@pytest.mark.parametrize(
    ("content_format", "content_type"),
    [
        ("XML", "text/xml;charset=utf-8"),
        ("JSON", "application/json;charset=utf-8"),
        ("SIMPLIFIED", "text/plain;charset=utf-8"),
        ("STREAM", "text/plain;charset=utf-8"),
    ],
)
def test_each_format_has_its_content_type_and_the_digest_and_length_of_what_is_sent(content_format, content_type):
    made = push(make(content_format, body="消息"))
    assert made.headers["content-type"] == content_type
    assert made.headers["content-md5"] == hashlib.md5(made.body).hexdigest().upper()
    assert made.headers["content-length"] == str(len(made.body))


@pytest.mark.parametrize("content_format", ["XML", "JSON"])
def test_what_the_body_tells_is_not_told_in_headers(content_format):
    names = {name for name in push(make(content_format)).headers if name.startswith("x-mns-")}
    assert names == {"x-mns-request-id", "x-mns-signing-cert-url", "x-mns-version"}


@pytest.mark.parametrize(("tag", "sent"), [(" important ", "important"), ("a b", "a b"), ("  ", None)])
def test_a_tag_is_sent_and_signed_as_receivers_read_it_without_the_blanks_around_it(tag, sent):
    signed = []
    of = make(tag=tag)
    made = notifications.push(
        of,
        of.subscription.attributes.target,
        request_id="0" * 24,
        now=0,
        certificate_url="",
        sign=lambda text: signed.append(text.decode()) or b"",
    )
    assert made.headers.get("x-mns-message-tag") == sent
    lines = [line for line in signed[0].splitlines() if line.startswith("x-mns-message-tag:")]
    assert lines == ([f"x-mns-message-tag:{sent}"] if sent else [])
