"""Topics in the table `resources`, under `T#name`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.model import account, limits, topic
from chalicelib.storage import client, controls, items, resources

_KIND = "T#"


class Topics:
    """The port `Topics` on DynamoDB."""

    def __init__(self, *, resources: resources.Resources) -> None:
        self._resources = resources

    def get(self, namespace: account.Namespace, name: str) -> topic.Topic | None:
        item = self._resources.get(namespace, _KIND + name)
        return _decode(item) if item else None

    def create(self, namespace: account.Namespace, new: topic.Topic) -> topic.Topic | None:
        taken = self._resources.create(namespace, _KIND + new.name, _encode(new))
        return _decode(taken) if taken else None

    def change(
        self, namespace: account.Namespace, name: str, change: topic.TopicChange, modified_at: int
    ) -> topic.Topic | None:
        values = {field: controls.encode(value) for field, value in change.named().items()}
        item = self._resources.change(namespace, _KIND + name, values | {"modified_at": items.number(modified_at)})
        return _decode(item) if item else None

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        return self._resources.delete(namespace, _KIND + name)

    def list(self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int) -> topic.Page:
        if len(prefix) > limits.TOPIC_NAME_LENGTH:
            return topic.Page(topics=(), marker=None)
        found, more = self._resources.page(namespace, _KIND, prefix=prefix, after=after, limit=limit)
        topics = tuple(map(_decode, found))
        return topic.Page(topics=topics, marker=topics[-1].name if more else None)

    def count(self, namespace: account.Namespace) -> int:
        return self._resources.count(namespace, _KIND)

    def everywhere(self) -> Iterator[tuple[account.Namespace, topic.Topic]]:
        for namespace, item in self._resources.everywhere(_KIND):
            yield namespace, _decode(item)


def read_deletions(
    records: Iterable[Mapping[str, Any]],
) -> Iterator[tuple[str, tuple[account.Namespace, topic.Topic]]]:
    """The topics whose deletion is in records of the table's stream, each with the record's sequence number."""
    for record in records:
        change = record["dynamodb"]
        if record["eventName"] == "REMOVE" and change["Keys"]["sk"]["S"].startswith(_KIND):
            account_id, _, region = change["Keys"]["pk"]["S"].partition("#")
            namespace = account.Namespace(account_id=account_id, region=region)
            yield change["SequenceNumber"], (namespace, _decode(change["OldImage"]))


def _decode(item: client.Item) -> topic.Topic:
    return topic.Topic(
        name=item["sk"]["S"].removeprefix(_KIND),
        topic_id=item["topic_id"]["S"],
        shards=items.integer(item, "shards"),
        attributes=topic.TopicAttributes(
            maximum_message_size=items.integer(item, "maximum_message_size"),
            logging_enabled=item["logging_enabled"]["BOOL"],
            **controls.decode_policies(item),
        ),
        created_at=items.integer(item, "created_at"),
        modified_at=items.integer(item, "modified_at"),
        **controls.decode_labels(item),
    )


def _encode(new: topic.Topic) -> client.Item:
    return {
        "topic_id": items.text(new.topic_id),
        "shards": items.number(new.shards),
        "maximum_message_size": items.number(new.attributes.maximum_message_size),
        "logging_enabled": {"BOOL": new.attributes.logging_enabled},
        "created_at": items.number(new.created_at),
        "modified_at": items.number(new.modified_at),
        **controls.encode_policies(new.attributes),
        **controls.encode_labels(new.type, new.tags),
    }
