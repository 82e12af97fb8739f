"""Counts of messages in the table `tallies`, one item per partition of the messages table.

A tally remembers the sequence of the newest change it holds, so that a change that comes again counts once.
"""

from collections.abc import Mapping, Sequence

from chalicelib.model import limits, queue
from chalicelib.storage import batches, client, errors, items, schema

_STATES = ("active", "inactive", "delayed")
_SEQUENCE_LENGTH = 40  # DynamoDB's longest


class Tallies:
    """The port `Tallies` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, batches: batches.Batches, prefix: str) -> None:
        self._gate = gate
        self._batches = batches
        self._table = prefix + schema.TALLIES.name

    def counts(self, partitions: Sequence[str]) -> Mapping[str, queue.Counts]:
        found = self._batches.read(self._table, [_key(partition) for partition in partitions])
        return {item["pk"]["S"]: _decode(item) for item in found}

    def apply(self, partition: str, deltas: Sequence[tuple[str, queue.Counts]]) -> None:
        while True:
            answer = self._gate.get_item(TableName=self._table, Key=_key(partition), ConsistentRead=True)
            last = answer.get("Item", {}).get("sequence", {}).get("S")
            fresh = [(_padded(sequence), delta) for sequence, delta in deltas]
            fresh = [(sequence, delta) for sequence, delta in fresh if last is None or sequence > last]
            if not fresh:
                return
            try:
                self._add(partition, last, fresh[-1][0], queue.total([delta for _, delta in fresh]))
            except errors.ConditionFailed:
                continue  # another one counted meanwhile: see what is still fresh
            return

    def retire(self, partition: str, *, now: int) -> None:
        self._gate.update_item(
            TableName=self._table,
            Key=_key(partition),
            UpdateExpression="SET #ttl = :ttl",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues={":ttl": items.number(now // 1000 + limits.TALLY_SLACK_SECONDS)},
        )

    def _add(self, partition: str, last: str | None, newest: str, delta: queue.Counts) -> None:
        values = {f":{state}": items.number(getattr(delta, state)) for state in _STATES}
        values[":newest"] = items.text(newest)
        if last is not None:
            values[":last"] = items.text(last)
        self._gate.update_item(
            TableName=self._table,
            Key=_key(partition),
            UpdateExpression="SET #sequence = :newest ADD active :active, inactive :inactive, delayed :delayed",
            ConditionExpression="attribute_not_exists(#sequence)" if last is None else "#sequence = :last",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues=values,
        )


def _decode(item: client.Item) -> queue.Counts:
    # A tally is behind the table by what the stream has not delivered yet; it is never shown below zero.
    return queue.Counts(**{state: max(0, items.integer(item, state)) if state in item else 0 for state in _STATES})


def _padded(sequence: str) -> str:
    return sequence.zfill(_SEQUENCE_LENGTH)


def _key(partition: str) -> client.Item:
    return {"pk": items.text(partition)}
