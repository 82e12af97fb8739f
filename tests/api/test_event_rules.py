"""Events of objects, from S3's notification to the consumer of a queue or a topic."""

import base64
import dataclasses
import json

import pytest

from chalicelib import bootstrap, settings
from chalicelib.api import workers
from chalicelib.model import account, errors, event_rule, queue, resource, topic
from infra.local import vault

HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
ELSEWHERE = account.Namespace(account_id="6543210987654321", region="cn-hangzhou")


@pytest.fixture
def made(engine, prefix, clock):
    told = settings.Settings(
        table_prefix=prefix, bucket_owners=f"photos={HERE.account_id},logs={ELSEWHERE.account_id}", longest_wait=0
    )
    made = bootstrap.build(told, engine=engine, clock=clock, vault=vault.in_memory())
    bootstrap.install(made)
    for where in (HERE, ELSEWHERE):
        made.verbs.queues.create(where, "demo", queue.QueueChange())
        made.verbs.topics.create(where, "news", topic.TopicChange())
    return made


def rule(name: str = "rule-1", *, kind: str = "queue", to: str = "demo", **changes) -> event_rule.EventRule:
    values = {
        "product": "oss",
        "event_types": ("ObjectCreated:*", "ObjectRemoved:DeleteObject"),
        "match_rules": ((event_rule.Match(prefix="photos/", suffix=".jpg"),),),
        "created_at": 1,
    }
    endpoint = event_rule.Endpoint(kind=event_rule.Receiver(kind), name=to)
    return event_rule.EventRule(name=name, endpoint=endpoint, **(values | changes))


def happened(name: str = "ObjectCreated:Put", key: str = "a.jpg", bucket: str = "photos", sequencer: str = "1") -> dict:
    stored = {"key": key, "size": 3, "eTag": "abc", "sequencer": sequencer}
    return {
        "Records": [
            {
                "eventName": name,
                "eventTime": "2024-01-02T03:04:05.678Z",
                "s3": {"bucket": {"name": bucket}, "object": stored},
            }
        ]
    }


def received(made, where=HERE, name="demo") -> list[tuple[str, str]]:
    """The names and keys of the events that are in a queue."""
    _, found, _ = made.verbs.messages.receive(where, name, 16)
    events = [json.loads(base64.b64decode(item.message.body))["events"][0] for item in found]
    return [(event["eventName"], event["oss"]["object"]["key"]) for event in events]


def test_an_object_that_was_put_is_told_to_the_queue_whose_rule_wants_it(made):
    made.verbs.event_rules.create(HERE, rule())
    assert workers.object_events(happened(), None) == {"events": 1, "messages": 1}
    assert workers.object_events(happened(key="a.png"), None) == {"events": 1, "messages": 0}
    assert workers.object_events(happened("ObjectRemoved:Delete", sequencer="2"), None)["messages"] == 1
    assert received(made) == [("ObjectCreated:PutObject", "a.jpg"), ("ObjectRemoved:DeleteObject", "a.jpg")]


def test_a_replay_changes_nothing(made, engine):
    made.verbs.event_rules.create(HERE, rule())
    made.verbs.event_rules.create(HERE, rule("rule-2", kind="topic", to="news"))
    for _ in range(3):
        workers.object_events(happened(), None)
    assert received(made) == [("ObjectCreated:PutObject", "a.jpg")]
    assert received(made) == []
    assert published(made, engine, "news") == 1


def published(made, engine, name: str) -> int:
    """How many messages a topic has been sent."""
    found = made.verbs.topics.get(HERE, name)
    items = engine.query(
        TableName=made.settings.table_prefix + "publications",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": found.partitions[0]}},
    )
    return len(items["Items"])


def test_two_events_of_one_key_are_two_messages(made):
    made.verbs.event_rules.create(HERE, rule())
    for sequencer in "12":
        workers.object_events(happened(sequencer=sequencer), None)
    assert len(received(made)) == 2


