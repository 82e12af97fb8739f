"""Operation logs: an event per message, where the account and the queue ask for it."""

import io
import json

import pytest

from chalicelib import telemetry
from tests.api import signing
from tests.api.signing import texts
from tests.broker.fakes import HERE

MESSAGE = "<Message><MessageBody>secret body</MessageBody></Message>"


@pytest.fixture
def logged(monkeypatch):
    """What is logged from now on, read once."""
    stream = io.StringIO()
    handler = telemetry.logger.registered_handler
    monkeypatch.setattr(handler, "stream", stream)
    level = telemetry.logger.log_level
    telemetry.logger.setLevel("INFO")

    def read() -> list[dict]:
        lines = [json.loads(line) for line in stream.getvalue().splitlines()]
        stream.truncate(0)
        stream.seek(0)
        assert "secret" not in str(lines)
        return [line for line in lines if line["message"] == "operation"]

    yield read
    telemetry.logger.setLevel(level)


def logging(call, *, account: bool = True, queue: bool = True) -> None:
    bucket = "my-project" if account else ""
    call("PUT", "/?accountmeta=true", body=f"<Account><LoggingBucket>{bucket}</LoggingBucket></Account>")
    call("PUT", "/queues/demo", body=f"<Queue><LoggingEnabled>{queue}</LoggingEnabled></Queue>")


def brief(lines: list[dict]) -> list[tuple]:
    return [(line["Action"], line["MessageId"]) for line in lines]


def test_the_life_of_a_message_is_logged_step_by_step(call, logged, clock):
    logging(call)
    sent = call("POST", "/queues/demo/messages", body=MESSAGE)
    message_id = texts(sent)["MessageId"]
    [line] = logged()
    common = {
        "QueueName": "demo",
        "AccountId": signing.ACCOUNT,
        "RemoteAddress": "",
        "Project": "my-project",
        "LogStore": "",
        "Time": clock.now(),
        "ProcessTime": 0,
        "MessageId": message_id,
    }
    told = {key: line[key] for key in line if key[0].isupper()}
    assert told == common | {
        "Action": "SendMessage",
        "RequestId": sent.headers["x-mns-request-id"],
        "NextVisibleTime": clock.now(),
    }
    call("GET", "/queues/demo/messages?peekonly=true")
    received = texts(call("GET", "/queues/demo/messages"))
    first = received["ReceiptHandle"]
    postponed = texts(call("PUT", f"/queues/demo/messages?receiptHandle={first}&visibilityTimeout=60"))
    second = postponed["ReceiptHandle"]
    call("DELETE", f"/queues/demo/messages?ReceiptHandle={second}")
    lines = logged()
    assert brief(lines) == [
        (action, message_id) for action in ("PeekMessage", "ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage")
    ]
    handles = [(line.get("ReceiptHandleInRequest"), line.get("ReceiptHandleInResponse")) for line in lines]
    assert handles == [(None, None), (None, first), (first, second), (second, None)]
    assert [line.get("NextVisibleTime") for line in lines] == [
        None,
        int(received["NextVisibleTime"]),
        int(postponed["NextVisibleTime"]),
        None,
    ]


def test_of_a_batch_each_message_is_logged_that_it_succeeded_with(call, logged):
    logging(call)
    batch = f"<Messages>{MESSAGE}{MESSAGE}</Messages>"
    assert call("POST", "/queues/demo/messages", body=batch).status == 201
    assert [line["Action"] for line in logged()] == ["BatchSendMessage"] * 2
    one = texts(call("GET", "/queues/demo/messages?numOfMessages=1"))
    call("GET", "/queues/demo/messages?numOfMessages=2&peekonly=true")
    stale = one["ReceiptHandle"][:-4] + "AAAA"
    handles = f"<ReceiptHandle>{one['ReceiptHandle']}</ReceiptHandle><ReceiptHandle>{stale}</ReceiptHandle>"
    assert call("DELETE", "/queues/demo/messages", body=f"<ReceiptHandles>{handles}</ReceiptHandles>").status == 404
    lines = logged()
    assert [line["Action"] for line in lines] == ["BatchReceiveMessage", "BatchPeekMessage", "BatchDeleteMessage"]
    assert lines[0]["MessageId"] == lines[2]["MessageId"] == one["MessageId"]


@pytest.mark.parametrize(("account", "queue"), [(False, True), (True, False)])
def test_nothing_is_logged_unless_both_ask_for_it(call, logged, account, queue):
    logging(call, account=account, queue=queue)
    call("POST", "/queues/demo/messages", body=MESSAGE)
    assert logged() == []


def test_what_fails_is_not_logged_and_an_empty_receive_has_nothing_to_log(call, logged):
    logging(call)
    assert call("GET", "/queues/demo/messages").status == 404
    assert call("DELETE", "/queues/demo/messages?ReceiptHandle=x").status == 400
    assert call("POST", "/queues/missing/messages", body=MESSAGE).status == 404
    assert logged() == []


def test_what_became_of_a_notification_is_logged_with_its_subscription(call, logged, application):
    logging(call)
    call("PUT", "/topics/news", body="<Topic><LoggingEnabled>True</LoggingEnabled></Topic>")
    for name, queue in (("to-demo", "demo"), ("to-none", "missing")):
        where = f"acs:mns:cn-hangzhou:{signing.ACCOUNT}:queues/{queue}"
        call(
            "PUT",
            f"/topics/news/subscriptions/{name}",
            body=f"<Subscription><Endpoint>{where}</Endpoint></Subscription>",
        )
    message_id = texts(call("POST", "/topics/news/messages", body=MESSAGE))["MessageId"]
    [published] = logged()
    topic = application.verbs.topics.get(HERE, "news")
    key = (topic.topic_id, 0, message_id)
    application.fan_out.run([application.verbs.publications._store.get_all([key])[key]])
    lines = logged()
    assert {(line["SubscriptionName"], line["NotifyStatus"]) for line in lines} == {
        ("to-demo", "200"),
        ("to-none", "InvalidHost"),
    }
    assert {(line["Action"], line["MessageId"], line["TopicName"]) for line in lines} == {
        ("Notify", message_id, "news")
    }
    assert published["Action"] == "PublishMessage"


def test_a_publication_is_logged_with_its_topic(call, logged):
    logging(call)
    call("PUT", "/topics/news", body="<Topic><LoggingEnabled>True</LoggingEnabled></Topic>")
    call("PUT", "/topics/quiet", body="<Topic/>")
    published = call("POST", "/topics/news/messages", body=MESSAGE)
    call("POST", "/topics/quiet/messages", body=MESSAGE)
    [line] = logged()
    assert (line["Action"], line["TopicName"], line["MessageId"]) == (
        "PublishMessage",
        "news",
        texts(published)["MessageId"],
    )
