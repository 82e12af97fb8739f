"""The functions that schedules and streams trigger, on events as Lambda sends them."""

import pytest

from chalicelib.api import workers
from chalicelib.model import account, limits, queue
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

    slow = type(application.purge)(messages=Slow(), tallies=application.purge._tallies, clock=clock)
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
