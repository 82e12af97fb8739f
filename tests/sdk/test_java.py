"""The requests of the Java SDK 2 as bytes, and the answers as its parser needs them (section 14).

It sends `text/xml;charset=UTF-8` on every request, names its namespace without a trailing slash, gives children of the
root the empty namespace, leaves receipt handles as they are, and signs in V2 or V4. It keeps response headers in a
case-sensitive map, and binds errors to the exact namespace.
"""

import hashlib
import hmac

import pytest

from tests import live

NS = "http://mns.aliyuncs.com/doc/v1"
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="no"?>'


class Java:
    """Asks as the SDK does."""

    def __init__(self, server: live.Server, signer: str) -> None:
        self.server = server
        self.signer = signer

    def ask(self, method: str, target: str, body: str = "", **headers: str) -> live.Reply:
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        given += [
            ("User-Agent", "aliyun-sdk-java/2.0.0(Linux/amd64/17)"),
            ("x-mns-user-request-id", "0f8fad5b-d9cb-469f-a165-70867728950e"),
        ]
        return self.server.ask(
            method, target, body=DECLARATION + body if body else "", headers=given, signer=self.signer
        )

    def send(self, queue: str, *bodies: str) -> live.Reply:
        entries = "".join(
            f'<Message xmlns=""><MessageBody>{body}</MessageBody><DelaySeconds>0</DelaySeconds></Message>'
            for body in bodies
        )
        return self.ask("POST", f"/queues/{queue}/messages", f'<Messages xmlns="{NS}">{entries}</Messages>')


@pytest.fixture(params=["v2", "v4"])
def java(request: pytest.FixtureRequest, server: live.Server) -> Java:
    return Java(server, request.param)


@pytest.fixture
def queue(java: Java, name: str) -> str:
    assert java.ask("PUT", f"/queues/{name}", f'<Queue xmlns="{NS}"/>').status == 201
    return name


def test_the_url_of_a_new_queue_stands_in_a_header_spelled_location_on_201_and_204(java, server, name):
    body = f'<Queue xmlns="{NS}"><VisibilityTimeout xmlns="">60</VisibilityTimeout></Queue>'
    replies = [java.ask("PUT", f"/queues/{name}", body) for _ in range(2)]
    url = f"{server.endpoint}/queues/{name}"
    assert [(reply.status, reply.spelled["Location"], reply.body) for reply in replies] == [
        (201, url, b""),
        (204, url, b""),
    ]


def test_the_request_id_and_version_are_spelled_in_lower_case_on_every_answer(java, queue):
    replies = [
        java.ask("GET", f"/queues/{queue}"),
        java.ask("GET", f"/queues/{queue}/messages"),
        java.ask("DELETE", f"/queues/{queue}"),
    ]
    assert [reply.status for reply in replies] == [200, 404, 204]
    assert {reply.spelled["x-mns-version"] for reply in replies} == {"2015-06-06"}
    assert len({reply.spelled["x-mns-request-id"] for reply in replies}) == 3


def test_an_error_has_exactly_the_namespace_without_a_slash_and_no_prefix(java, server):
    reply = java.ask("GET", "/queues/nope")
    assert (reply.status, reply.root) == (404, "{http://mns.aliyuncs.com/doc/v1}Error")
    assert b'<Error xmlns="http://mns.aliyuncs.com/doc/v1">' in reply.body
    assert reply.fields == {
        "Code": "QueueNotExist",
        "Message": "The queue name you provided is not exist.",
        "RequestId": reply.spelled["x-mns-request-id"],
        "HostId": server.endpoint,
    }
    assert reply.header("Content-Type") == "text/xml;charset=utf-8"


def test_an_empty_receive_is_404_message_not_exist_never_an_empty_200(java, queue):
    assert java.ask("GET", f"/queues/{queue}/messages?waitseconds=0").outcome == (404, "MessageNotExist")
    assert java.ask("GET", f"/queues/{queue}/messages?numOfMessages=16").outcome == (404, "MessageNotExist")


