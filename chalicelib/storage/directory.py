"""What accounts have in RAM, in the table `directory`: `account` · `User#name`, `Group#name`, `Role#name`, `Policy#…`.

An entity is one item: its revision, by which changes find out that somebody else was quicker, and its fields as JSON.
The accounts themselves are in the partition `accounts`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.model import ram
from chalicelib.storage import batches, client, errors, items, schema


class Directory:
    """The port `Directory` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, batches: batches.Batches, prefix: str) -> None:
        self._gate = gate
        self._batches = batches
        self._table = prefix + schema.DIRECTORY.name

    def get(self, account_id: str, kind: str, name: str) -> ram.Entity | None:
        key = _key(account_id, kind, name)
        item = self._gate.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else _decode(item)

    def get_all(self, account_id: str, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], ram.Entity]:
        wanted = [_key(account_id, kind, name) for kind, name in dict.fromkeys(keys)]
        found = map(_decode, self._batches.read(self._table, wanted))
        return {(entity.KIND, entity.name): entity for entity in found}

    def put(self, account_id: str, entity: ram.Entity) -> bool:
        # Counted from when it was made: whoever changes what was deleted meanwhile does not meet what was made anew.
        stored = dataclasses.replace(entity, revision=(entity.revision or entity.created_at) + 1)
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if entity.revision:
            condition = {
                "ConditionExpression": "revision = :revision",
                "ExpressionAttributeValues": {":revision": items.number(entity.revision)},
            }
        item = _key(account_id, entity.KIND, entity.name) | _encode(stored)
        try:
            self._gate.put_item(TableName=self._table, Item=item, **condition)
        except errors.ConditionFailed:
            return False
        return True

    def delete(self, account_id: str, entity: ram.Entity) -> bool:
        try:
            self._gate.delete_item(
                TableName=self._table,
                Key=_key(account_id, entity.KIND, entity.name),
                ConditionExpression="revision = :revision",
                ExpressionAttributeValues={":revision": items.number(entity.revision)},
            )
        except errors.ConditionFailed:
            return False
        return True

    def list(self, account_id: str, kind: str, *, after: str | None, limit: int | None) -> ram.Page:
        found: list[ram.Entity] = []
        arguments: dict[str, Any] = {} if limit is None else {"Limit": limit + 1}
        if after is not None:
            arguments["ExclusiveStartKey"] = _key(account_id, kind, after)
        while True:
            page = self._gate.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
                ExpressionAttributeValues={":pk": items.text(account_id), ":prefix": items.text(f"{kind}#")},
                ConsistentRead=True,
                **arguments,
            )
            found += map(_decode, page["Items"])
            if limit is not None and len(found) > limit:
                return ram.Page(entities=tuple(found[:limit]), marker=found[limit - 1].name)
            if "LastEvaluatedKey" not in page:
                return ram.Page(entities=tuple(found))
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _key(account_id: str, kind: str, name: str) -> client.Item:
    return {"pk": items.text(account_id), "sk": items.text(f"{kind}#{name}")}


def _encode(entity: ram.Entity) -> client.Item:
    fields = dataclasses.asdict(entity)
    del fields["name"], fields["revision"]
    return {
        "revision": items.number(entity.revision),
        "fields": items.text(json.dumps(fields, ensure_ascii=False, separators=(",", ":"))),
    }


def _decode(item: client.Item) -> ram.Entity:
    kind, _, name = item["sk"]["S"].partition("#")
    fields = json.loads(item["fields"]["S"])
    if "versions" in fields:
        fields["versions"] = tuple(ram.PolicyVersion(**version) for version in fields["versions"])
    return ram.KINDS[kind](name=name, revision=items.integer(item, "revision"), **fields)
