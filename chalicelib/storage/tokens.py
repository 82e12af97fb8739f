"""Nonces and client tokens in the table `identities`, under `token#text`, until their time to live ends."""

from chalicelib.broker import ports
from chalicelib.storage import client, errors, items, schema


class Tokens:
    """The port `Tokens` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, prefix: str) -> None:
        self._gate = gate
        self._table = prefix + schema.IDENTITIES.name

    def take(self, token: str, digest: str, *, now: int, until: int) -> ports.Taken | None:
        try:
            self._gate.put_item(
                TableName=self._table,
                Item=_item(token, digest, until),
                ConditionExpression="attribute_not_exists(pk) OR expires_at <= :now",
                ExpressionAttributeValues={":now": items.number(now)},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except errors.ConditionFailed as failure:
            item = failure.item or self._get(token)
            if item is None:
                return self.take(token, digest, now=now, until=until)  # given back meanwhile
            return ports.Taken(digest=item["digest"]["S"], outcome=item["outcome"]["S"] if "outcome" in item else None)
        return None

    def settle(self, token: str, digest: str, outcome: str, *, until: int) -> None:
        item = _item(token, digest, until) | {"outcome": items.text(outcome)}
        self._gate.put_item(TableName=self._table, Item=item)

    def give_back(self, token: str) -> None:
        self._gate.delete_item(TableName=self._table, Key=_key(token))

    def _get(self, token: str) -> client.Item | None:
        return self._gate.get_item(TableName=self._table, Key=_key(token), ConsistentRead=True).get("Item")


def _key(token: str) -> client.Item:
    return {"pk": items.text(f"token#{token}")}


def _item(token: str, digest: str, until: int) -> client.Item:
    return _key(token) | {
        "digest": items.text(digest),
        "expires_at": items.number(until),
        "ttl": items.number(until // 1000 + 1),
    }
