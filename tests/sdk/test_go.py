"""The requests of the Go SDK 2 as bytes, and the answers as its parser needs them (section 14).

It sends `application/xml` and a Content-MD5 on every request, also where the body is empty; its XML has neither
declaration nor namespace; it writes out zero values that its caller never set, and percent-encodes receipt handles. It
takes exactly 200, 201 and 204 for success.
"""

from urllib import parse

import pytest

from tests import live

EMPTY_MD5 = "ZDQxZDhjZDk4ZjAwYjIwNGU5ODAwOTk4ZWNmODQyN2U="  # as section 2.4 quotes it


class Go:
    """Asks as the SDK does."""

    def __init__(self, server: live.Server) -> None:
        self.server = server

    def ask(self, method: str, target: str, body: str = "", **headers: str) -> live.Reply:
        digest = live.hex_md5_header(body.encode()) if body else EMPTY_MD5
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        given += [
            ("Content-MD5", digest),
            ("User-Agent", "aliyun-sdk-go/v2.0.1"),
            ("Accept-Encoding", "gzip"),
        ]
        return self.server.ask(method, target, body=body, headers=given, content_type="application/xml")

    def send(self, queue: str, body: str, priority: int = 0) -> live.Reply:
        message = f"<Message><MessageBody>{body}</MessageBody><Priority>{priority}</Priority></Message>"
        return self.ask("POST", f"/queues/{queue}/messages", message)


@pytest.fixture
def go(server: live.Server) -> Go:
    return Go(server)


@pytest.fixture
def queue(go: Go, name: str) -> str:
    body = (
        "<Queue><DelaySeconds>0</DelaySeconds><MaximumMessageSize>65536</MaximumMessageSize>"
        "<MessageRetentionPeriod>345600</MessageRetentionPeriod><VisibilityTimeout>30</VisibilityTimeout>"
        "<PollingWaitSeconds>0</PollingWaitSeconds><LoggingEnabled>false</LoggingEnabled></Queue>"
    )
    assert [go.ask("PUT", f"/queues/{name}", body).status for _ in range(2)] == [201, 204]
    return name


def test_a_content_md5_on_requests_without_a_body_is_no_obstacle(go, queue):
    replies = [
        go.ask("GET", f"/queues/{queue}"),
        go.ask("GET", "/queues", x_mns_prefix=queue),
        go.ask("GET", f"/queues/{queue}/messages?waitseconds=1"),
        go.ask("POST", "/commonbuy/openservice"),
        go.ask("DELETE", f"/queues/{queue}"),
    ]
    assert [reply.status for reply in replies] == [200, 200, 404, 200, 204]


def test_a_priority_of_zero_which_it_sends_for_none_is_the_default(go, queue):
    assert go.send(queue, "unset").status == 201
    assert go.ask("GET", f"/queues/{queue}/messages").fields["Priority"] == "8"


def test_zero_values_in_a_change_of_attributes_are_taken_as_said(go, queue):
    go.ask("PUT", f"/queues/{queue}?metaoverride=true", "<Queue><PollingWaitSeconds>10</PollingWaitSeconds></Queue>")
    change = (
        "<Queue><DelaySeconds>0</DelaySeconds><PollingWaitSeconds>0</PollingWaitSeconds>"
        "<LoggingEnabled>false</LoggingEnabled></Queue>"
    )
    assert go.ask("PUT", f"/queues/{queue}?metaoverride=true", change).status == 204
    attributes = go.ask("GET", f"/queues/{queue}").fields
    assert (attributes["PollingWaitSeconds"], attributes["LoggingEnabled"]) == ("0", "False")


def test_its_receipt_handles_are_percent_encoded_and_decoded_once(go, queue):
    go.send(queue, "x")
    handle = go.ask("GET", f"/queues/{queue}/messages").fields["ReceiptHandle"]
    escaped = parse.quote(handle, safe="").replace("-", "%2D").replace("_", "%5F")
    target = f"/queues/{queue}/messages?ReceiptHandle={escaped}&VisibilityTimeout=60"
    handle = go.ask("PUT", target).fields["ReceiptHandle"]
    every_byte = "".join(f"%{ord(letter):02X}" for letter in handle)
    assert go.ask("DELETE", f"/queues/{queue}/messages?ReceiptHandle={every_byte}").status == 204


def test_every_number_of_a_received_message_is_a_plain_number(go, queue):
    go.send(queue, "x", priority=1)
    fields = go.ask("GET", f"/queues/{queue}/messages").fields
    numbers = ["EnqueueTime", "NextVisibleTime", "FirstDequeueTime", "DequeueCount", "Priority"]
    assert all(fields[name].isdecimal() for name in numbers)
    assert {len(fields[name]) for name in numbers[:3]} == {13}  # milliseconds


def test_a_batch_of_xml_without_namespace_is_taken_and_its_failure_listed(go, queue):
    body = "<Messages>" + "<Message><MessageBody>x</MessageBody><Priority>{}</Priority></Message>" * 2 + "</Messages>"
    assert go.ask("POST", f"/queues/{queue}/messages", body.format(0, 16)).status == 201
    failed = go.ask("POST", f"/queues/{queue}/messages", body.format(0, 17))
    assert (failed.status, failed.root) == (500, f"{{{live.NAMESPACE}}}Messages")
    assert [entry.get("ErrorCode") for entry in failed.entries] == [None, "InvalidArgument"]


def test_a_batch_delete_in_a_body_is_taken(go, queue):
    go.send(queue, "x")
    handle = go.ask("GET", f"/queues/{queue}/messages").fields["ReceiptHandle"]
    body = f"<ReceiptHandles><ReceiptHandle>{handle}</ReceiptHandle></ReceiptHandles>"
    assert [go.ask("DELETE", f"/queues/{queue}/messages", body).status for _ in range(2)] == [204, 404]


def test_an_error_is_found_by_its_root_element(go):
    reply = go.ask("GET", "/queues/nope")
    assert (reply.status, reply.root.rpartition("}")[2], reply.code) == (404, "Error", "QueueNotExist")


def test_a_content_md5_of_another_body_is_refused(server, queue):
    reply = server.ask(
        "POST",
        f"/queues/{queue}/messages",
        body="<Message><MessageBody>x</MessageBody></Message>",
        headers=[("Content-MD5", EMPTY_MD5)],
        content_type="application/xml",
    )
    assert reply.outcome == (400, "InvalidDegist")
