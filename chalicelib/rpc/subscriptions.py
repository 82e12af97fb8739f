"""Actions on subscriptions."""

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.model import account, endpoint, errors, resource, retry, subscription
from chalicelib.rpc import shapes
from chalicelib.rpc.calls import Call, Fields
from chalicelib.rpc.parameters import Parameters

_PUSH_TYPES = {  # the last three are old names
    "http": endpoint.Kind.HTTP,
    "queue": endpoint.Kind.QUEUE,
    "dm": endpoint.Kind.MAIL,
    "dysms": endpoint.Kind.SMS,
    "email": endpoint.Kind.MAIL,
    "alisms": endpoint.Kind.SMS,
    "mpush": endpoint.Kind.MOBILE,
}
_UNSERVED = ("fc", "eventbus", "kafka")


def subscribe(call: Call) -> Fields:
    """Subscribe; `Data` is the name."""
    given = call.parameters
    topic, name = given.required("TopicName"), given.required("SubscriptionName")
    call.verbs.subscriptions.subscribe(call.namespace, topic, name, _parse(given, call.namespace))
    return {"Data": name}


def set_attributes(call: Call) -> Fields:
    """SetSubscriptionAttributes."""
    given = call.parameters
    change = subscription.SubscriptionChange(
        strategy=_parse_strategy(given),
        dead_letter_queue=_parse_dead_letter(given, call.namespace),
        rate_limit=shapes.parse_rate_limit(given),
        role_arn=given.text("StsRoleArn"),
    )
    topic, name = given.required("TopicName"), given.required("SubscriptionName")
    call.verbs.subscriptions.set_attributes(call.namespace, topic, name, change)
    return shapes.done()


def get_attributes(call: Call) -> Fields:
    """GetSubscriptionAttributes."""
    given = call.parameters
    found = call.verbs.subscriptions.get(
        call.namespace, given.required("TopicName"), given.required("SubscriptionName")
    )
    limit = shapes.render_rate_limit(found.attributes.rate_limit)
    return {"Data": {**_render(found), "TenantRateLimitPolicy": limit}}


def push_types(call: Call) -> Sequence[str]:
    """What policies may call the kind of endpoint that a Subscribe names: every name it has, for each is one rule."""
    kind = _parse_kind("PushType", call.parameters.text("PushType"))
    return () if kind is None else endpoint.PUSH_TYPES[kind]


def unsubscribe(call: Call) -> Fields:
    """Unsubscribe: ending none is no error, as in the XML API."""
    given = call.parameters
    topic, name = given.required("TopicName"), given.required("SubscriptionName")
    call.verbs.subscriptions.unsubscribe(call.namespace, topic, name)
    return shapes.done()


def list_subscriptions(call: Call) -> Fields:
    """ListSubscriptionByTopic."""
    given, window = call.parameters, shapes.parse_window(call.parameters)
    wanted = subscription.Filter(
        name=given.text("SubscriptionName") or "",
        kind=_parse_kind("EndpointType", given.text("EndpointType")),
        endpoint=given.text("EndpointValue") or "",
    )
    topic = given.required("TopicName")
    found, total = call.verbs.subscriptions.search(call.namespace, topic, wanted, window)
    return shapes.render_page([_render(item) for item in found], window, total)


def _parse(given: Parameters, namespace: account.Namespace) -> subscription.SubscriptionAttributes:
    kind = _parse_kind("PushType", given.required("PushType"))
    mailing, texting = _parse_mailing(given), _parse_texting(given)
    attributes = subscription.SubscriptionAttributes(
        endpoint=given.required("Endpoint"),
        filter_tag=given.text("MessageTag") or "",
        strategy=_parse_strategy(given) or retry.Strategy.BACKOFF_RETRY,
        content_format=_parse_format(given),
        dead_letter_queue=_parse_dead_letter(given, namespace) or "",
        rate_limit=shapes.parse_rate_limit(given) or resource.NO_RATE_LIMIT,
        role_arn=given.text("StsRoleArn") or "",
        mailing=mailing,
        texting=texting,
    )
    if attributes.target.kind is not kind:
        raise errors.EndpointInvalid(f"The endpoint is none of the PushType {given.text('PushType')}.")
    return attributes


def _parse_kind(name: str, text: str | None) -> endpoint.Kind | None:
    if text is None:
        return None
    if text.lower() in _UNSERVED:
        raise errors.EndpointInvalid(f"The {name} {text} is not served here.")
    if text.lower() not in _PUSH_TYPES:
        raise errors.InvalidArgument(f"The value of {name} should be one of {', '.join(_PUSH_TYPES)}.")
    return _PUSH_TYPES[text.lower()]


def _parse_strategy(given: Parameters) -> retry.Strategy | None:
    text = given.text("NotifyStrategy")
    try:
        return retry.Strategy(text) if text else None
    except ValueError as error:
        known = ", ".join(each.value for each in retry.Strategy)
        raise errors.InvalidArgument(f"The value of NotifyStrategy should be one of {known}.") from error


def _parse_format(given: Parameters) -> subscription.Format:
    text = given.text("NotifyContentFormat")
    try:
        return subscription.Format(text) if text else subscription.Format.XML
    except ValueError as error:
        known = ", ".join(each.value for each in subscription.Format)
        raise errors.InvalidArgument(f"The value of NotifyContentFormat should be one of {known}.") from error


def _parse_dead_letter(given: Parameters, namespace: account.Namespace) -> str | None:
    """The queue that a DlqPolicy names; empty: a policy that is not enabled; None: no policy is given."""
    policy = given.member("DlqPolicy")
    if policy is None:
        return None
    return shapes.parse_target(policy, namespace) if policy.boolean("Enabled") else ""


def _parse_mailing(given: Parameters) -> subscription.Mailing | None:
    told = given.member("DmAttributes")
    if told is None:
        return None
    return subscription.Mailing(sender=told.required("AccountName"), subject=told.required("Subject"))


def _parse_texting(given: Parameters) -> subscription.Texting | None:
    told = given.member("DysmsAttributes")
    if told is None:
        return None
    return subscription.Texting(sign_name=told.required("SignName"), template_code=told.required("TemplateCode"))


def _render(found: subscription.Subscription) -> Mapping[str, Any]:
    attributes = found.attributes
    return {
        "TopicOwner": found.namespace.account_id,
        "TopicName": found.topic_name,
        "SubscriptionName": found.name,
        "Endpoint": attributes.endpoint,
        **({"FilterTag": attributes.filter_tag} if attributes.filter_tag else {}),
        "NotifyStrategy": attributes.strategy.value,
        "NotifyContentFormat": attributes.content_format.value,
        "CreateTime": found.created_at // 1000,
        "LastModifyTime": found.modified_at // 1000,
        "DlqPolicy": (
            {"Enabled": True, "DeadLetterTargetQueue": attributes.dead_letter_queue}
            if attributes.dead_letter_queue
            else {"Enabled": False}
        ),
    }
