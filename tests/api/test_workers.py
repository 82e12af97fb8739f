"""The functions that schedules and streams trigger, on events as Lambda sends them."""

import dataclasses

import pytest

from chalicelib import bootstrap
from chalicelib.api import workers
from chalicelib.model import account, certificate, limits, queue
from chalicelib.wire import http
from tests.api import signing
from tests.api.signing import code, texts
from tests.conftest import NOW

HERE = account.Namespace(account_id=signing.ACCOUNT, region="cn-hangzhou")


def records(engine, table: str) -> list[dict]:
    """All records of a table's stream so far."""
    arn = engine.describe_table(TableName=table)["Table"]["LatestStreamArn"]
    shard = engine.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"][0]["ShardId"]
    iterator = engine.get_shard_iterator(StreamArn=arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    return engine.get_records(ShardIterator=iterator["ShardIterator"], Limit=1000)["Records"]


def schedule(**detail) -> dict:
    return {
        "version": "0",
        "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2024-01-02T03:04:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:events:eu-central-1:123456789012:rule/release"],
        "detail": detail,
    }


def counts(call) -> list[str]:
    found = texts(call("GET", "/queues/demo"))
    return [found[name] for name in ("ActiveMessages", "InactiveMessages", "DelayMessages")]


@pytest.fixture
def demo(call) -> None:
    call("PUT", "/queues/demo", body="<Queue/>")


def send(call, count: int, delay: int = 0) -> None:
    body = f"<Message><MessageBody>x</MessageBody><DelaySeconds>{delay}</DelaySeconds></Message>"
    for _ in range(count):
        assert call("POST", "/queues/demo/messages", body=body).status == 201


def test_counts_follow_the_stream_and_a_replayed_batch_counts_once(call, demo, engine, prefix, clock):
    send(call, 3)
    send(call, 2, delay=60)
    handle = texts(call("GET", "/queues/demo/messages"))["ReceiptHandle"]
    tally = {"Records": records(engine, prefix + "messages")}
    assert counts(call) == ["0", "0", "0"]
    assert workers.tally(tally, None) == {"batchItemFailures": []}
    assert counts(call) == ["2", "1", "2"]
    workers.tally(tally, None)
    assert counts(call) == ["2", "1", "2"]
    call("DELETE", f"/queues/demo/messages?ReceiptHandle={handle}")
    clock.advance(60)
    workers.release(schedule(seconds=0), None)
    workers.tally({"Records": records(engine, prefix + "messages")}, None)
    assert counts(call) == ["4", "0", "0"]


def test_a_release_covers_all_queues_and_tells_what_is_due_next(application, call, demo, clock):
    send(call, 1, delay=5)
    send(call, 1, delay=500)
    clock.advance(5)
    partition = application.verbs.queues.find(HERE, "demo").partitions[0]
    assert workers.release(schedule(seconds=0), None) == {"due": [(NOW + 500_000, partition)]}


def test_a_scheduled_release_stays_for_what_comes_due_in_its_minute(call, demo, clock):
    send(call, 1, delay=20)
    send(call, 1, delay=40)
    workers.release(schedule(), None)
    assert clock.now() == NOW + 40_000


def test_a_release_with_nothing_due_in_its_minute_ends_at_once(call, demo, clock):
    send(call, 1, delay=600)
    workers.release(schedule(), None)
    assert clock.now() == NOW


def test_a_deleted_queue_is_purged_and_its_namesake_starts_empty(call, demo, engine, prefix):
    send(call, 120)
    call("DELETE", "/queues/demo")
    call("PUT", "/queues/demo", body="<Queue/>")
    assert code(call("GET", "/queues/demo/messages")) == "MessageNotExist"
    assert workers.purge({"Records": records(engine, prefix + "resources")}, None) == {"batchItemFailures": []}
    changes = records(engine, prefix + "messages")
    assert [record["eventName"] for record in changes] == ["INSERT"] * 120 + ["REMOVE"] * 120


def test_a_purge_that_runs_out_of_time_asks_for_the_record_again(application, call, demo, engine, prefix, clock):
    send(call, 1)
    call("DELETE", "/queues/demo")
    found = records(engine, prefix + "resources")

    class Slow:
        def purge(self, partition: str) -> bool:
            clock.advance(limits.PURGE_SECONDS)
            return True

    slow = type(application.purge)(
        messages=Slow(), subscriptions=None, tallies=application.purge._tallies, sealing=None, clock=clock
    )
    deleted = [item for _, item in application.read_deletions(found)]
    assert [type(item) for item in deleted] == [queue.Queue]
    assert slow.run(deleted[0]) is False
    assert application.purge.run(deleted[0]) is True


