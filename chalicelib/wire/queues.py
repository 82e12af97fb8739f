"""Queues on the wire."""

from collections.abc import Mapping

from chalicelib.model import queue
from chalicelib.wire import http, lists, xml


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


def parse_list(headers: Mapping[str, str]) -> lists.ListRequest:
    """The headers of ListQueue; see `lists.parse`."""
    return lists.parse(headers, queue.check_name)


def render_queue(found: queue.Queue, counts: queue.Counts) -> http.Response:
    """The answer of GetQueueAttributes."""
    return http.Response(status=200, body=xml.write("Queue", _attributes(found, counts)))


def render_page(page: queue.Page, counts: Mapping[str, queue.Counts], host_url: str) -> http.Response:
    """The answer of ListQueue; with attributes where `counts` has an entry. NextMarker only if more follow."""
    nodes: list[xml.Node] = []
    for item in page.queues:
        meta = _attributes(item, counts[item.queue_id]) if item.queue_id in counts else []
        nodes.append(("Queue", [("QueueURL", queue_url(host_url, item.name)), *meta]))
    nodes += lists.next_marker(page.marker)
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
