"""Attributes of an account in a region, one item of the table `resources`: `account#region` · `A#`."""

import json

from chalicelib.model import account, acl
from chalicelib.storage import client, controls, errors, items, schema


class Accounts:
    """The ports `Accounts` and `Acls` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, prefix: str) -> None:
        self._gate = gate
        self._table = prefix + schema.RESOURCES.name

    def attributes(self, namespace: account.Namespace) -> account.AccountAttributes:
        item = self._item(namespace)
        bucket = _text(item, "logging_bucket")  # what there was before the other three
        return account.AccountAttributes(
            log_enabled=item["log_enabled"]["BOOL"] if "log_enabled" in item else bool(bucket),
            log_project=_text(item, "log_project") if "log_project" in item else bucket,
            log_store=_text(item, "log_store"),
            trace_enabled=items.integer(item, "trace_enabled") if "trace_enabled" in item else 0,
        )

    def change(self, namespace: account.Namespace, change: account.AccountChange) -> None:
        values = {name: controls.encode(value) for name, value in change.named().items()}
        if values:
            self._gate.update_item(
                TableName=self._table,
                Key=_key(namespace),
                UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in values),
                ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
            )

    def open(self, namespace: account.Namespace, order_id: str) -> str:
        answer = self._gate.update_item(
            TableName=self._table,
            Key=_key(namespace),
            UpdateExpression="SET order_id = if_not_exists(order_id, :order_id)",
            ExpressionAttributeValues={":order_id": items.text(order_id)},
            ReturnValues="ALL_NEW",
        )
        return str(answer["Attributes"]["order_id"]["S"])

    def rules(self, namespace: account.Namespace) -> acl.Acl:
        item = self._item(namespace)
        if "acl" not in item:
            return acl.OPEN
        enabled, entries = json.loads(item["acl"]["S"])
        return acl.Acl(
            enabled=enabled, entries=tuple(acl.Entry(cidr=cidr, created_at=created) for cidr, created in entries)
        )

    def put_rules(self, namespace: account.Namespace, before: acl.Acl, after: acl.Acl) -> bool:
        condition = "acl = :before" if before != acl.OPEN else "attribute_not_exists(acl) OR acl = :before"
        try:
            self._gate.update_item(
                TableName=self._table,
                Key=_key(namespace),
                UpdateExpression="SET acl = :after",
                ConditionExpression=condition,
                ExpressionAttributeValues={":before": _encode_acl(before), ":after": _encode_acl(after)},
            )
        except errors.ConditionFailed:
            return False
        return True

    def _item(self, namespace: account.Namespace) -> client.Item:
        answer = self._gate.get_item(TableName=self._table, Key=_key(namespace), ConsistentRead=True)
        item: client.Item = answer.get("Item", {})
        return item


def _key(namespace: account.Namespace) -> client.Item:
    return {"pk": items.text(f"{namespace.account_id}#{namespace.region}"), "sk": items.text("A#")}


def _text(item: client.Item, name: str) -> str:
    return item[name]["S"] if name in item else ""


def _encode_acl(rules: acl.Acl) -> client.Item:
    return items.text(
        json.dumps([rules.enabled, [[entry.cidr, entry.created_at] for entry in rules.entries]], separators=(",", ":"))
    )
