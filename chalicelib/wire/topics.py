"""Topics on the wire."""

from collections.abc import Mapping

from chalicelib.model import limits, topic
from chalicelib.wire import http, lists, xml


def parse_topic(body: bytes) -> topic.TopicChange:
    """The attributes that a `<Topic>` names; an empty body names none."""
    if not body.strip():
        return topic.TopicChange()
    root = xml.read_root(body, "Topic")
    return topic.TopicChange(
        maximum_message_size=root.integer("MaximumMessageSize"), logging_enabled=root.boolean("LoggingEnabled")
    )


def parse_list(headers: Mapping[str, str]) -> lists.ListRequest:
    """The headers of ListTopic; see `lists.parse`."""
    return lists.parse(headers, topic.check_name)


def render_topic(found: topic.Topic, count: int) -> http.Response:
    """The answer of GetTopicAttributes; `count` is that of the messages held."""
    return http.Response(status=200, body=xml.write("Topic", _attributes(found, count)))


def render_page(page: topic.Page, counts: Mapping[str, int], host_url: str) -> http.Response:
    """The answer of ListTopic; with attributes where `counts` has an entry."""
    nodes: list[xml.Node] = []
    for item in page.topics:
        meta = _attributes(item, counts[item.topic_id]) if item.topic_id in counts else []
        nodes.append(("Topic", [("TopicURL", topic_url(host_url, item.name)), *meta]))
    nodes += lists.next_marker(page.marker)
    return http.Response(status=200, body=xml.write("Topics", nodes))


def topic_url(host_url: str, name: str) -> str:
    """The URL of a topic, under the scheme and host that the client used."""
    return f"{host_url}/topics/{name}"


def _attributes(found: topic.Topic, count: int) -> list[xml.Node]:
    return [
        ("TopicName", found.name),
        ("CreateTime", found.created_at // 1000),
        ("LastModifyTime", found.modified_at // 1000),
        ("MaximumMessageSize", found.attributes.maximum_message_size),
        ("MessageRetentionPeriod", limits.TOPIC_RETENTION_SECONDS),
        ("MessageCount", count),
        ("LoggingEnabled", str(found.attributes.logging_enabled)),
    ]