def test_the_rules_of_others_do_not_see_it(made):
    for where in (HERE, ELSEWHERE):
        anything = ((event_rule.Match(suffix=".jpg"),),)
        made.verbs.event_rules.create(where, rule(match_rules=anything))
    workers.object_events(happened(), None)
    workers.object_events(happened(bucket="logs", key="b.jpg"), None)
    assert workers.object_events(happened(bucket="nobody-s"), None)["messages"] == 0
    assert received(made, HERE) == [("ObjectCreated:PutObject", "a.jpg")]
    assert received(made, ELSEWHERE) == [("ObjectCreated:PutObject", "b.jpg")]


def test_a_small_queue_and_a_topic_take_an_event_whatever_its_size(made, engine):
    made.verbs.queues.create(HERE, "small", queue.QueueChange(maximum_message_size=1024))
    made.verbs.topics.create(HERE, "small", topic.TopicChange(maximum_message_size=1024))
    made.verbs.event_rules.create(HERE, rule(to="small"))
    made.verbs.event_rules.create(HERE, rule("rule-2", kind="topic", to="small"))
    key = "k" * 1000 + ".jpg"
    assert workers.object_events(happened(key=key), None)["messages"] == 2
    assert received(made, name="small") == [("ObjectCreated:PutObject", key)]
    assert published(made, engine, "small") == 1


def test_what_a_rule_sends_to_a_queue_that_is_no_more_is_dropped_and_the_other_rules_go_on(made):
    made.verbs.queues.create(HERE, "gone", queue.QueueChange())
    made.verbs.event_rules.create(HERE, rule("a-rule", to="gone"))
    made.verbs.event_rules.create(HERE, rule("b-rule"))
    made.verbs.queues.delete(HERE, "gone")
    assert workers.object_events(happened(), None)["messages"] == 1
    assert received(made) == [("ObjectCreated:PutObject", "a.jpg")]


def test_a_rule_is_found_listed_and_deleted(made):
    rules = made.verbs.event_rules
    wanted = rule()
    assert rules.create(HERE, wanted) == wanted
    assert rules.create(HERE, dataclasses.replace(wanted, created_at=9)) == wanted
    with pytest.raises(errors.EventRuleAlreadyExist):
        rules.create(HERE, rule(event_types=("ObjectRemoved:*",)))
    rules.create(HERE, rule("another"))
    assert [item.name for item in rules.all(HERE)] == ["another", "rule-1"]
    assert (rules.get(HERE, "oss", "rule-1"), rules.all(ELSEWHERE)) == (wanted, ())
    rules.delete(HERE, "oss", "rule-1")
    rules.delete(HERE, "oss", "rule-1")
    with pytest.raises(errors.EventRuleNotExist):
        rules.get(HERE, "oss", "rule-1")


def test_a_rule_needs_its_endpoint_and_there_are_ten_at_most(made):
    rules = made.verbs.event_rules
    with pytest.raises(errors.QueueNotExist):
        rules.create(HERE, rule(to="nowhere"))
    with pytest.raises(errors.TopicNotExist):
        rules.create(HERE, rule(kind="topic", to="nowhere"))
    for number in range(10):
        rules.create(HERE, rule(f"rule-{number}"))
    with pytest.raises(errors.EventRuleNumExceededLimit):
        rules.create(HERE, rule("one-more"))
    rules.create(HERE, rule("rule-0"))


def test_a_fifo_queue_gets_the_events_of_a_bucket_in_their_order(made):
    made.verbs.queues.create(HERE, "ordered", queue.QueueChange(), kind=resource.Type.FIFO)
    made.verbs.event_rules.create(HERE, rule(to="ordered"))
    for key in ("a.jpg", "b.jpg", "c.jpg"):
        for _ in range(2):
            workers.object_events(happened(key=key), None)
    _, found, _ = made.verbs.messages.receive(HERE, "ordered", 16)
    assert {item.message.group_id for item in found} == {"photos"}
    keys = [json.loads(base64.b64decode(item.message.body))["events"][0]["oss"]["object"]["key"] for item in found]
    assert keys == ["a.jpg", "b.jpg", "c.jpg"]
