"""Payloads of messages: body and properties, with the state while they are small, else apart in the table `bodies`.

A payload that does not fit one write unit together with the state stands apart, for a claim must not pay for 64 KB; it
is stored before the state and swept after it. `_encode` and `_decode` are all that looks into a payload; where a queue
is encrypted, its payloads are sealed between them and the tables.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from chalicelib.model import errors as model_errors
from chalicelib.model import limits, message, queue
from chalicelib.storage import batches, client, errors, items, schema, sealing


class Payloads:
    """The payloads of one deployment."""

    def __init__(
        self, *, gate: errors.Gate, batches: batches.Batches, sealing: sealing.Sealing, prefix: str, inline: int
    ) -> None:
        """Set up; an item may have `inline` bytes with the payload, or the payload stands apart."""
        self._gate = gate
        self._batches = batches
        self._sealing = sealing
        self._table = prefix + schema.BODIES.name
        self._inline = inline

    def join(
        self, of: queue.Queue, new: message.Message, state: client.Item, *, besides: int
    ) -> tuple[client.Item, client.Item | None]:
        """The item of a message and, where the payload stands apart, that of the payload.

        Args:
            of: the queue that the message goes to.
            new: the message.
            state: all else that is to be kept of it.
            besides: bytes of the state at most, what it may grow by included.
        """
        payload = _encode(new)
        encryption = of.attributes.encryption
        if encryption.enabled:
            payload = self._sealing.seal(payload, of=of.queue_id, message_id=new.message_id, by=encryption.key_id)
        if besides + items.size(payload) <= self._inline:
            return state | payload, None
        ttl = items.number(new.expires_at // 1000 + limits.TTL_SLACK_SECONDS)
        return state, payload | {"pk": items.text(new.message_id), "ttl": ttl}

    def put(self, apart: client.Item) -> None:
        """Store a payload that stands apart."""
        self._gate.put_item(TableName=self._table, Item=apart)

    def put_all(self, apart: Sequence[client.Item]) -> frozenset[str]:
        """Store payloads that stand apart; the ids of the messages whose payloads could not be stored."""
        undone = self._batches.write(self._table, [{"PutRequest": {"Item": item}} for item in apart])
        return frozenset(request["PutRequest"]["Item"]["pk"]["S"] for request in undone)

    def once(self, new: message.Message) -> dict[str, Any]:
        """The action of a transaction that marks a message as stored, and fails if it has been marked before."""
        mark = {
            "pk": items.text(f"once#{new.message_id}"),
            "ttl": items.number(new.expires_at // 1000 + limits.TTL_SLACK_SECONDS),
        }
        return {
            "Put": {"TableName": self._table, "Item": mark, "ConditionExpression": "attribute_not_exists(pk)"},
        }

    def complete(
        self,
        of: queue.Queue,
        states: Sequence[tuple[str, client.Item]],
    ) -> Iterator[dict[str, Any]]:
        """The payloads of a queue's messages, each given by its id and its state, as fields of the message."""
        apart = [{"pk": items.text(message_id)} for message_id, state in states if not _is_whole(state)]
        found = {item["pk"]["S"]: item for item in self._batches.read(self._table, apart)} if apart else {}
        for message_id, state in states:
            payload = state if _is_whole(state) else found.get(message_id)
            if payload is None:
                raise model_errors.InternalError(f"The body of the message {message_id} is missing.")
            yield _decode(self._sealing.open(payload, of=of.queue_id, message_id=message_id))


def _is_whole(state: client.Item) -> bool:
    """Whether the payload is with the state."""
    return "body" in state or sealing.is_sealed(state)


def _encode(new: message.Message) -> client.Item:
    payload: client.Item = {"body": items.text(new.body)}
    if new.user_properties:
        payload["user"] = items.text(items.encode_properties(new.user_properties))
    if new.system_properties:
        payload["system"] = items.text(items.encode_properties(new.system_properties))
    return payload


def _decode(payload: client.Item) -> dict[str, Any]:
    return {
        "body": payload["body"]["S"],
        "user_properties": items.decode_properties(payload, "user"),
        "system_properties": items.decode_properties(payload, "system"),
    }
