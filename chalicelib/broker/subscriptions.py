"""What can be done with subscriptions."""

from collections.abc import Callable, Sequence

from chalicelib.broker import cache, ports, topics
from chalicelib.model import account, endpoint, errors, limits, queue, resource, subscription, topic


class Subscriptions:
    """Subscribe, change, look up, list and unsubscribe."""

    def __init__(
        self,
        *,
        topics: topics.Topics,
        store: ports.Subscriptions,
        find_queue: Callable[[account.Namespace, str], queue.Queue],
        clock: ports.Clock,
        ids: ports.Ids,
    ) -> None:
        """Set up.

        Args:
            topics: to which they belong.
            store: the subscriptions.
            find_queue: finds a queue by its name; raises errors.QueueNotExist.
            clock: time.
            ids: makes their ids.
        """
        self._topics = topics
        self._store = store
        self._find_queue = find_queue
        self._clock = clock
        self._ids = ids
        self._known: cache.Cache[tuple[account.Namespace, str, str], subscription.Subscription] = cache.Cache(
            clock, lambda key: store.get(*key)
        )

    def subscribe(
        self,
        namespace: account.Namespace,
        topic_name: str,
        name: str,
        attributes: subscription.SubscriptionAttributes,
    ) -> tuple[subscription.Subscription, bool]:
        """Subscribe an endpoint to a topic; say whether the subscription is new.

        Raises:
            errors.TopicNotExist: there is no such topic.
            errors.SubscriptionAlreadyExist: there is one of this name that differs.
            errors.SubscriptionNumExceededLimit: the topic has as many subscriptions as it may have.
            errors.EndpointInvalid: the endpoint is a queue of somewhere else, or takes less than the topic.
            errors.SubscriptionNameInvalid, errors.SubscriptionNameLengthError: no subscription may be called so.
        """
        subscription.check_name(name)
        to = self._topics.get(namespace, topic_name)
        existing = self._store.get(namespace, to.topic_id, name)
        if existing is None:
            self._check_endpoint(attributes.target, namespace, to)
            if len(self._store.all(namespace, to.topic_id)) >= limits.SUBSCRIPTIONS_PER_TOPIC:
                raise errors.SubscriptionNumExceededLimit(
                    f"The topic has {limits.SUBSCRIPTIONS_PER_TOPIC} subscriptions, the most it may have."
                )
            now = self._clock.now()
            new = subscription.Subscription(
                name=name,
                subscription_id=self._ids.queue_id(),
                namespace=namespace,
                topic_name=to.name,
                topic_id=to.topic_id,
                attributes=attributes,
                created_at=now,
                modified_at=now,
            )
            existing = self._store.create(new)
            if existing is None:
                return new, True
        if not existing.attributes.answers(attributes):
            raise errors.SubscriptionAlreadyExist
        return existing, False

    def set_attributes(
        self, namespace: account.Namespace, topic_name: str, name: str, change: subscription.SubscriptionChange
    ) -> None:
        """Change the attributes named; deliveries that are under way follow them.

        Raises:
            errors.TopicNotExist, errors.SubscriptionNotExist: there is no such topic or subscription.
            errors.InvalidArgument: an attribute cannot be like this; none is changed then.
        """
        found = self.get(namespace, topic_name, name)
        found.attributes.evolve(change)
        self._known.forget((namespace, found.topic_id, name))
        if self._store.change(found, change, self._clock.now()) is None:
            raise errors.SubscriptionNotExist

    def get(self, namespace: account.Namespace, topic_name: str, name: str) -> subscription.Subscription:
        """The subscription as it is now.

        Raises:
            errors.TopicNotExist, errors.SubscriptionNotExist: there is no such topic or subscription.
        """
        to = self._topics.get(namespace, topic_name)
        found = self._store.get(namespace, to.topic_id, name) if subscription.is_name(name) else None
        if found is None:
            raise errors.SubscriptionNotExist
        return found

    def find(self, namespace: account.Namespace, topic_id: str, name: str) -> subscription.Subscription | None:
        """The subscription, at most `limits.CACHE_SECONDS` old; None: it is no more."""
        return self._known.get((namespace, topic_id, name))

    def unsubscribe(self, namespace: account.Namespace, topic_name: str, name: str) -> None:
        """Delete a subscription; deleting none is no error.

        Raises:
            errors.TopicNotExist: there is no such topic.
        """
        to = self._topics.get(namespace, topic_name)
        if subscription.is_name(name):
            self._store.delete(namespace, to.topic_id, name)
        self._known.forget((namespace, to.topic_id, name))

    def list(
        self, namespace: account.Namespace, topic_name: str, *, prefix: str, after: str | None, limit: int
    ) -> subscription.Page:
        """One page of a topic's subscriptions, ascending by name.

        Raises:
            errors.TopicNotExist: there is no such topic.
        """
        to = self._topics.get(namespace, topic_name)
        return self._store.list(namespace, to.topic_id, prefix=prefix, after=after, limit=limit)

    def search(
        self,
        namespace: account.Namespace,
        topic_name: str,
        wanted: subscription.Filter,
        window: resource.Window,
    ) -> tuple[Sequence[subscription.Subscription], int]:
        """One page of a topic's subscriptions that are wanted, ascending by name, and how many there are of them.

        Raises:
            errors.TopicNotExist: there is no such topic.
        """
        found = list(filter(wanted.takes, self.all(namespace, self._topics.get(namespace, topic_name).topic_id)))
        return window.of(found), len(found)

    def all(self, namespace: account.Namespace, topic_id: str) -> tuple[subscription.Subscription, ...]:
        """All subscriptions of a topic, as they are now."""
        return self._store.all(namespace, topic_id)

    def forget(self) -> None:
        """Load everything anew the next time it is asked for."""
        self._known.clear()

    def _check_endpoint(self, target: endpoint.Endpoint, namespace: account.Namespace, to: topic.Topic) -> None:
        if not isinstance(target, endpoint.Queue):
            if to.is_fifo:
                raise errors.EndpointInvalid(f"The topic {to.name} is a FIFO topic: the endpoint should be a queue.")
            return
        if not target.is_in(namespace):
            raise errors.EndpointInvalid("The queue of the endpoint should be of the topic's account and region.")
        try:
            found = self._find_queue(namespace, target.name)
        except errors.QueueNotExist:
            return  # it may be created yet; until then deliveries to it fail
        if found.is_fifo and not to.is_fifo:
            raise errors.EndpointInvalid(f"The queue {target.name} is a FIFO queue: the topic should be a FIFO topic.")
        if found.attributes.maximum_message_size < to.attributes.maximum_message_size:
            raise errors.EndpointInvalid(
                f"The queue {target.name} takes messages of {found.attributes.maximum_message_size} bytes,"
                f" but the topic of {to.attributes.maximum_message_size}."
            )