def test_other_changes_of_resources_purge_nothing(call, demo, engine, prefix):
    send(call, 1)
    call("PUT", "/queues/demo?metaoverride=true", body="<Queue><DelaySeconds>1</DelaySeconds></Queue>")
    call("PUT", "/?accountmeta=true", body="<Account><LoggingBucket>b</LoggingBucket></Account>")
    workers.purge({"Records": records(engine, prefix + "resources")}, None)
    assert call("GET", "/queues/demo/messages").status == 200


def publish(call, body: str = "x") -> None:
    answer = call("POST", "/topics/news/messages", body=f"<Message><MessageBody>{body}</MessageBody></Message>")
    assert answer.status == 201


def subscribe(call, name: str, endpoint: str) -> None:
    body = f"<Subscription><Endpoint>{endpoint}</Endpoint></Subscription>"
    assert call("PUT", f"/topics/news/subscriptions/{name}", body=body).status == 201


@pytest.fixture
def news(call) -> None:
    call("PUT", "/topics/news", body="<Topic/>")


def test_what_is_published_is_in_the_queue_when_the_stream_has_told_of_it_and_only_once(
    call, demo, news, engine, prefix
):
    subscribe(call, "sub", f"acs:mns:cn-hangzhou:{signing.ACCOUNT}:queues/demo")
    publish(call)
    publications = {"Records": records(engine, prefix + "publications")}
    for _ in range(2):
        assert workers.fan_out(publications, None) == {"batchItemFailures": []}
    received = call("GET", "/queues/demo/messages?numOfMessages=16")
    assert received.body.count(b"<MessageId>") == 1
    assert b"&lt;Notification xmlns=" in received.body
    assert texts(call("GET", "/topics/news"))["MessageCount"] == "1"


def test_a_push_that_fails_is_made_again_when_it_is_due(application, call, news, engine, prefix, clock):
    subscribe(call, "sub", "http://127.0.0.1:1/")  # which pushes may not reach unless settings allow it
    publish(call)
    workers.fan_out({"Records": records(engine, prefix + "publications")}, None)
    assert workers.deliver({"Records": records(engine, prefix + "deliveries")}, None) == {"batchItemFailures": []}
    [pending] = application.log.read(limit=10)
    assert [(item.started_at, item.status) for item in pending.attempts] == [(NOW, "InvalidHost")]
    assert workers.redeliver(schedule(seconds=0), None) == {"next_due": pending.due_at}
    clock.advance(20)
    workers.redeliver(schedule(seconds=0), None)
    application.deliver.wait(5)
    [pending] = application.log.read(limit=10)
    assert [item.started_at for item in pending.attempts] == [NOW, NOW + 20_000]


def test_a_record_that_could_not_be_brought_is_asked_for_again(application, call, news, engine, prefix):
    for body in ("a", "b"):
        publish(call, body)
    told = records(engine, prefix + "publications")

    class Full:
        load = application.fan_out.load

        def run(self, new: list) -> frozenset[str]:
            return frozenset({new[1].message_id})

    bootstrap.install(dataclasses.replace(application, fan_out=Full()))
    assert workers.fan_out({"Records": told}, None) == {
        "batchItemFailures": [{"itemIdentifier": told[1]["dynamodb"]["SequenceNumber"]}]
    }


def test_a_deleted_topic_is_purged(call, news, engine, prefix):
    subscribe(call, "sub", "http://example.test/")
    call("DELETE", "/topics/news")
    workers.purge({"Records": records(engine, prefix + "resources")}, None)
    names = [
        (record["eventName"], record["dynamodb"]["Keys"]["sk"]["S"][:2])
        for record in records(engine, prefix + "resources")
    ]
    assert names[-1] == ("REMOVE", "S#")


def test_the_certificate_is_served_to_everybody_once_there_is_one(application):
    asked = http.Request(method="GET", path="/x509_public_certificate.pem")
    assert application.door.run(asked).status == 400
    application.verbs.identities.set_certificate(certificate.Certificate(key_pem="key", certificate_pem="public"))
    answer = application.door.run(asked)
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (200, "application/x-pem-file", b"public")
