"""Actions on topics."""

from collections.abc import Mapping
from typing import Any

from chalicelib.model import limits, resource, topic
from chalicelib.rpc import shapes
from chalicelib.rpc.calls import Call, Fields
from chalicelib.rpc.parameters import Parameters
from chalicelib.wire import topics as wire


def create(call: Call) -> Fields:
    """CreateTopic: 201, or 204 if it is there just so."""
    given = call.parameters
    change, tags = _parse(given, resource.NO_ENCRYPTION), shapes.parse_tags(given)
    kind = shapes.parse_type(given, "TopicType")
    _, is_new = call.verbs.topics.create(call.namespace, given.required("TopicName"), change, kind=kind, tags=tags)
    return shapes.done(201 if is_new else 204)


def set_attributes(call: Call) -> Fields:
    """SetTopicAttributes."""
    name = call.parameters.required("TopicName")
    before = call.verbs.topics.get(call.namespace, name)
    call.verbs.topics.set_attributes(call.namespace, name, _parse(call.parameters, before.attributes.encryption))
    return shapes.done()


def get_attributes(call: Call) -> Fields:
    """GetTopicAttributes."""
    found, count = call.verbs.topics.get_attributes(call.namespace, call.parameters.required("TopicName"))
    return {"Data": _render(call, found, count)}


def delete(call: Call) -> Fields:
    """DeleteTopic: deleting none is no error, as in the XML API."""
    call.verbs.topics.delete(call.namespace, call.parameters.required("TopicName"))
    return shapes.done()


def list_topics(call: Call) -> Fields:
    """ListTopic."""
    wanted, window = shapes.parse_filter(call.parameters, "Topic"), shapes.parse_window(call.parameters)
    found = call.verbs.topics.search(call.namespace, wanted, window)
    entries = [_render(call, item, found.counts[item.topic_id]) for item in found.topics]
    return shapes.render_page(entries, window, found.total)


def _parse(given: Parameters, encryption: resource.Encryption) -> topic.TopicChange:
    return topic.TopicChange(
        maximum_message_size=given.integer("MaxMessageSize"),
        logging_enabled=given.boolean("EnableLogging"),
        encryption=shapes.parse_encryption(given, encryption),
    )


def _render(call: Call, found: topic.Topic, count: int) -> Mapping[str, Any]:
    url = wire.topic_url(call.data_url, found.name)
    return {
        "TopicName": found.name,
        "TopicType": found.type.value,
        "CreateTime": found.created_at // 1000,
        "LastModifyTime": found.modified_at // 1000,
        "MaxMessageSize": found.attributes.maximum_message_size,
        "MessageRetentionPeriod": limits.TOPIC_RETENTION_SECONDS,
        "MessageCount": count,
        "LoggingEnabled": found.attributes.logging_enabled,
        "TopicUrl": url,
        "TopicInnerUrl": url,  # there is one network only
        **shapes.render_encryption(found.attributes.encryption),
        "Tags": shapes.render_tags(found.tags),
    }
