"""Subscriptions in the table `resources`, under `S#topic id#name`.

The topic's id and not its name is in the key: a topic that is made anew under an old name has none of the old
subscriptions, whether or not they have been purged yet.
"""

from chalicelib.model import account, limits, retry, subscription, topic
from chalicelib.storage import client, controls, items, resources


class Subscriptions:
    """The port `Subscriptions` on DynamoDB."""

    def __init__(self, *, resources: resources.Resources) -> None:
        self._resources = resources

    def get(self, namespace: account.Namespace, topic_id: str, name: str) -> subscription.Subscription | None:
        item = self._resources.get(namespace, _kind(topic_id) + name)
        return _decode(namespace, item) if item else None

    def create(self, new: subscription.Subscription) -> subscription.Subscription | None:
        taken = self._resources.create(new.namespace, _kind(new.topic_id) + new.name, _encode(new))
        return _decode(new.namespace, taken) if taken else None

    def change(
        self, of: subscription.Subscription, change: subscription.SubscriptionChange, modified_at: int
    ) -> subscription.Subscription | None:
        values = {name: controls.encode(value) for name, value in change.named().items()}
        item = self._resources.change(
            of.namespace, _kind(of.topic_id) + of.name, values | {"modified_at": items.number(modified_at)}
        )
        return _decode(of.namespace, item) if item else None

    def delete(self, namespace: account.Namespace, topic_id: str, name: str) -> bool:
        return self._resources.delete(namespace, _kind(topic_id) + name)

    def list(
        self, namespace: account.Namespace, topic_id: str, *, prefix: str, after: str | None, limit: int
    ) -> subscription.Page:
        if len(prefix) > limits.SUBSCRIPTION_NAME_LENGTH:
            return subscription.Page(subscriptions=(), marker=None)
        found, more = self._resources.page(namespace, _kind(topic_id), prefix=prefix, after=after, limit=limit)
        subscriptions = tuple(_decode(namespace, item) for item in found)
        return subscription.Page(subscriptions=subscriptions, marker=subscriptions[-1].name if more else None)

    def all(self, namespace: account.Namespace, topic_id: str) -> tuple[subscription.Subscription, ...]:
        return tuple(_decode(namespace, item) for item in self._resources.all(namespace, _kind(topic_id)))

    def purge(self, namespace: account.Namespace, of: topic.Topic) -> None:
        for item in self._resources.all(namespace, _kind(of.topic_id)):
            self._resources.delete(namespace, item["sk"]["S"])


def _kind(topic_id: str) -> str:
    return f"S#{topic_id}#"


def _decode(namespace: account.Namespace, item: client.Item) -> subscription.Subscription:
    _, topic_id, name = item["sk"]["S"].split("#")
    return subscription.Subscription(
        name=name,
        subscription_id=item["subscription_id"]["S"],
        namespace=namespace,
        topic_name=item["topic_name"]["S"],
        topic_id=topic_id,
        attributes=subscription.SubscriptionAttributes(
            endpoint=item["endpoint"]["S"],
            filter_tag=item["filter_tag"]["S"],
            strategy=retry.Strategy(item["strategy"]["S"]),
            content_format=subscription.Format(item["content_format"]["S"]),
            dead_letter_queue=item["dead_letter_queue"]["S"],
            role_arn=item["role_arn"]["S"] if "role_arn" in item else "",
            **controls.decode_policies(item),
        ),
        created_at=items.integer(item, "created_at"),
        modified_at=items.integer(item, "modified_at"),
    )


def _encode(new: subscription.Subscription) -> client.Item:
    return {
        "subscription_id": items.text(new.subscription_id),
        "topic_name": items.text(new.topic_name),
        "endpoint": items.text(new.attributes.endpoint),
        "filter_tag": items.text(new.attributes.filter_tag),
        "strategy": items.text(new.attributes.strategy.value),
        "content_format": items.text(new.attributes.content_format.value),
        "dead_letter_queue": items.text(new.attributes.dead_letter_queue),
        "created_at": items.number(new.created_at),
        "modified_at": items.number(new.modified_at),
        **({"role_arn": items.text(new.attributes.role_arn)} if new.attributes.role_arn else {}),
        **controls.encode_policies(new.attributes),
    }
