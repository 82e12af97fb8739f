"""From one publisher to many endpoints: publish and fan-out.

A publication is one write, whatever the number of subscriptions. The fan-out follows from the stream: it puts messages
straight into queues, and makes a delivery for each other endpoint. Both are found again when it runs twice.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial

from chalicelib.broker import ports, subscriptions, topics
from chalicelib.model import account, delivery, endpoint, errors, limits, publication


class Publications:
    """Publish messages."""

    def __init__(self, *, topics: topics.Topics, store: ports.Publications, clock: ports.Clock, ids: ports.Ids) -> None:
        self._topics = topics
        self._store = store
        self._clock = clock
        self._ids = ids

    def publish(self, namespace: account.Namespace, name: str, draft: publication.Draft) -> publication.Publication:
        """Store a message for a topic's subscriptions; when this returns, it is stored.

        Raises:
            errors.TopicNotExist: there is no such topic.
            errors.InvalidArgument: the message is larger than the topic takes.
            errors.TooManyRequests: no shard of the topic takes more at the moment.
        """
        to = self._topics.find(namespace, name)
        now = self._clock.now()
        first = self._ids.pick(to.shards)
        message_id = self._ids.message_id(now)
        new = publication.accept(draft, to, namespace, message_id=message_id, shard=first, now=now)
        for tried in range(1, to.shards + 1):
            try:
                self._store.put(new)
                break
            except errors.TooManyRequests:
                if tried == to.shards:
                    raise
                new = new.evolve(shard=(first + tried) % to.shards)
        return new


class FanOut:
    """Bring publications to the subscriptions of their topics."""

    def __init__(
        self,
        *,
        subscriptions: subscriptions.Subscriptions,
        deliveries: ports.Deliveries,
        channels: Mapping[endpoint.Kind, ports.Channel],
        fan: ports.Fan,
        clock: ports.Clock,
    ) -> None:
        """Set up.

        Args:
            subscriptions: of the topics.
            deliveries: where those to push endpoints go.
            channels: of which that to queues is used.
            fan: how independent calls are made.
            clock: time.
        """
        self._subscriptions = subscriptions
        self._deliveries = deliveries
        self._channels = channels
        self._fan = fan
        self._clock = clock

    def run(self, new: Sequence[publication.Publication]) -> frozenset[str]:
        """Bring each publication to every subscription that wants it; the ids of those for which it must run again."""
        notifications: list[publication.Notification] = []
        for (namespace, topic_id), group in itertools.groupby(new, lambda item: (item.namespace, item.topic_id)):
            subscribers = self._subscriptions.all(namespace, topic_id)
            notifications += [
                publication.Notification(publication=item, subscription=subscriber)
                for item in group
                for subscriber in subscribers
                if subscriber.takes(item.draft.tag)
            ]
        now = self._clock.now()
        done = self._fan(partial(self._bring, now), notifications)
        return frozenset(
            item.publication.message_id for item, is_done in zip(notifications, done, strict=True) if not is_done
        )

    def _bring(self, now: int, notification: publication.Notification) -> bool:
        """Whether the notification is in its queue, or on its way."""
        try:
            attributes = notification.subscription.attributes
            if attributes.target.kind is endpoint.Kind.QUEUE and not attributes.rate_limit.enabled:
                outcome = self._channels[endpoint.Kind.QUEUE].push(notification)
                if outcome.is_success:
                    return not notification.publication.logged or self._log(notification, now, outcome)
            self._deliveries.put(delivery.begin(notification, now + limits.DELIVERY_LEASE_SECONDS * 1000))
        except errors.MnsError:
            return False
        return True

    def _log(self, notification: publication.Notification, now: int, outcome: delivery.Outcome) -> bool:
        attempt = delivery.Attempt(started_at=now, status=outcome.status)
        self._deliveries.put(
            delivery.begin(notification, now).evolve(due_at=None, state=delivery.State.DELIVERED, attempts=(attempt,))
        )
        return True
