"""What MNS-open sets up besides plain queues, by Alibaba's own SDK: encryption, rate limits, event rules."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import boto3
import pytest
from alibabacloud_mns_open20220119 import client as mns_open
from alibabacloud_mns_open20220119 import models
from alibabacloud_tea_openapi import models as openapi
from darabonba.exceptions import DaraException
from mns.account import Account
from mns.mns_exception import MNSExceptionBase
from mns.queue import Message, QueueMeta
from mns.subscription import SubscriptionMeta
from mns.topic import DirectMailInfo, TopicMessage

from tests import live


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("policies")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[live.Server]:
    """A server that keeps its state in a file, with an object store beside it."""
    with live.serving(folder, "--port", "0", "--data", "state", "--s3-port", "0") as running:
        yield running
        assert live.stopped_cleanly(running) == (0, "")


@pytest.fixture(scope="module")
def control(server: live.Server) -> mns_open.Client:
    return mns_open.Client(
        openapi.Config(
            access_key_id=live.OWNER.access_key_id,
            access_key_secret=live.OWNER.secret,
            endpoint=server.host,
            protocol="http",
        )
    )


@pytest.fixture
def account(server: live.Server) -> Iterator[Account]:
    made = Account(server.endpoint, live.OWNER.access_key_id, live.OWNER.secret)
    yield made
    made.mns_client.close_connection()


@pytest.fixture
def queue(control: mns_open.Client) -> str:
    name = live.unique()
    control.create_queue(models.CreateQueueRequest(queue_name=name))
    return name


def rule(name: str, **changes) -> models.CreateEventRuleRequest:
    values = {
        "product_name": "oss",
        "rule_name": name,
        "event_types": ["ObjectCreated:*", "ObjectRemoved:DeleteObject"],
        "match_rules": [[models.EventMatchRule(match_state=True, prefix="photos/", suffix=".jpg")]],
    }
    return models.CreateEventRuleRequest(**(values | changes))


def to_queue(name: str) -> models.CreateEventRuleRequestEndpoint:
    return models.CreateEventRuleRequestEndpoint(endpoint_type="queue", endpoint_value=name)


def to_topic(name: str) -> models.CreateEventRuleRequestEndpoint:
    return models.CreateEventRuleRequestEndpoint(endpoint_type="topic", endpoint_value=name)


def text(received) -> str:
    """The body of a message; the SDK gives bytes where it has decoded base64."""
    body = received.message_body
    return body.decode() if isinstance(body, bytes) else body


def drain(queue) -> list[str]:
    """The bodies of what is in a queue, deleted."""
    bodies = []
    while True:
        try:
            received = queue.batch_receive_message(16)
        except MNSExceptionBase as error:
            assert error.type == "MessageNotExist"  # noqa: PT017  # anything else is a failure
            return bodies
        bodies += [text(item) for item in received]
        queue.batch_delete_message([item.receipt_handle for item in received])


# --- Event rules ------------------------------------------------------------------------------------------------------


@pytest.fixture
def bucket(server: live.Server):
    """An S3 client of the object store, its bucket `photos` there."""
    [line] = [line for line in server.banner.splitlines() if "S3 endpoint" in line]
    client = boto3.client(
        "s3",
        endpoint_url=line.split()[-1],
        region_name="us-east-1",
        aws_access_key_id="anybody",
        aws_secret_access_key="anything",
    )
    client.create_bucket(Bucket="photos")
    return client


@pytest.fixture
def rules(control: mns_open.Client) -> Iterator[None]:
    """The rules of one test, deleted after it: there are ten at most."""
    yield
    listed = control.list_event_rules(models.ListEventRulesRequest(page_size=50)).body.data
    for found in listed.page_data:
        control.delete_event_rule(models.DeleteEventRuleRequest(product_name="oss", rule_name=found.rule_name))


def events(bodies: list[str]) -> list[tuple[str, str, int]]:
    found = [json.loads(body)["events"][0] for body in bodies]
    return [(event["eventName"], event["oss"]["object"]["key"], event["oss"]["object"]["size"]) for event in found]


def test_what_happens_to_objects_reaches_the_queue_and_the_topic_of_their_rules(control, account, queue, bucket, rules):
    behind = live.unique()
    account.get_queue(behind).create(_meta())
    topic = live.unique("t")
    control.create_topic(models.CreateTopicRequest(topic_name=topic))
    _subscribe(account, topic, behind)
    made = control.create_event_rule(rule("to-queue", endpoint=to_queue(queue))).body
    assert (made.code, made.success, made.data) == (200, True, "to-queue")
    control.create_event_rule(rule("to-topic", endpoint=to_topic(topic), event_types=["ObjectRemoved:*"]))

    bucket.put_object(Bucket="photos", Key="2024/消息 1.jpg", Body=b"abc")
    bucket.put_object(Bucket="photos", Key="notes.txt", Body=b"no picture")
    bucket.copy_object(Bucket="photos", Key="copy.jpg", CopySource={"Bucket": "photos", "Key": "2024/消息 1.jpg"})
    upload = bucket.create_multipart_upload(Bucket="photos", Key="big.jpg")["UploadId"]
    part = bucket.upload_part(Bucket="photos", Key="big.jpg", UploadId=upload, PartNumber=1, Body=b"x" * 100)
    parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    bucket.complete_multipart_upload(Bucket="photos", Key="big.jpg", UploadId=upload, MultipartUpload=parts)
    bucket.delete_object(Bucket="photos", Key="copy.jpg")

    assert events(drain(account.get_queue(queue))) == [
        ("ObjectCreated:PutObject", "2024/消息 1.jpg", 3),
        ("ObjectCreated:CopyObject", "copy.jpg", 3),
        ("ObjectCreated:CompleteMultipartUpload", "big.jpg", 100),
        ("ObjectRemoved:DeleteObject", "copy.jpg", 3),
    ]
    received = account.get_queue(behind).receive_message(wait_seconds=10)
    assert events([text(received)]) == [("ObjectRemoved:DeleteObject", "copy.jpg", 3)]


def _meta(**attributes):
    made = QueueMeta()
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def _subscribe(account: Account, topic: str, queue: str) -> None:
    endpoint = f"acs:mns:cn-hangzhou:{live.OWNER.account_id}:queues/{queue}"
    account.get_subscription(topic, "sub").subscribe(SubscriptionMeta(endpoint, notify_content_format="SIMPLIFIED"))


def test_the_first_mail_that_goes_out_leaves_the_objects_where_they_are(control, account, bucket, server):
    """Mails, and objects, are moto's: of which there is one in the process."""
    bucket.put_object(Bucket="photos", Key="kept", Body=b"abc")
    topic = live.unique("t")
    control.create_topic(models.CreateTopicRequest(topic_name=topic))
    to = SubscriptionMeta("mail:directmail:user@example.test", notify_content_format="SIMPLIFIED")
    account.get_subscription(topic, "sub").subscribe(to)
    message = DirectMailInfo("ci@example.test", "News", "0", "0", "0")
    account.get_topic(topic).publish_message(TopicMessage("hello", direct_mail=message))
    live.eventually(lambda: mails(server) == ["user@example.test"])
    assert bucket.get_object(Bucket="photos", Key="kept")["Body"].read() == b"abc"


