"""Actions on queues."""

from collections.abc import Mapping
from typing import Any

from chalicelib.model import account, queue, resource
from chalicelib.rpc import shapes
from chalicelib.rpc.calls import Call, Fields
from chalicelib.rpc.parameters import Parameters


def create(call: Call) -> Fields:
    """CreateQueue: 201, or 204 if it is there just so."""
    given = call.parameters
    change = _parse(given, call.namespace, resource.NO_ENCRYPTION)
    kind, tags = shapes.parse_type(given, "QueueType"), shapes.parse_tags(given)
    _, is_new = call.verbs.queues.create(call.namespace, given.required("QueueName"), change, kind=kind, tags=tags)
    return shapes.done(201 if is_new else 204)


def set_attributes(call: Call) -> Fields:
    """SetQueueAttributes."""
    name = call.parameters.required("QueueName")
    before = call.verbs.queues.get(call.namespace, name)
    change = _parse(call.parameters, call.namespace, before.attributes.encryption)
    call.verbs.queues.set_attributes(call.namespace, name, change)
    return shapes.done()


def get_attributes(call: Call) -> Fields:
    """GetQueueAttributes."""
    found, counts = call.verbs.queues.get_attributes(call.namespace, call.parameters.required("QueueName"))
    limit = shapes.render_rate_limit(found.attributes.rate_limit)
    return {"Data": {**_render(found, counts), "TenantRateLimitPolicy": limit}}


def delete(call: Call) -> Fields:
    """DeleteQueue: deleting none is no error, as in the XML API."""
    call.verbs.queues.delete(call.namespace, call.parameters.required("QueueName"))
    return shapes.done()


def list_queues(call: Call) -> Fields:
    """ListQueue."""
    wanted, window = shapes.parse_filter(call.parameters, "Queue"), shapes.parse_window(call.parameters)
    found = call.verbs.queues.search(call.namespace, wanted, window)
    entries = [_render(item, found.counts[item.queue_id]) for item in found.queues]
    return shapes.render_page(entries, window, found.total)


def _parse(given: Parameters, namespace: account.Namespace, encryption: resource.Encryption) -> queue.QueueChange:
    return queue.QueueChange(
        delay_seconds=given.integer("DelaySeconds"),
        maximum_message_size=given.integer("MaximumMessageSize"),
        message_retention_period=given.integer("MessageRetentionPeriod"),
        visibility_timeout=given.integer("VisibilityTimeout"),
        polling_wait_seconds=given.integer("PollingWaitSeconds"),
        logging_enabled=given.boolean("EnableLogging"),
        dead_letter=_parse_dead_letter(given, namespace),
        rate_limit=shapes.parse_rate_limit(given),
        encryption=shapes.parse_encryption(given, encryption),
    )


def _parse_dead_letter(given: Parameters, namespace: account.Namespace) -> resource.DeadLetter | None:
    policy = given.member("DlqPolicy")
    if policy is None:
        return None
    if not policy.boolean("Enabled"):
        return resource.NO_DEAD_LETTER
    most = policy.integer("MaxReceiveCount")
    target = shapes.parse_target(policy, namespace)
    if most is None:
        return resource.DeadLetter(enabled=True, target=target)
    return resource.DeadLetter(enabled=True, target=target, max_receive_count=most)


def _render(found: queue.Queue, counts: queue.Counts) -> Mapping[str, Any]:
    attributes = found.attributes
    return {
        "QueueName": found.name,
        "QueueType": found.type.value,
        "CreateTime": found.created_at // 1000,
        "LastModifyTime": found.modified_at // 1000,
        "DelaySeconds": attributes.delay_seconds,
        "MaximumMessageSize": attributes.maximum_message_size,
        "MessageRetentionPeriod": attributes.message_retention_period,
        "VisibilityTimeout": attributes.visibility_timeout,
        "PollingWaitSeconds": attributes.polling_wait_seconds,
        "ActiveMessages": counts.active,
        "InactiveMessages": counts.inactive,
        "DelayMessages": counts.delayed,
        "LoggingEnabled": attributes.logging_enabled,
        "DlqPolicy": _render_dead_letter(attributes.dead_letter),
        **shapes.render_encryption(attributes.encryption),
        "Tags": shapes.render_tags(found.tags),
    }


def _render_dead_letter(policy: resource.DeadLetter) -> Mapping[str, Any]:
    if not policy.enabled:
        return {"Enabled": False}
    return {
        "Enabled": True,
        "DeadLetterTargetQueue": policy.target,
        "MaxReceiveCount": policy.max_receive_count,
    }
