"""Operations on topics, and PublishMessage."""

from chalicelib.api import logs
from chalicelib.api.operations import Call
from chalicelib.wire import http, publications
from chalicelib.wire import topics as wire


def create(call: Call) -> http.Response:
    """CreateTopic: 201, or 204 if it is there with the same attributes; Location in both."""
    name = call.path["topic"]
    _, is_new = call.verbs.topics.create(call.namespace, name, wire.parse_topic(call.request.body))
    location = wire.topic_url(call.request.host_url, name)
    return http.Response(status=201 if is_new else 204, headers={"Location": location})


def set_attributes(call: Call) -> http.Response:
    """SetTopicAttributes."""
    call.verbs.topics.set_attributes(call.namespace, call.path["topic"], wire.parse_topic(call.request.body))
    return http.Response(status=204)


def get_attributes(call: Call) -> http.Response:
    """GetTopicAttributes."""
    return wire.render_topic(*call.verbs.topics.get_attributes(call.namespace, call.path["topic"]))


def delete(call: Call) -> http.Response:
    """DeleteTopic."""
    call.verbs.topics.delete(call.namespace, call.path["topic"])
    return http.Response(status=204)


def list_topics(call: Call) -> http.Response:
    """ListTopic."""
    asked = wire.parse_list(call.request.headers)
    listing = call.verbs.topics.list(
        call.namespace, prefix=asked.prefix, after=asked.after, limit=asked.limit, with_counts=asked.with_meta
    )
    return wire.render_page(listing.page, listing.counts, call.request.host_url)


def publish(call: Call) -> http.Response:
    """PublishMessage."""
    draft = publications.parse_publication(call.request.body)
    new = call.verbs.publications.publish(call.namespace, call.path["topic"], draft)
    logs.published(call, new)
    return publications.render_published(new)
