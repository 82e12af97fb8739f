"""Subscriptions on the wire."""

from collections.abc import Mapping

from chalicelib.model import account, endpoint, errors, retry, subscription
from chalicelib.wire import http, lists, topics, xml


def parse_subscription(body: bytes, namespace: account.Namespace) -> subscription.SubscriptionAttributes:
    """What a Subscribe asks for in a namespace.

    Raises:
        errors.MalformedXML, errors.InvalidArgument, errors.EndpointInvalid: it is not acceptable.
    """
    root = xml.read_root(body, "Subscription")
    address = (root.string("Endpoint") or "").strip()
    if not address:
        raise errors.InvalidArgument("The element Endpoint is required.")
    return subscription.SubscriptionAttributes(
        endpoint=address,
        filter_tag=root.string("FilterTag") or "",
        strategy=_strategy(root) or retry.Strategy.BACKOFF_RETRY,
        content_format=_format(root),
        dead_letter_queue=_dead_letter_queue(root, namespace) or "",
    )


def parse_change(body: bytes, namespace: account.Namespace) -> subscription.SubscriptionChange:
    """The attributes that a SetSubscriptionAttributes names; what cannot be changed is ignored."""
    root = xml.read_root(body, "Subscription")
    return subscription.SubscriptionChange(
        filter_tag=root.string("FilterTag"),
        strategy=_strategy(root),
        dead_letter_queue=_dead_letter_queue(root, namespace),
    )


def parse_list(headers: Mapping[str, str]) -> lists.ListRequest:
    """The headers of ListSubscriptionByTopic; see `lists.parse`."""
    return lists.parse(headers, subscription.check_name)


def render_subscription(found: subscription.Subscription) -> http.Response:
    """The answer of GetSubscriptionAttributes."""
    return http.Response(status=200, body=xml.write("Subscription", _attributes(found)))


def render_page(page: subscription.Page, topic_name: str, host_url: str, *, with_meta: bool) -> http.Response:
    """The answer of ListSubscriptionByTopic."""
    nodes: list[xml.Node] = []
    for item in page.subscriptions:
        url = subscription_url(host_url, topic_name, item.name)
        nodes.append(("Subscription", [("SubscriptionURL", url), *(_attributes(item) if with_meta else [])]))
    nodes += lists.next_marker(page.marker)
    return http.Response(status=200, body=xml.write("Subscriptions", nodes))


def subscription_url(host_url: str, topic_name: str, name: str) -> str:
    """The URL of a subscription, under the scheme and host that the client used."""
    return f"{topics.topic_url(host_url, topic_name)}/subscriptions/{name}"


def _strategy(root: xml.Element) -> retry.Strategy | None:
    text = (root.string("NotifyStrategy") or "").strip()
    try:
        return retry.Strategy(text) if text else None
    except ValueError as error:
        raise errors.InvalidArgument(
            f"The value of NotifyStrategy should be one of {', '.join(each.value for each in retry.Strategy)}."
        ) from error


def _format(root: xml.Element) -> subscription.Format:
    text = (root.string("NotifyContentFormat") or "").strip()
    try:
        return subscription.Format(text) if text else subscription.Format.XML
    except ValueError as error:
        known = ", ".join(each.value for each in subscription.Format)
        raise errors.InvalidArgument(f"The value of NotifyContentFormat should be one of {known}.") from error


def _dead_letter_queue(root: xml.Element, namespace: account.Namespace) -> str | None:
    """The queue that a DlqPolicy names; empty: a policy that is not enabled; None: no policy is given."""
    policy = root.child("DlqPolicy")
    if policy is None:
        return None
    if not policy.boolean("Enabled"):
        return ""
    target = (policy.string("DeadLetterTargetQueue") or "").strip()
    if not target:
        raise errors.InvalidArgument("The element DeadLetterTargetQueue is required.")
    return endpoint.dead_letter_queue(target, namespace)


def _attributes(found: subscription.Subscription) -> list[xml.Node]:
    attributes = found.attributes
    nodes: list[xml.Node] = [
        ("SubscriptionName", found.name),
        ("Subscriber", found.namespace.account_id),
        ("TopicOwner", found.namespace.account_id),
        ("TopicName", found.topic_name),
        ("Endpoint", attributes.endpoint),
    ]
    if attributes.filter_tag:
        nodes.append(("FilterTag", attributes.filter_tag))
    return [
        *nodes,
        ("NotifyStrategy", attributes.strategy.value),
        ("NotifyContentFormat", attributes.content_format.value),
        ("CreateTime", found.created_at // 1000),
        ("LastModifyTime", found.modified_at // 1000),
    ]
