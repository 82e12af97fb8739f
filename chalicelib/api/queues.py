"""Operations on queues."""

from chalicelib.api.operations import Call
from chalicelib.wire import http
from chalicelib.wire import queues as wire


def create(call: Call) -> http.Response:
    """CreateQueue: 201, or 204 if it is there with the same attributes; Location in both, the Python SDK needs it."""
    name = call.path["queue"]
    _, is_new = call.verbs.queues.create(call.namespace, name, wire.parse_queue(call.request.body))
    location = wire.queue_url(call.request.host_url, name)
    return http.Response(status=201 if is_new else 204, headers={"Location": location})


def set_attributes(call: Call) -> http.Response:
    """SetQueueAttributes."""
    call.verbs.queues.set_attributes(call.namespace, call.path["queue"], wire.parse_queue(call.request.body))
    return http.Response(status=204)


def get_attributes(call: Call) -> http.Response:
    """GetQueueAttributes."""
    return wire.render_queue(*call.verbs.queues.get_attributes(call.namespace, call.path["queue"]))


def delete(call: Call) -> http.Response:
    """DeleteQueue."""
    call.verbs.queues.delete(call.namespace, call.path["queue"])
    return http.Response(status=204)


def list_queues(call: Call) -> http.Response:
    """ListQueue."""
    asked = wire.parse_list(call.request.headers)
    listing = call.verbs.queues.list(
        call.namespace, prefix=asked.prefix, after=asked.after, limit=asked.limit, with_counts=asked.with_meta
    )
    return wire.render_page(listing.page, listing.counts, call.request.host_url)