def mails(server: live.Server) -> list[str]:
    """To whom mails went out."""
    with server.connect() as connection:
        connection.send(live.raw("GET", "/_local/outbox", [("Host", server.host)]))
        return [mail["to"] for mail in json.loads(connection.read().body)["mails"]]


def test_whatever_tells_of_its_objects_as_s3_does_can_raise_events(control, account, server, queue, rules):
    control.create_event_rule(rule("a-rule", endpoint=to_queue(queue)))
    stored = {"key": "a+b.jpg", "size": 3, "eTag": "abc", "sequencer": "1"}
    record = {
        "eventName": "s3:ObjectCreated:Put",
        "eventTime": "2024-01-02T03:04:05.678Z",
        "s3": {"bucket": {"name": "photos"}, "object": stored},
    }

    def tell(document: object) -> tuple[int, dict]:
        with server.connect() as connection:
            headers = [("Host", server.host), ("Content-Type", "application/json")]
            connection.send(live.raw("POST", "/_local/object-events", headers, json.dumps(document).encode()))
            reply = connection.read()
            return reply.status, json.loads(reply.body)

    assert [tell({"Records": [record]}) for _ in range(2)] == [(200, {"events": 1, "messages": 1})] * 2
    assert events(drain(account.get_queue(queue))) == [("ObjectCreated:PutObject", "a b.jpg", 3)]
    status, answer = tell({"Records": [{}]})
    assert (status, answer["error"].partition(":")[0]) == (400, "The event of S3 has another form than expected")


