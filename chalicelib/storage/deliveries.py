"""Deliveries in the table `deliveries`, one item each: `subscription_id#shard` · message id.

While one is pending it has an entry in the index `due`: `shard` · when it is due. The index is read eventually
consistently, so what it names is read again before anything is done. Finished ones stay as the log, until their time
to live is over.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.broker import ports
from chalicelib.model import account, delivery, limits
from chalicelib.storage import batches, client, errors, items, schema

_PENDING = delivery.State.PENDING.value


class Deliveries:
    """The port `Deliveries` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, batches: batches.Batches, prefix: str) -> None:
        self._gate = gate
        self._batches = batches
        self._table = prefix + schema.DELIVERIES.name

    def put(self, new: delivery.Delivery) -> bool:
        try:
            self._gate.put_item(
                TableName=self._table, Item=_encode(new), ConditionExpression="attribute_not_exists(pk)"
            )
        except errors.ConditionFailed:
            return False
        return True

    def record(self, before: delivery.Delivery, after: delivery.Delivery) -> bool:
        fresh = after.attempts[len(before.attempts) :]
        sets = ["outcome = :outcome", "detail = :detail", "tried = :tried", "attempts = list_append(attempts, :fresh)"]
        values = {
            ":outcome": items.text(after.state.value),
            ":detail": items.text(after.detail),
            ":tried": items.number(len(after.attempts)),
            ":before": items.number(len(before.attempts)),
            ":pending": items.text(_PENDING),
            ":fresh": {"L": [items.text(f"{attempt.started_at} {attempt.status}") for attempt in fresh]},
        }
        if after.due_at is None:
            change = f"SET {', '.join(sets)} REMOVE due_shard, due_key"
        else:
            change = f"SET {', '.join([*sets, 'due_key = :due'])}"
            values[":due"] = items.text(_due_key(after.due_at))
        try:
            self._gate.update_item(
                TableName=self._table,
                Key=_key(before),
                UpdateExpression=change,
                ConditionExpression="tried = :before AND outcome = :pending",
                ExpressionAttributeValues=values,
            )
        except errors.ConditionFailed:
            return False
        return True

    def due(self, now: int, *, limit: int, besides: frozenset[tuple[str, str]] = frozenset()) -> ports.Due:
        keys: list[client.Item] = []
        next_due: int | None = None
        for shard in range(limits.DUE_SHARDS):
            due, moment = self._due_in(shard, now, limit, besides)
            keys += due
            if moment is not None:
                next_due = moment if next_due is None else min(moment, next_due)
        found = [_decode(item) for item in self._batches.read(self._table, keys)] if keys else []
        still = [item for item in found if item.due_at is not None and item.due_at <= now]
        return ports.Due(deliveries=tuple(sorted(still, key=lambda item: item.due_at or 0)), next_due=next_due)

    def _due_in(
        self, shard: int, now: int, limit: int, besides: frozenset[tuple[str, str]]
    ) -> tuple[list[client.Item], int | None]:
        """The keys of what one shard of the index says is due, and when the next one is."""
        keys: list[client.Item] = []
        start: dict[str, Any] = {}
        for _ in range(limits.DUE_PAGES):
            page = self._gate.query(
                TableName=self._table,
                IndexName=schema.DUE.name,
                KeyConditionExpression="due_shard = :shard",
                ExpressionAttributeValues={":shard": items.text(str(shard))},
                Limit=limit + 1,
                **start,
            )
            for entry in page["Items"]:
                moment = int(entry["due_key"]["S"])
                if moment > now:
                    return keys, moment
                if (entry["pk"]["S"].rpartition("#")[0], entry["sk"]["S"]) in besides:
                    continue
                if len(keys) == limit:
                    return keys, moment
                keys.append({"pk": entry["pk"], "sk": entry["sk"]})
            if "LastEvaluatedKey" not in page:
                return keys, None
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return keys, now  # there are more than are looked through in one go

    def newest(self, subscription_id: str, *, limit: int) -> Sequence[delivery.Delivery]:
        found: list[client.Item] = []
        for shard in range(limits.DELIVERY_SHARDS):
            start: dict[str, Any] = {}
            missing = limit
            while missing > 0:
                page = self._gate.query(
                    TableName=self._table,
                    KeyConditionExpression="pk = :pk",
                    ExpressionAttributeValues={":pk": items.text(delivery.partition(subscription_id, shard))},
                    ScanIndexForward=False,
                    Limit=missing,
                    **start,
                )
                found += page["Items"]
                missing -= len(page["Items"])
                if "LastEvaluatedKey" not in page:
                    break
                start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return [_decode(item) for item in found]


def read_new(records: Iterable[Mapping[str, Any]]) -> Iterator[delivery.Delivery]:
    """The deliveries that records of the table's stream tell of, as they were made."""
    for record in records:
        if record["eventName"] == "INSERT" and record["dynamodb"]["NewImage"]["outcome"]["S"] == _PENDING:
            yield _decode(record["dynamodb"]["NewImage"])


def due_moment(image: client.Item) -> int | None:
    """When the delivery in a stream record's image is due (ms); None: it is finished."""
    return int(image["due_key"]["S"]) if "due_key" in image else None


def _encode(new: delivery.Delivery) -> client.Item:
    item: client.Item = {
        **_key(new),
        "subscription": items.text(new.subscription_name),
        "namespace": items.text(f"{new.namespace.account_id}#{new.namespace.region}"),
        "topic": items.text(new.topic_name),
        "topic_id": items.text(new.topic_id),
        "topic_shard": items.number(new.topic_shard),
        "published_at": items.number(new.published_at),
        "expires_at": items.number(new.expires_at),
        "outcome": items.text(new.state.value),
        "detail": items.text(new.detail),
        "tried": items.number(len(new.attempts)),
        "attempts": {"L": [items.text(f"{attempt.started_at} {attempt.status}") for attempt in new.attempts]},
        "ttl": items.number(new.expires_at // 1000 + limits.PUBLICATION_SLACK_SECONDS),
    }
    if new.due_at is not None:
        item["due_shard"] = items.text(str(int(new.message_id[-8:-4], 16) % limits.DUE_SHARDS))
        item["due_key"] = items.text(_due_key(new.due_at))
    return item


def _decode(item: client.Item) -> delivery.Delivery:
    account_id, _, region = item["namespace"]["S"].partition("#")
    return delivery.Delivery(
        subscription_id=item["pk"]["S"].rpartition("#")[0],
        subscription_name=item["subscription"]["S"],
        namespace=account.Namespace(account_id=account_id, region=region),
        topic_id=item["topic_id"]["S"],
        topic_name=item["topic"]["S"],
        topic_shard=items.integer(item, "topic_shard"),
        message_id=item["sk"]["S"],
        published_at=items.integer(item, "published_at"),
        expires_at=items.integer(item, "expires_at"),
        due_at=int(item["due_key"]["S"]) if "due_key" in item else None,
        state=delivery.State(item["outcome"]["S"]),
        attempts=tuple(_attempt(entry["S"]) for entry in item["attempts"]["L"]),
        detail=item["detail"]["S"],
    )


def _attempt(text: str) -> delivery.Attempt:
    started_at, _, status = text.partition(" ")
    return delivery.Attempt(started_at=int(started_at), status=status)


def _due_key(due_at: int) -> str:
    return f"{due_at:013d}"


def _key(of: delivery.Delivery) -> client.Item:
    return {"pk": items.text(delivery.partition(of.subscription_id, of.shard)), "sk": items.text(of.message_id)}
