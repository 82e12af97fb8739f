"""Queues on the wire."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.model import errors, limits, queue
from chalicelib.wire import http, xml


@dataclass(frozen=True, kw_only=True)
class ListRequest:
    """What the headers of a list operation ask for."""

    prefix: str
    after: str | None  # the name that the previous page ended with
    limit: int
    with_meta: bool


def parse_queue(body: bytes) -> queue.QueueChange:
    """The attributes that a `<Queue>` names; an empty body names none."""
    if not body.strip():
        return queue.QueueChange()
    root = xml.read_root(body, "Queue")
    return queue.QueueChange(
        delay_seconds=root.integer("DelaySeconds"),
        maximum_message_size=root.integer("MaximumMessageSize"),
        message_retention_period=root.integer("MessageRetentionPeriod"),
        visibility_timeout=root.integer("VisibilityTimeout"),
        polling_wait_seconds=root.integer("PollingWaitSeconds"),
        logging_enabled=root.boolean("LoggingEnabled"),
    )


def parse_list(headers: Mapping[str, str]) -> ListRequest:
    """The headers of a list operation.

    Raises:
        errors.InvalidArgument: the marker is none of ours, or the page size is out of range.
    """
    number = headers.get("x-mns-ret-number", str(limits.RETURN_NUMBER.default)).strip()
    if not number.isdecimal() or not number.isascii() or len(number) > len(str(limits.RETURN_NUMBER.high)):
        number = "0"  # out of range, whatever it is
    return ListRequest(
        prefix=headers.get("x-mns-prefix", ""),
        after=_parse_marker(headers.get("x-mns-marker", "")),
        limit=limits.RETURN_NUMBER.check(int(number)),
        with_meta=headers.get("x-mns-with-meta", "").strip().lower() == "true",
    )


def render_queue(found: queue.Queue, counts: queue.Counts) -> http.Response:
    """The answer of GetQueueAttributes."""
    return http.Response(status=200, body=xml.write("Queue", _attributes(found, counts)))


def render_page(page: queue.Page, counts: Mapping[str, queue.Counts], host_url: str) -> http.Response:
    """The answer of ListQueue; with attributes where `counts` has an entry. NextMarker only if more follow."""
    nodes: list[xml.Node] = []
    for item in page.queues:
        meta = _attributes(item, counts[item.queue_id]) if item.queue_id in counts else []
        nodes.append(("Queue", [("QueueURL", queue_url(host_url, item.name)), *meta]))
    if page.marker is not None:
        nodes.append(("NextMarker", base64.b64encode(page.marker.encode()).decode()))
    return http.Response(status=200, body=xml.write("Queues", nodes))


def queue_url(host_url: str, name: str) -> str:
    """The URL of a queue, under the scheme and host that the client used."""
    return f"{host_url}/queues/{name}"


def _attributes(found: queue.Queue, counts: queue.Counts) -> list[xml.Node]:
    attributes = found.attributes
    return [
        ("QueueName", found.name),
        ("CreateTime", found.created_at // 1000),
        ("LastModifyTime", found.modified_at // 1000),
        ("DelaySeconds", attributes.delay_seconds),
        ("MaximumMessageSize", attributes.maximum_message_size),
        ("MessageRetentionPeriod", attributes.message_retention_period),
        ("VisibilityTimeout", attributes.visibility_timeout),
        ("PollingWaitSeconds", attributes.polling_wait_seconds),
        ("ActiveMessages", counts.active),
        ("InactiveMessages", counts.inactive),
        ("DelayMessages", counts.delayed),
        ("LoggingEnabled", str(attributes.logging_enabled)),
    ]


def _parse_marker(marker: str) -> str | None:
    if not marker:
        return None
    try:
        name = base64.b64decode(marker, validate=True).decode()
        return queue.check_name(name)
    except (binascii.Error, ValueError, errors.MnsError) as error:
        raise errors.InvalidArgument("The value of x-mns-marker is not a NextMarker of a former answer.") from error