def test_an_unset_batch_size_which_it_sends_as_minus_one_is_refused_with_invalid_argument(java, queue):
    assert java.ask("GET", f"/queues/{queue}/messages?numOfMessages=-1").outcome == (400, "InvalidArgument")


def test_messages_with_children_in_the_empty_namespace_go_through_a_batch_and_back(java, queue):
    sent = java.send(queue, "b25l", "dHdv")
    got = java.ask("GET", f"/queues/{queue}/messages?numOfMessages=16&waitseconds=5")
    assert (sent.status, sent.root, got.status, got.root) == (201, f"{{{NS}}}Messages", 200, f"{{{NS}}}Messages")
    assert [entry["MessageBody"] for entry in got.entries] == ["b25l", "dHdv"]
    assert [entry["MessageId"] for entry in got.entries] == [entry["MessageId"] for entry in sent.entries]


def test_elements_have_no_prefix_since_it_looks_them_up_by_qualified_name(java, queue):
    java.send(queue, "b25l")
    reply = java.ask("GET", f"/queues/{queue}/messages?peekonly=true")
    assert b"xmlns:" not in reply.body
    assert {element.tag.partition("}")[0] for element in reply.xml.iter()} == {f"{{{NS}"}


def test_a_receipt_handle_goes_into_the_url_unescaped(java, queue):
    java.send(queue, "b25l")
    handle = java.ask("GET", f"/queues/{queue}/messages").fields["ReceiptHandle"]
    assert set(handle) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    changed = java.ask("PUT", f"/queues/{queue}/messages?ReceiptHandle={handle}&VisibilityTimeout=60")
    assert (changed.status, changed.root) == (200, f"{{{NS}}}ChangeVisibility")
    deleted = java.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={changed.fields['ReceiptHandle']}")
    assert (deleted.status, deleted.body) == (204, b"")


def test_a_handle_of_the_old_kind_with_equal_signs_is_taken_whole_and_refused_as_no_handle(java, queue):
    handle = "1-ODU4OTkzNDU5My0xNDMyNzI3ODI3LTItOA=="
    reply = java.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={handle}")
    assert reply.outcome == (400, "ReceiptHandleError")


def test_a_batch_that_fails_in_parts_is_not_2xx_and_lists_all_entries(java, queue):
    body = (
        f'<Messages xmlns="{NS}"><Message xmlns=""><MessageBody>YQ==</MessageBody></Message>'
        '<Message xmlns=""><MessageBody>Yg==</MessageBody><Priority>99</Priority></Message></Messages>'
    )
    reply = java.ask("POST", f"/queues/{queue}/messages", body)
    assert (reply.status, reply.root) == (500, f"{{{NS}}}Messages")
    assert [sorted(entry) for entry in reply.entries] == [
        ["MessageBodyMD5", "MessageId"],
        ["ErrorCode", "ErrorMessage"],
    ]


def test_a_batch_delete_that_fails_in_parts_lists_the_failures_as_errors(java, queue):
    body = f'<ReceiptHandles xmlns="{NS}"><ReceiptHandle xmlns="">x</ReceiptHandle></ReceiptHandles>'
    reply = java.ask("DELETE", f"/queues/{queue}/messages", body)
    assert (reply.status, reply.root) == (404, f"{{{NS}}}Errors")
    assert [sorted(entry) for entry in reply.entries] == [["ErrorCode", "ErrorMessage", "ReceiptHandle"]]


def test_a_system_property_that_its_parser_would_throw_on_is_never_taken_in(java, queue):
    body = (
        f'<Message xmlns="{NS}"><MessageBody xmlns="">YQ==</MessageBody><SystemProperties xmlns="">'
        "<SystemPropertyValue><Name>unheard-of</Name><Value>1</Value><Type>STRING</Type></SystemPropertyValue>"
        "</SystemProperties></Message>"
    )
    assert java.ask("POST", f"/queues/{queue}/messages", body).outcome == (400, "InvalidArgument")