def test_a_rule_is_told_as_it_was_made(control, account, queue, rules):
    topic = live.unique("t")
    control.create_topic(models.CreateTopicRequest(topic_name=topic))
    account.get_queue("behind").create(_meta())
    _subscribe(account, topic, "behind")
    matches = [
        [models.EventMatchRule(match_state=True, name="photos/a.jpg")],
        [models.EventMatchRule(prefix="logs/"), models.EventMatchRule(match_state=False, suffix=".tmp")],
    ]
    control.create_event_rule(rule("a-rule", endpoint=to_queue(queue), match_rules=matches))
    control.create_event_rule(rule("b-rule", endpoint=to_topic(topic)))
    found = control.get_event_rule(models.GetEventRuleRequest(product_name="oss", rule_name="a-rule")).body.data
    assert found.to_map() == {
        "RuleName": "a-rule",
        "EventTypes": ["ObjectCreated:*", "ObjectRemoved:DeleteObject"],
        "MatchRules": [
            [{"MatchState": True, "Name": "photos/a.jpg"}],
            [{"MatchState": True, "Prefix": "logs/"}, {"MatchState": False, "Suffix": ".tmp"}],
        ],
        "Endpoint": {"EndpointType": "queue", "EndpointValue": queue},
        "DeliveryMode": "DIRECT",
        "Subscriptions": [{"EndpointType": "queue", "EndpointValue": queue}],
    }
    found = control.get_event_rule(models.GetEventRuleRequest(product_name="oss", rule_name="b-rule")).body.data
    assert (found.topic_name, found.delivery_mode) == (topic, "BROADCAST")
    assert [item.to_map() for item in found.subscriptions] == [{"EndpointType": "queue", "EndpointValue": "behind"}]


def test_rules_are_listed_by_what_is_asked_for(control, queue, rules):
    for name, bucket_name in (("a-rule", "photos"), ("b-rule", "logs"), ("ab-rule", "photos")):
        match = [[models.EventMatchRule(prefix=f"{bucket_name}/")]]
        control.create_event_rule(rule(name, endpoint=to_queue(queue), match_rules=match))

    def listed(**asked) -> list[str]:
        page = control.list_event_rules(models.ListEventRulesRequest(**asked)).body.data
        assert (page.page_num, page.page_size, page.size, page.total) == (1, 10, len(page.page_data), page.size)
        return [item.rule_name for item in page.page_data]

    assert listed() == ["a-rule", "ab-rule", "b-rule"]
    assert listed(rule_name="b-rule") == ["ab-rule", "b-rule"]
    assert listed(resource_name="photos") == ["a-rule", "ab-rule"]
    assert listed(topic_name="nowhere") == []
    wanted = models.ListEventRulesRequestSubscription(endpoint_type="queue", endpoint_value=queue)
    assert listed(subscription=wanted, product_name="oss") == ["a-rule", "ab-rule", "b-rule"]


