"""Operations on subscriptions."""

from chalicelib.api.operations import Call
from chalicelib.wire import http
from chalicelib.wire import subscriptions as wire


def subscribe(call: Call) -> http.Response:
    """Subscribe: 201, or 204 if there is the same one already; Location in both."""
    topic, name = call.path["topic"], call.path["subscription"]
    attributes = wire.parse_subscription(call.request.body, call.namespace)
    _, is_new = call.verbs.subscriptions.subscribe(call.namespace, topic, name, attributes)
    location = wire.subscription_url(call.request.host_url, topic, name)
    return http.Response(status=201 if is_new else 204, headers={"Location": location})


def set_attributes(call: Call) -> http.Response:
    """SetSubscriptionAttributes."""
    change = wire.parse_change(call.request.body, call.namespace)
    call.verbs.subscriptions.set_attributes(call.namespace, call.path["topic"], call.path["subscription"], change)
    return http.Response(status=204)


def get_attributes(call: Call) -> http.Response:
    """GetSubscriptionAttributes."""
    return wire.render_subscription(
        call.verbs.subscriptions.get(call.namespace, call.path["topic"], call.path["subscription"])
    )


def unsubscribe(call: Call) -> http.Response:
    """Unsubscribe."""
    call.verbs.subscriptions.unsubscribe(call.namespace, call.path["topic"], call.path["subscription"])
    return http.Response(status=204)


def list_subscriptions(call: Call) -> http.Response:
    """ListSubscriptionByTopic."""
    asked = wire.parse_list(call.request.headers)
    topic = call.path["topic"]
    page = call.verbs.subscriptions.list(
        call.namespace, topic, prefix=asked.prefix, after=asked.after, limit=asked.limit
    )
    return wire.render_page(page, topic, call.request.host_url, with_meta=asked.with_meta)
