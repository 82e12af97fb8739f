"""Queues in the table `resources`.

Items: `account#region` · `Q#name` is a queue; `namespaces` · `account#region` says that there may be queues, so that
all of them can be found without a scan. Deleting the queue's item is what starts the purge of its messages.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.model import account, limits, queue
from chalicelib.storage import client, errors, items, schema

_DIRECTORY = "namespaces"
_PREFIX = "Q#"
_NUMBERS = (
    "delay_seconds",
    "maximum_message_size",
    "message_retention_period",
    "visibility_timeout",
    "polling_wait_seconds",
)


class Queues:
    """The port `Queues` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, prefix: str) -> None:
        self._gate = gate
        self._table = prefix + schema.RESOURCES.name
        self._registered: set[account.Namespace] = set()

    def get(self, namespace: account.Namespace, name: str) -> queue.Queue | None:
        answer = self._gate.get_item(TableName=self._table, Key=_key(namespace, name), ConsistentRead=True)
        return decode(answer["Item"]) if "Item" in answer else None

    def create(self, namespace: account.Namespace, new: queue.Queue) -> queue.Queue | None:
        self._register(namespace)
        try:
            self._gate.put_item(
                TableName=self._table,
                Item=_key(namespace, new.name) | _encode(new),
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except errors.ConditionFailed as failure:
            taken = decode(failure.item) if failure.item else self.get(namespace, new.name)
            return taken or self.create(namespace, new)  # deleted meanwhile: the name is free again
        return None

    def change(
        self, namespace: account.Namespace, name: str, change: queue.QueueChange, modified_at: int
    ) -> queue.Queue | None:
        values = {f":{field}": _attribute(value) for field, value in change.named().items()}
        sets = [f"{field} = :{field}" for field in change.named()]
        try:
            answer = self._gate.update_item(
                TableName=self._table,
                Key=_key(namespace, name),
                UpdateExpression="SET " + ", ".join([*sets, "modified_at = :modified_at"]),
                ExpressionAttributeValues=values | {":modified_at": items.number(modified_at)},
                ConditionExpression="attribute_exists(pk)",
                ReturnValues="ALL_NEW",
            )
        except errors.ConditionFailed:
            return None
        return decode(answer["Attributes"])

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        answer = self._gate.delete_item(TableName=self._table, Key=_key(namespace, name), ReturnValues="ALL_OLD")
        return "Attributes" in answer

    def list(self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int) -> queue.Page:
        nothing = queue.Page(queues=(), marker=None)
        if len(prefix) > limits.QUEUE_NAME_LENGTH:
            return nothing
        if after is not None and not after.startswith(prefix):
            if after > prefix:
                return nothing
            after = None  # all names with the prefix come after it
        found: list[queue.Queue] = []
        start = None if after is None else _key(namespace, after)
        for item in self._items(namespace, prefix, start, limit + 1):
            found.append(decode(item))
            if len(found) > limit:
                return queue.Page(queues=tuple(found[:limit]), marker=found[limit - 1].name)
        return queue.Page(queues=tuple(found), marker=None)

    def count(self, namespace: account.Namespace) -> int:
        return sum(page["Count"] for page in self._pages(_partition(namespace), _PREFIX, {"Select": "COUNT"}))

    def everywhere(self) -> Iterator[queue.Queue]:
        for page in self._pages(_DIRECTORY, "", {}):
            for item in page["Items"]:
                for answer in self._pages(item["sk"]["S"], _PREFIX, {}):
                    yield from map(decode, answer["Items"])

    def forget(self) -> None:
        """Take nothing for stored that an engine may have lost."""
        self._registered.clear()

    def _register(self, namespace: account.Namespace) -> None:
        if namespace not in self._registered:
            item = {"pk": items.text(_DIRECTORY), "sk": items.text(_partition(namespace))}
            self._gate.put_item(TableName=self._table, Item=item)
            self._registered.add(namespace)

    def _items(
        self, namespace: account.Namespace, prefix: str, start: client.Item | None, page_size: int
    ) -> Iterator[client.Item]:
        arguments: dict[str, Any] = {"Limit": page_size}
        if start is not None:
            arguments["ExclusiveStartKey"] = start
        for page in self._pages(_partition(namespace), _PREFIX + prefix, arguments):
            yield from page["Items"]

    def _pages(self, partition: str, prefix: str, arguments: dict[str, Any]) -> Iterator[dict[str, Any]]:
        condition = "pk = :pk AND begins_with(sk, :prefix)" if prefix else "pk = :pk"
        values = {":pk": items.text(partition)} | ({":prefix": items.text(prefix)} if prefix else {})
        while True:
            page = self._gate.query(
                TableName=self._table,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                ConsistentRead=True,
                **arguments,
            )
            yield page
            if "LastEvaluatedKey" not in page:
                return
            arguments = arguments | {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def read_deletions(records: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, queue.Queue]]:
    """The queues whose deletion is in records of the table's stream, each with the record's sequence number."""
    for record in records:
        change = record["dynamodb"]
        if record["eventName"] == "REMOVE" and change["Keys"]["sk"]["S"].startswith(_PREFIX):
            yield change["SequenceNumber"], decode(change["OldImage"])


def decode(item: client.Item) -> queue.Queue:
    """The queue in an item."""
    return queue.Queue(
        name=item["sk"]["S"].removeprefix(_PREFIX),
        queue_id=item["queue_id"]["S"],
        shards=items.integer(item, "shards"),
        attributes=queue.QueueAttributes(
            **{name: items.integer(item, name) for name in _NUMBERS}, logging_enabled=item["logging_enabled"]["BOOL"]
        ),
        created_at=items.integer(item, "created_at"),
        modified_at=items.integer(item, "modified_at"),
    )


def _encode(new: queue.Queue) -> client.Item:
    return {
        "queue_id": items.text(new.queue_id),
        "shards": items.number(new.shards),
        **{name: items.number(getattr(new.attributes, name)) for name in _NUMBERS},
        "logging_enabled": {"BOOL": new.attributes.logging_enabled},
        "created_at": items.number(new.created_at),
        "modified_at": items.number(new.modified_at),
    }


def _attribute(value: int) -> dict[str, Any]:
    return {"BOOL": value} if isinstance(value, bool) else items.number(value)


def _partition(namespace: account.Namespace) -> str:
    return f"{namespace.account_id}#{namespace.region}"


def _key(namespace: account.Namespace, name: str) -> client.Item:
    return {"pk": items.text(_partition(namespace)), "sk": items.text(_PREFIX + name)}