def test_a_rule_is_made_once_and_deleted_once(control, queue, rules):
    for _ in range(2):
        assert control.create_event_rule(rule("a-rule", endpoint=to_queue(queue))).body.data == "a-rule"
    with pytest.raises(DaraException) as refused:
        control.create_event_rule(rule("a-rule", endpoint=to_queue(queue), event_types=["ObjectRemoved:*"]))
    assert refused.value.code == "EventRuleAlreadyExist"
    for _ in range(2):
        request = models.DeleteEventRuleRequest(product_name="oss", rule_name="a-rule")
        assert control.delete_event_rule(request).body.success
    for name in ("a-rule", "a" * 3_000):
        with pytest.raises(DaraException) as refused:
            control.get_event_rule(models.GetEventRuleRequest(product_name="oss", rule_name=name))
        assert refused.value.code == "EventRuleNotExist"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"endpoint": None}, "MissingEndpoint"),
        ({"rule_name": None}, "MissingRuleName"),
        ({"event_types": None}, "MissingEventTypes"),
        ({"match_rules": None}, "MissingMatchRules"),
        ({"product_name": "ecs"}, "InvalidParameter"),
        ({"event_types": ["ObjectEaten"]}, "InvalidParameter"),
        ({"match_rules": [[models.EventMatchRule()]]}, "InvalidParameter"),
        ({"endpoint": models.CreateEventRuleRequestEndpoint(endpoint_type="http")}, "InvalidParameter"),
        ({"endpoint": to_queue("nowhere")}, "QueueNotExist"),
        ({"endpoint": to_topic("nowhere")}, "TopicNotExist"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(control, queue, rules, changes, code):
    with pytest.raises(DaraException) as refused:
        control.create_event_rule(rule("a-rule", **({"endpoint": to_queue(queue)} | changes)))
    assert refused.value.code == code


# --- Rate limits ------------------------------------------------------------------------------------------------------


def test_a_long_poll_of_a_capped_queue_waits_for_a_token(control, account):
    name = live.unique()
    policy = models.CreateQueueRequestTenantRateLimitPolicy(enabled=True, max_receives_per_second=2)
    control.create_queue(models.CreateQueueRequest(queue_name=name, tenant_rate_limit_policy=policy))
    queue = account.get_queue(name)
    for number in range(5):
        queue.send_message(Message(str(number)))
    began = time.monotonic()
    assert [text(item) for item in queue.batch_receive_message(16)] == ["0", "1"]
    with pytest.raises(MNSExceptionBase) as nothing:
        queue.receive_message()
    assert nothing.value.type == "MessageNotExist"
    got = [(text(queue.receive_message(wait_seconds=5)), time.monotonic() - began) for _ in range(3)]
    assert [body for body, _ in got] == ["2", "3", "4"]
    for (_, moment), earliest in zip(got, (0.5, 1.0, 1.5), strict=True):
        assert earliest - 0.01 <= moment < earliest + 1.5
    shown = control.get_queue_attributes(models.GetQueueAttributesRequest(queue_name=name)).body.data
    assert shown.tenant_rate_limit_policy.to_map() == {"Enabled": True, "MaxReceivesPerSecond": 2}


def test_those_who_wait_at_a_capped_queue_get_its_messages_one_after_the_other(control, server):
    name = live.unique()
    policy = models.CreateQueueRequestTenantRateLimitPolicy(enabled=True, max_receives_per_second=2)
    control.create_queue(models.CreateQueueRequest(queue_name=name, tenant_rate_limit_policy=policy))

    def wait(_: int) -> tuple[int, float]:
        reply = server.ask("GET", f"/queues/{name}/messages?waitseconds=20")
        return reply.status, time.monotonic()

    with futures.ThreadPoolExecutor(6) as pool:
        waiting = pool.map(wait, range(6))
        time.sleep(0.5)  # until they wait
        began = time.monotonic()
        for _ in range(6):
            server.ask("POST", f"/queues/{name}/messages", body="<Message><MessageBody>x</MessageBody></Message>")
        answers = sorted(moment - began for status, moment in waiting if status == 200)
    assert len(answers) == 6
    assert answers[5] >= 1.9  # two at once, then two a second


# --- Encryption -------------------------------------------------------------------------------------------------------


def everything(folder: Path) -> bytes:
    """All that the server has written to its files."""
    return b"".join(path.read_bytes() for path in sorted((folder / "state").iterdir()) if path.is_file())


def test_no_plain_text_of_an_encrypted_queue_or_topic_is_in_the_files(control, account, folder):
    name, behind, topic = live.unique(), live.unique(), live.unique("t")
    for each in (name, behind):
        control.create_queue(models.CreateQueueRequest(queue_name=each, enable_sse=True))
    control.create_topic(models.CreateTopicRequest(topic_name=topic, enable_sse=True))
    _subscribe(account, topic, behind)
    secrets = [f"geheim-{live.unique()}-{number}" for number in range(4)]
    queue = account.get_queue(name)
    queue.set_encoding(False)
    queue.send_message(Message(secrets[0]))
    queue.send_message(Message(secrets[1] + "x" * 60_000))
    account.get_topic(topic).publish_message(TopicMessage(secrets[2]))
    found = account.get_queue(behind)
    found.set_encoding(False)
    received = found.receive_message(wait_seconds=10)
    assert text(received) == secrets[2]
    plain = account.get_queue(live.unique())
    plain.create(_meta())
    plain.set_encoding(False)
    plain.send_message(Message(secrets[3]))
    written = everything(folder)
    assert secrets[3].encode() in written
    for secret in secrets[:3]:
        assert secret.encode() not in written
        assert base64.b64encode(secret.encode()) not in written
    assert [body[: len(secrets[0])] for body in drain(queue)] == secrets[:2]


def test_messages_stay_readable_whatever_the_queue_does_next(control, account):
    name = live.unique()
    control.create_queue(models.CreateQueueRequest(queue_name=name))
    queue = account.get_queue(name)
    settings = [
        {"enable_sse": True},
        {"enable_sse": False},
        {"enable_sse": True, "sse_type": "KMS", "kms_key_id": "k1"},
    ]
    queue.send_message(Message("0"))
    for number, change in enumerate(settings, 1):
        control.set_queue_attributes(models.SetQueueAttributesRequest(queue_name=name, **change))
        queue.send_message(Message(str(number)))
    assert drain(queue) == ["0", "1", "2", "3"]