def test_a_listing_with_meta_has_urls_that_begin_with_its_endpoint(java, server, queue):
    reply = java.ask("GET", "/queues", x_mns_prefix=queue, x_mns_ret_number="10", x_mns_with_meta="true")
    assert reply.status == 200
    [entry] = reply.entries
    assert entry["QueueURL"] == f"{server.endpoint}/queues/{queue}"
    assert (entry["QueueName"], entry["VisibilityTimeout"], entry["ActiveMessages"]) == (queue, "30", "0")


def test_account_attributes_have_a_trace_switch_that_is_a_number(java):
    body = f'<Account xmlns="{NS}"><TraceEnabled xmlns="">1</TraceEnabled></Account>'
    assert java.ask("PUT", "/?accountmeta=true", body).status == 204
    reply = java.ask("GET", "/?accountmeta=true")
    assert (reply.status, reply.root, reply.fields["TraceEnabled"]) == (200, f"{{{NS}}}Account", "1")


def test_opening_the_service_answers_with_an_order(java):
    reply = java.ask("POST", "/commonbuy/openservice")
    assert (reply.status, reply.root, list(reply.fields)) == (200, f"{{{NS}}}OpenService", ["OrderId"])


def test_without_credentials_it_sends_no_authorization_and_is_told_so(server):
    headers = [("Host", server.host), ("Date", live.now()), ("x-mns-version", "2015-06-06")]
    with server.connect() as connection:
        connection.send(live.raw("GET", "/queues", headers))
        assert connection.read().outcome == (400, "MissingAuthorizationHeader")


def test_a_v4_signature_may_name_any_region(server):
    headers = [("Host", server.host), ("Date", live.now()), ("x-mns-version", "2015-06-06")]
    signature = live.sign_v4("GET", "/queues", headers, live.OWNER, region="us-west-1")
    with server.connect() as connection:
        connection.send(live.raw("GET", "/queues", [*headers, ("Authorization", signature)]))
        assert connection.read().status == 200


def test_a_v4_signature_of_the_private_cloud_build_is_taken(server):
    headers = [("Host", server.host), ("Date", live.now()), ("x-mns-version", "2015-06-06")]
    moment = live.utils.parsedate_to_datetime(dict(headers)["Date"])
    day = moment.strftime("%Y%m%d")
    scope = f"{day}/cn-hangzhou/mns/apsara_v4_request"
    text = f"APSARA-MNS4-HMAC-SHA256\n{moment:%Y%m%dT%H%M%SZ}\n{scope}\nGET\n/queues\n\nx-mns-version:2015-06-06\n\n"
    secret = ("apsara_v4" + live.OWNER.secret).encode()
    for part in (day, "cn-hangzhou", "mns", "apsara_v4_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    credential = f"{live.OWNER.access_key_id}/{scope}"
    authorization = f"APSARA-MNS4-HMAC-SHA256 Credential={credential},Signature={signature}"
    with server.connect() as connection:
        connection.send(live.raw("GET", "/queues", [*headers, ("Authorization", authorization)]))
        assert connection.read().status == 200


def test_a_v4_signature_with_a_wrong_secret_or_of_another_day_is_refused(server):
    key = live.Key(account_id=live.OWNER.account_id, access_key_id=live.OWNER.access_key_id, secret="wrong")
    assert server.ask("GET", "/queues", key=key, signer="v4").outcome == (403, "SignatureDoesNotMatch")
    headers = [("Host", server.host), ("Date", live.now()), ("x-mns-version", "2015-06-06")]
    yesterday = [*headers[:1], ("Date", "Tue, 02 Jan 2024 03:04:05 GMT"), *headers[2:]]
    signature = live.sign_v4("GET", "/queues", yesterday, live.OWNER)
    with server.connect() as connection:
        connection.send(live.raw("GET", "/queues", [*headers, ("Authorization", signature)]))
        assert connection.read().outcome == (403, "SignatureDoesNotMatch")
