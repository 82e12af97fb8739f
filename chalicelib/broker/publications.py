"""From one publisher to many endpoints: publish and fan-out.

A publication is one write, whatever the number of subscriptions. The fan-out follows from the stream: it puts messages
straight into queues, and makes a delivery for each other endpoint. Both are found again when it runs twice. What was
published to a FIFO topic goes into each queue one after the other, and not before what was published earlier is there.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from chalicelib.broker import deliveries as dead_ends
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
        for tried in range(1, to.homes + 1):
            try:
                self._store.put(new)
                break
            except errors.TooManyRequests:
                if tried == to.homes:
                    raise
                new = new.evolve(shard=(first + tried) % to.shards)
        return new


class FanOut:
    """Bring publications to the subscriptions of their topics."""

    def __init__(
        self,
        *,
        store: ports.Publications,
        subscriptions: subscriptions.Subscriptions,
        deliveries: ports.Deliveries,
        channels: Mapping[endpoint.Kind, ports.Channel],
        dead_letters: dead_ends.DeadLetters,
        fan: ports.Fan,
        clock: ports.Clock,
    ) -> None:
        """Set up.

        Args:
            store: the publications.
            subscriptions: of the topics.
            deliveries: where those to push endpoints go.
            channels: of which that to queues is used.
            dead_letters: takes what is ordered and cannot be brought.
            fan: how independent calls are made.
            clock: time.
        """
        self._store = store
        self._subscriptions = subscriptions
        self._deliveries = deliveries
        self._channels = channels
        self._dead_letters = dead_letters
        self._fan = fan
        self._clock = clock

    def load(
        self, found: Iterable[tuple[str, publication.Publication | ports.PublicationKey]]
    ) -> list[tuple[str, publication.Publication]]:
        """Publications that are still held, each with what it came with; of those given by their keys, as stored."""
        pairs = list(found)
        keys = list(dict.fromkeys(item for _, item in pairs if isinstance(item, tuple)))
        stored = self._store.get_all(keys) if keys else {}
        whole = [(sequence, stored.get(item) if isinstance(item, tuple) else item) for sequence, item in pairs]
        return [(sequence, item) for sequence, item in whole if item is not None]

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
        rows = _rows(notifications)
        undone = self._fan(partial(self._bring_all, self._clock.now()), rows)
        return frozenset(item.publication.message_id for item in itertools.chain.from_iterable(undone))

    def _bring_all(self, now: int, row: Sequence[publication.Notification]) -> Sequence[publication.Notification]:
        """Bring notifications one after the other; those that are left when one could not be brought."""
        for place, notification in enumerate(row):
            if not self._bring(now, notification):
                return row[place:]
        return []

    def _bring(self, now: int, notification: publication.Notification) -> bool:
        """Whether the notification is in its queue, or on its way."""
        try:
            outcome = self._straight(notification)
            if outcome is not None and outcome.is_success:
                return not notification.publication.logged or self._log(notification, now, outcome)
            if outcome is not None and notification.publication.ordered:
                return self._give_up(notification, now, outcome)
            self._deliveries.put(delivery.begin(notification, now + limits.DELIVERY_LEASE_SECONDS * 1000))
        except errors.MnsError:
            return False
        return True

    def _straight(self, notification: publication.Notification) -> delivery.Outcome | None:
        """What came of putting the notification straight into its queue; None: it has to be delivered.

        So it has to, later, where a key cannot be used: others must not wait for that, but for what is ordered.
        """
        attributes, what = notification.subscription.attributes, notification.publication
        if attributes.target.kind is not endpoint.Kind.QUEUE or attributes.rate_limit.enabled:
            return None
        failure = errors.InternalError("The message cannot be decrypted.")
        if what.is_open:
            try:
                return self._channels[endpoint.Kind.QUEUE].push(notification)
            except errors.InternalError as error:
                failure = error
        if what.ordered:
            raise failure
        return None

    def _give_up(self, notification: publication.Notification, now: int, outcome: delivery.Outcome) -> bool:
        """The end of what is ordered and cannot be brought: a later attempt would come after what follows."""
        state = delivery.State.DEAD if self._dead_letters.take(notification) else delivery.State.FAILED
        return self._log(notification, now, outcome, state)

    def _log(
        self,
        notification: publication.Notification,
        now: int,
        outcome: delivery.Outcome,
        state: delivery.State = delivery.State.DELIVERED,
    ) -> bool:
        attempt = delivery.Attempt(started_at=now, status=outcome.status)
        detail = outcome.detail[: limits.PUSH_DETAIL_LENGTH]
        self._deliveries.put(
            delivery.begin(notification, now).evolve(due_at=None, state=state, attempts=(attempt,), detail=detail)
        )
        return True


def _rows(notifications: Sequence[publication.Notification]) -> list[list[publication.Notification]]:
    """Notifications in rows that may be brought side by side; what is ordered is in one row with its group."""
    rows: dict[object, list[publication.Notification]] = {}
    for place, item in enumerate(notifications):
        of = item.publication
        key = (item.subscription.subscription_id, of.draft.group_id) if of.ordered else place
        rows.setdefault(key, []).append(item)
    return list(rows.values())
