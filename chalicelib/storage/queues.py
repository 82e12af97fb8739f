"""Queues in the table `resources`, under `Q#name`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.model import account, limits, queue
from chalicelib.storage import client, controls, items, resources

_KIND = "Q#"
_NUMBERS = (
    "delay_seconds",
    "maximum_message_size",
    "message_retention_period",
    "visibility_timeout",
    "polling_wait_seconds",
)


class Queues:
    """The port `Queues` on DynamoDB."""

    def __init__(self, *, resources: resources.Resources) -> None:
        self._resources = resources

    def get(self, namespace: account.Namespace, name: str) -> queue.Queue | None:
        item = self._resources.get(namespace, _KIND + name)
        return decode(item) if item else None

    def create(self, namespace: account.Namespace, new: queue.Queue) -> queue.Queue | None:
        taken = self._resources.create(namespace, _KIND + new.name, _encode(new))
        return decode(taken) if taken else None

    def change(
        self, namespace: account.Namespace, name: str, change: queue.QueueChange, modified_at: int
    ) -> queue.Queue | None:
        values = {field: controls.encode(value) for field, value in change.named().items()}
        item = self._resources.change(namespace, _KIND + name, values | {"modified_at": items.number(modified_at)})
        return decode(item) if item else None

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        return self._resources.delete(namespace, _KIND + name)

    def list(self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int) -> queue.Page:
        if len(prefix) > limits.QUEUE_NAME_LENGTH:
            return queue.Page(queues=(), marker=None)
        found, more = self._resources.page(namespace, _KIND, prefix=prefix, after=after, limit=limit)
        queues = tuple(map(decode, found))
        return queue.Page(queues=queues, marker=queues[-1].name if more else None)

    def count(self, namespace: account.Namespace) -> int:
        return self._resources.count(namespace, _KIND)

    def everywhere(self) -> Iterator[tuple[account.Namespace, queue.Queue]]:
        for namespace, item in self._resources.everywhere(_KIND):
            yield namespace, decode(item)


def is_there(prefix: str, namespace: account.Namespace, of: queue.Queue) -> dict[str, Any]:
    """The action of a transaction that fails unless this very queue exists."""
    return resources.check(prefix, namespace, _KIND + of.name, "queue_id", items.text(of.queue_id))


def read_deletions(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, queue.Queue]]:
    """The queues whose deletion is in records of the table's stream, each with the record's sequence number."""
    for record in records:
        change = record["dynamodb"]
        if record["eventName"] == "REMOVE" and change["Keys"]["sk"]["S"].startswith(_KIND):
            yield change["SequenceNumber"], decode(change["OldImage"])


def decode(item: client.Item) -> queue.Queue:
    """The queue in an item."""
    numbers: dict[str, Any] = {name: items.integer(item, name) for name in _NUMBERS}
    return queue.Queue(
        name=item["sk"]["S"].removeprefix(_KIND),
        queue_id=item["queue_id"]["S"],
        shards=items.integer(item, "shards"),
        attributes=queue.QueueAttributes(
            **numbers, **controls.decode_policies(item), logging_enabled=item["logging_enabled"]["BOOL"]
        ),
        created_at=items.integer(item, "created_at"),
        modified_at=items.integer(item, "modified_at"),
        **controls.decode_labels(item),
    )


def _encode(new: queue.Queue) -> client.Item:
    return {
        "queue_id": items.text(new.queue_id),
        "shards": items.number(new.shards),
        **{name: items.number(getattr(new.attributes, name)) for name in _NUMBERS},
        "logging_enabled": {"BOOL": new.attributes.logging_enabled},
        "created_at": items.number(new.created_at),
        "modified_at": items.number(new.modified_at),
        **controls.encode_policies(new.attributes),
        **controls.encode_labels(new.type, new.tags),
    }
