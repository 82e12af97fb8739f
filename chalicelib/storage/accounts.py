"""Attributes of an account in a region, one item of the table `resources`: `account#region` · `A#`."""

from chalicelib.model import account
from chalicelib.storage import client, errors, items, schema


class Accounts:
    """The port `Accounts` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, prefix: str) -> None:
        self._gate = gate
        self._table = prefix + schema.RESOURCES.name

    def attributes(self, namespace: account.Namespace) -> account.AccountAttributes:
        answer = self._gate.get_item(TableName=self._table, Key=_key(namespace), ConsistentRead=True)
        item = answer.get("Item", {})
        return account.AccountAttributes(
            logging_bucket=item["logging_bucket"]["S"] if "logging_bucket" in item else "",
            trace_enabled=items.integer(item, "trace_enabled") if "trace_enabled" in item else 0,
        )

    def change(self, namespace: account.Namespace, change: account.AccountChange) -> None:
        values = {}
        if change.logging_bucket is not None:
            values["logging_bucket"] = items.text(change.logging_bucket)
        if change.trace_enabled is not None:
            values["trace_enabled"] = items.number(change.trace_enabled)
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


def _key(namespace: account.Namespace) -> client.Item:
    return {"pk": items.text(f"{namespace.account_id}#{namespace.region}"), "sk": items.text("A#")}
