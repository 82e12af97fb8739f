"""Events of objects: what S3 sends (as a notification, or through EventBridge), and what a consumer of OSS's gets.

What S3 does that OSS has no event for, such as tagging or replicas, makes none here; and neither does a delete that
leaves a marker, for OSS does not count it as one.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib import parse

from chalicelib.model import account, errors, event_rule, object_event

_NAMES = {  # of S3 notifications, without the "s3:"
    "ObjectCreated:Put": "ObjectCreated:PutObject",
    "ObjectCreated:Post": "ObjectCreated:PostObject",
    "ObjectCreated:Copy": "ObjectCreated:CopyObject",
    "ObjectCreated:CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
    "ObjectRemoved:Delete": "ObjectRemoved:DeleteObject",
    "ObjectRestore:Completed": "ObjectRestore:FinishRestore",
    "LifecycleTransition": "ObjectModified:ChangeStorageClass",
}
_REASONS = {  # of EventBridge's "Object Created"
    "PutObject": "ObjectCreated:PutObject",
    "POST Object": "ObjectCreated:PostObject",
    "CopyObject": "ObjectCreated:CopyObject",
    "CompleteMultipartUpload": "ObjectCreated:CompleteMultipartUpload",
}
_DETAILS = {  # EventBridge's other ones
    "Object Restore Completed": "ObjectRestore:FinishRestore",
    "Object Storage Class Changed": "ObjectModified:ChangeStorageClass",
}


def parse_events(document: Any) -> list[object_event.ObjectEvent]:
    """The events that S3 tells of, as Lambda receives them from S3 or from EventBridge.

    Raises:
        errors.InvalidArgument: it is neither; the message says what is the matter.
    """
    try:
        if document.get("Event") == "s3:TestEvent":
            return []  # S3 tries a new configuration
        if "Records" in document:
            return [event for record in document["Records"] for event in _notified(record)]
        if document.get("source") == "aws.s3":
            return list(_bridged(document))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise errors.InvalidArgument(f"The event of S3 has another form than expected: {error!r}.") from error
    raise errors.InvalidArgument("This is no event of S3: it has neither Records nor the source aws.s3.")


def render_event(event: object_event.ObjectEvent, rule: event_rule.EventRule, owner: account.Namespace) -> str:
    """The body of the message that a rule makes of an event of a bucket of `owner`: base64 of JSON."""
    size = 0 if event.size is None else event.size
    document = {
        "events": [
            {
                "eventName": event.name,
                "eventSource": "acs:oss",
                "eventTime": _iso(event.happened_at),
                "eventVersion": "1.0",
                "oss": {
                    "bucket": {
                        "arn": event.arn(owner),
                        "name": event.bucket,
                        "ownerIdentity": owner.account_id,
                        "virtualBucket": "",
                    },
                    "object": {
                        "deltaSize": size,  # S3 does not tell what was there before
                        "eTag": event.etag,
                        "key": event.key,
                        "size": size,
                    },
                    "ossSchemaVersion": "1.0",
                    "ruleId": rule.name,
                },
                "region": owner.region,
                "requestParameters": {"sourceIPAddress": event.source_ip},
                "responseElements": {"requestId": event.request_id},
                "userIdentity": {"principalId": event.principal_id},
            }
        ]
    }
    return base64.b64encode(json.dumps(document, ensure_ascii=False).encode()).decode()


def _notified(record: Mapping[str, Any]) -> Iterator[object_event.ObjectEvent]:
    """The event in a record of an S3 notification."""
    name = _NAMES.get(record["eventName"].removeprefix("s3:"))
    if name is None:
        return
    stored = record["s3"]["object"]
    yield object_event.ObjectEvent(
        name=name,
        happened_at=_moment(record["eventTime"]),
        bucket=record["s3"]["bucket"]["name"],
        key=parse.unquote_plus(stored["key"]),
        size=stored.get("size"),
        etag=stored.get("eTag", "").upper(),
        sequencer=stored.get("sequencer", ""),
        request_id=record.get("responseElements", {}).get("x-amz-request-id", ""),
        source_ip=record.get("requestParameters", {}).get("sourceIPAddress", ""),
        principal_id=record.get("userIdentity", {}).get("principalId", ""),
    )


def _bridged(document: Mapping[str, Any]) -> Iterator[object_event.ObjectEvent]:
    """The event in one of EventBridge's."""
    detail = document["detail"]
    name = _bridged_name(document["detail-type"], detail)
    if name is None:
        return
    stored = detail["object"]
    yield object_event.ObjectEvent(
        name=name,
        happened_at=_moment(document["time"]),
        bucket=detail["bucket"]["name"],
        key=stored["key"],
        size=stored.get("size"),
        etag=stored.get("etag", "").upper(),
        sequencer=stored.get("sequencer", ""),
        request_id=detail.get("request-id", ""),
        source_ip=detail.get("source-ip-address", ""),
        principal_id=detail.get("requester", ""),
    )


def _bridged_name(kind: str, detail: Mapping[str, Any]) -> str | None:
    if kind == "Object Created":
        return _REASONS.get(detail.get("reason", ""))
    if kind == "Object Deleted":
        is_gone = detail.get("deletion-type") == "Permanently Deleted" and detail.get("reason") == "DeleteObject"
        return "ObjectRemoved:DeleteObject" if is_gone else None
    return _DETAILS.get(kind)


def _moment(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _iso(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
