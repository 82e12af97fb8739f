"""Events of S3 in, events of OSS out."""

import base64
import json

import pytest

from chalicelib.model import account, errors, event_rule, object_event
from chalicelib.wire import object_events

OWNER = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
RULE = event_rule.EventRule(
    name="rule-1",
    product="oss",
    event_types=("ObjectCreated:*",),
    match_rules=((event_rule.Match(name="photos"),),),
    endpoint=event_rule.Endpoint(kind=event_rule.Receiver.QUEUE, name="demo"),
    created_at=0,
)


def notified(name: str, **stored) -> dict:
    """As S3 sends it to a Lambda function."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2024-01-02T03:04:05.678Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AIDA"},
        "requestParameters": {"sourceIPAddress": "192.0.2.1"},
        "responseElements": {"x-amz-request-id": "R1", "x-amz-id-2": "R2"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "c",
            "bucket": {"name": "photos", "ownerIdentity": {"principalId": "A"}, "arn": "arn:aws:s3:::photos"},
            "object": {"key": "a/%E6%B6%88+1.jpg", "size": 3, "eTag": "d41d8cd9", "sequencer": "0A1B", **stored},
        },
    }


def bridged(kind: str, **detail) -> dict:
    """As EventBridge sends it."""
    return {
        "version": "0",
        "id": "e1",
        "detail-type": kind,
        "source": "aws.s3",
        "account": "111122223333",
        "time": "2024-01-02T03:04:05Z",
        "region": "us-east-1",
        "resources": ["arn:aws:s3:::photos"],
        "detail": {
            "version": "0",
            "bucket": {"name": "photos"},
            "object": {"key": "a/消 1.jpg", "size": 3, "etag": "d41d8cd9", "sequencer": "0A1B"},
            "request-id": "R1",
            "requester": "111122223333",
            "source-ip-address": "192.0.2.1",
            **detail,
        },
    }


EVENT = object_event.ObjectEvent(
    name="ObjectCreated:PutObject",
    happened_at=1_704_164_645_678,
    bucket="photos",
    key="a/消 1.jpg",
    size=3,
    etag="D41D8CD9",
    sequencer="0A1B",
    request_id="R1",
    source_ip="192.0.2.1",
    principal_id="AWS:AIDA",
)


def test_a_notification_of_s3_is_read_its_key_decoded():
    assert object_events.parse_events({"Records": [notified("ObjectCreated:Put")]}) == [EVENT]


def test_an_event_of_eventbridge_is_read():
    [event] = object_events.parse_events(bridged("Object Created", reason="PutObject"))
    assert event == object_event.ObjectEvent(
        name="ObjectCreated:PutObject",
        happened_at=1_704_164_645_000,
        bucket="photos",
        key="a/消 1.jpg",
        size=3,
        etag="D41D8CD9",
        sequencer="0A1B",
        request_id="R1",
        source_ip="192.0.2.1",
        principal_id="111122223333",
    )


@pytest.mark.parametrize(
    ("s3", "oss"),
    [
        ("ObjectCreated:Put", "ObjectCreated:PutObject"),
        ("s3:ObjectCreated:Put", "ObjectCreated:PutObject"),
        ("ObjectCreated:Post", "ObjectCreated:PostObject"),
        ("ObjectCreated:Copy", "ObjectCreated:CopyObject"),
        ("ObjectCreated:CompleteMultipartUpload", "ObjectCreated:CompleteMultipartUpload"),
        ("ObjectRemoved:Delete", "ObjectRemoved:DeleteObject"),
        ("ObjectRestore:Completed", "ObjectRestore:FinishRestore"),
        ("LifecycleTransition", "ObjectModified:ChangeStorageClass"),
        ("ObjectRemoved:DeleteMarkerCreated", None),
        ("ObjectRestore:Post", None),
        ("ObjectTagging:Put", None),
        ("Replication:OperationFailedReplication", None),
    ],
)
def test_s3_s_names_become_oss_s_where_oss_has_one(s3, oss):
    found = [event.name for event in object_events.parse_events({"Records": [notified(s3)]})]
    assert found == ([oss] if oss else [])


@pytest.mark.parametrize(
    ("kind", "detail", "oss"),
    [
        ("Object Created", {"reason": "POST Object"}, "ObjectCreated:PostObject"),
        ("Object Created", {"reason": "CopyObject"}, "ObjectCreated:CopyObject"),
        ("Object Created", {"reason": "CompleteMultipartUpload"}, "ObjectCreated:CompleteMultipartUpload"),
        (
            "Object Deleted",
            {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"},
            "ObjectRemoved:DeleteObject",
        ),
        ("Object Deleted", {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"}, None),
        ("Object Deleted", {"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"}, None),
        ("Object Restore Completed", {}, "ObjectRestore:FinishRestore"),
        ("Object Storage Class Changed", {}, "ObjectModified:ChangeStorageClass"),
        ("Object Tags Added", {}, None),
    ],
)
def test_eventbridge_s_names_become_oss_s_where_oss_has_one(kind, detail, oss):
    found = [event.name for event in object_events.parse_events(bridged(kind, **detail))]
    assert found == ([oss] if oss else [])


def test_s3_s_test_event_is_none():
    assert object_events.parse_events({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}) == []


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "x",
        {"source": "aws.ec2"},
        {"Records": [{}]},
        {"Records": 5},
        {"Records": [notified("ObjectCreated:Put") | {"eventTime": "yesterday"}]},
        {"source": "aws.s3"},
    ],
)
def test_what_is_no_event_of_s3_is_refused(document):
    with pytest.raises(errors.InvalidArgument):
        object_events.parse_events(document)


def test_a_message_is_base64_of_the_documented_shape():
    body = object_events.render_event(EVENT, RULE, OWNER)
    assert json.loads(base64.b64decode(body)) == {
        "events": [
            {
                "eventName": "ObjectCreated:PutObject",
                "eventSource": "acs:oss",
                "eventTime": "2024-01-02T03:04:05.678Z",
                "eventVersion": "1.0",
                "oss": {
                    "bucket": {
                        "arn": "acs:oss:cn-hangzhou:1234567890123456:photos",
                        "name": "photos",
                        "ownerIdentity": "1234567890123456",
                        "virtualBucket": "",
                    },
                    "object": {"deltaSize": 3, "eTag": "D41D8CD9", "key": "a/消 1.jpg", "size": 3},
                    "ossSchemaVersion": "1.0",
                    "ruleId": "rule-1",
                },
                "region": "cn-hangzhou",
                "requestParameters": {"sourceIPAddress": "192.0.2.1"},
                "responseElements": {"requestId": "R1"},
                "userIdentity": {"principalId": "AWS:AIDA"},
            }
        ]
    }
