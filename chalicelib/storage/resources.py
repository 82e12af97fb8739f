"""Items of the table `resources`, by namespace and sort key: what its kinds have in common.

Items: `account#region` · `Q#name` is a queue, `T#name` a topic, `S#topic id#name` a subscription; `namespaces` ·
`account#region` says that there may be some, so that all of them can be found without a scan. Deleting a queue's or a
topic's item is what starts the purge of what belongs to it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.model import account
from chalicelib.storage import client, errors, items, schema

_DIRECTORY = "namespaces"


class Resources:
    """The table on one engine."""

    def __init__(self, *, gate: errors.Gate, prefix: str) -> None:
        self._gate = gate
        self._table = prefix + schema.RESOURCES.name
        self._registered: set[account.Namespace] = set()

    def get(self, namespace: account.Namespace, key: str) -> client.Item | None:
        """The item as it is now."""
        answer = self._gate.get_item(TableName=self._table, Key=_key(namespace, key), ConsistentRead=True)
        return answer.get("Item")

    def create(self, namespace: account.Namespace, key: str, item: client.Item) -> client.Item | None:
        """Store an item and return None; if the key is taken, store nothing and return the item that has it."""
        self._register(namespace)
        try:
            self._gate.put_item(
                TableName=self._table,
                Item=_key(namespace, key) | item,
                ConditionExpression="attribute_not_exists(pk)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except errors.ConditionFailed as failure:
            taken = failure.item or self.get(namespace, key)
            return taken or self.create(namespace, key, item)  # deleted meanwhile: the key is free again
        return None

    def change(self, namespace: account.Namespace, key: str, values: Mapping[str, Any]) -> client.Item | None:
        """Set attributes and return the item; None: there is none."""
        try:
            answer = self._gate.update_item(
                TableName=self._table,
                Key=_key(namespace, key),
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
                ConditionExpression="attribute_exists(pk)",
                ReturnValues="ALL_NEW",
            )
        except errors.ConditionFailed:
            return None
        changed: client.Item = answer["Attributes"]
        return changed

    def delete(self, namespace: account.Namespace, key: str) -> bool:
        """Delete an item; False: there is none."""
        answer = self._gate.delete_item(TableName=self._table, Key=_key(namespace, key), ReturnValues="ALL_OLD")
        return "Attributes" in answer

    def page(
        self, namespace: account.Namespace, kind: str, *, prefix: str, after: str | None, limit: int
    ) -> tuple[list[client.Item], bool]:
        """Up to `limit` items whose keys are `kind` and a name that begins with `prefix` and comes after `after`.

        Returns:
            the items, ascending by name, and whether more follow.
        """
        if after is not None and not after.startswith(prefix):
            if after > prefix:
                return [], False
            after = None  # all names with the prefix come after it
        found: list[client.Item] = []
        arguments: dict[str, Any] = {"Limit": limit + 1}
        if after is not None:
            arguments["ExclusiveStartKey"] = _key(namespace, kind + after)
        for answer in self._pages(_partition(namespace), kind + prefix, arguments):
            found += answer["Items"]
            if len(found) > limit:
                return found[:limit], True
        return found, False

    def all(self, namespace: account.Namespace, kind: str) -> Iterator[client.Item]:
        """All items of one kind, ascending by name."""
        for answer in self._pages(_partition(namespace), kind, {}):
            yield from answer["Items"]

    def count(self, namespace: account.Namespace, kind: str) -> int:
        """How many items of one kind the namespace has."""
        return sum(page["Count"] for page in self._pages(_partition(namespace), kind, {"Select": "COUNT"}))

    def everywhere(self, kind: str) -> Iterator[tuple[account.Namespace, client.Item]]:
        """All items of one kind, of all namespaces."""
        for page in self._pages(_DIRECTORY, "", {}):
            for entry in page["Items"]:
                account_id, _, region = entry["sk"]["S"].partition("#")
                namespace = account.Namespace(account_id=account_id, region=region)
                for item in self.all(namespace, kind):
                    yield namespace, item

    def forget(self) -> None:
        """Take nothing for stored that an engine may have lost."""
        self._registered.clear()

    def _register(self, namespace: account.Namespace) -> None:
        if namespace not in self._registered:
            item = {"pk": items.text(_DIRECTORY), "sk": items.text(_partition(namespace))}
            self._gate.put_item(TableName=self._table, Item=item)
            self._registered.add(namespace)

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


def check(
    prefix: str, namespace: account.Namespace, key: str, attribute: str, value: Mapping[str, Any]
) -> dict[str, Any]:
    """The action of a transaction that fails unless there is an item whose attribute has this value."""
    return {
        "ConditionCheck": {
            "TableName": prefix + schema.RESOURCES.name,
            "Key": _key(namespace, key),
            "ConditionExpression": f"{attribute} = :value",
            "ExpressionAttributeValues": {":value": value},
        }
    }


def _partition(namespace: account.Namespace) -> str:
    return f"{namespace.account_id}#{namespace.region}"


def _key(namespace: account.Namespace, key: str) -> client.Item:
    return {"pk": items.text(_partition(namespace)), "sk": items.text(key)}
