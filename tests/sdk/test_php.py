"""The requests of the PHP SDK 1 as bytes, and the answers as its parser needs them (section 14).

It sends `text/xml` on every request and no Content-MD5, names its namespace with a trailing slash, form-encodes receipt
handles, lets its HTTP library send `Expect: 100-continue`, and compares statuses exactly.
"""

from urllib import parse

import pytest

from tests import live

NS = "http://mns.aliyuncs.com/doc/v1/"
DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Php:
    """Asks as the SDK does."""

    def __init__(self, server: live.Server) -> None:
        self.server = server

    def ask(self, method: str, target: str, body: str = "", **headers: str) -> live.Reply:
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        given.append(("User-Agent", "aliyun-sdk-php/1.3.5"))
        return self.server.ask(
            method, target, body=DECLARATION + body if body else "", headers=given, content_type="text/xml"
        )


@pytest.fixture
def php(server: live.Server) -> Php:
    return Php(server)


@pytest.fixture
def queue(php: Php, name: str) -> str:
    php.ask("PUT", f"/queues/{name}", f'<Queue xmlns="{NS}"></Queue>')
    return name


def handles(*given: str) -> str:
    entries = "".join(f"<ReceiptHandle>{handle}</ReceiptHandle>" for handle in given)
    return f'<ReceiptHandles xmlns="{NS}">{entries}</ReceiptHandles>'


def message(body: str) -> str:
    return f'<Message xmlns="{NS}"><MessageBody>{body}</MessageBody></Message>'


def test_the_statuses_of_a_whole_life_are_exactly_those_it_compares_with(php, name):
    messages = f"/queues/{name}/messages"
    create = [php.ask("PUT", f"/queues/{name}", f'<Queue xmlns="{NS}"></Queue>') for _ in range(2)]
    change = php.ask("PUT", f"/queues/{name}?metaoverride=true", f'<Queue xmlns="{NS}"></Queue>')
    send = php.ask("POST", messages, message("YQ=="))
    send_batch = php.ask("POST", messages, f'<Messages xmlns="{NS}">{message("Yg==")}{message("Yw==")}</Messages>')
    peek = php.ask("GET", f"{messages}?peekonly=true")
    receive = php.ask("GET", f"{messages}?waitseconds=1")
    handle = parse.urlencode({"ReceiptHandle": receive.fields["ReceiptHandle"]})
    visibility = php.ask("PUT", f"{messages}?{handle}&VisibilityTimeout=60")
    handle = parse.urlencode({"ReceiptHandle": visibility.fields["ReceiptHandle"]})
    delete = php.ask("DELETE", f"{messages}?{handle}")
    got = php.ask("GET", f"{messages}?numOfMessages=16")
    delete_batch = php.ask("DELETE", messages, handles(*(entry["ReceiptHandle"] for entry in got.entries)))
    delete_queue = php.ask("DELETE", f"/queues/{name}")
    replies = [*create, change, send, send_batch, peek, receive, visibility, delete, got, delete_batch, delete_queue]
    assert [reply.status for reply in replies] == [201, 204, 204, 201, 201, 200, 200, 200, 204, 200, 204, 204]


def test_a_queue_url_has_five_parts_between_its_slashes(php, queue):
    [entry] = php.ask("GET", "/queues", x_mns_prefix=queue).entries
    assert entry["QueueURL"].split("/")[2:] == [php.server.host, "queues", queue]
    assert len(entry["QueueURL"].split("/")) == 5


def test_the_last_page_has_no_next_marker_since_its_presence_means_more(php, queue):
    first = php.ask("GET", "/queues", x_mns_ret_number="1")
    last = php.ask("GET", "/queues", x_mns_prefix=queue, x_mns_ret_number="1")
    assert ("NextMarker" in last.fields, b"<NextMarker/>" in first.body + last.body) == (False, False)


def test_logging_enabled_is_the_literal_true_or_false(php, name):
    body = f'<Queue xmlns="{NS}"><LoggingEnabled>True</LoggingEnabled></Queue>'
    assert php.ask("PUT", f"/queues/{name}", body).status == 201
    assert php.ask("GET", f"/queues/{name}").fields["LoggingEnabled"] == "True"


def test_the_first_element_of_a_refusal_is_error_and_of_a_batch_it_is_the_batch(php, queue):
    refused = php.ask("GET", f"/queues/{queue}/messages?peekonly=true")
    failed = php.ask("DELETE", f"/queues/{queue}/messages", handles("x"))
    roots = [reply.root.rpartition("}")[2] for reply in (refused, failed)]
    assert (roots, refused.status, failed.status) == (["Error", "Errors"], 404, 404)


def test_a_body_that_waits_for_100_continue_is_asked_for(php, queue):
    body = message("YQ==").encode()
    sent = live.request(
        "POST",
        f"/queues/{queue}/messages",
        host=php.server.host,
        body=body,
        headers=[("Expect", "100-continue")],
        content_type="text/xml",
    )
    head, _, content = sent.partition(b"\r\n\r\n")
    with php.server.connect() as connection:
        connection.send(head + b"\r\n\r\n")
        go_ahead = connection.read()
        connection.send(content)
        assert (go_ahead.status, connection.read().status) == (100, 201)


def test_setting_account_attributes_answers_204(php):
    body = f'<Account xmlns="{NS}"><LoggingBucket>from-php</LoggingBucket></Account>'
    assert php.ask("PUT", "/?accountmeta=true", body).status == 204
