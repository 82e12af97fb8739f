"""Publications in the table `publications`, one item each: `topic_id#shard` · message id.

An item holds all that the fan-out needs, so that its stream record is enough. It outlives its retention a little, for
the deliveries that end with it.

Only the changes of one and the same item come in their order from a stream. So each message group of a FIFO topic has
an item, `topic_id#shard` · `G#group`, that names the newest publication, and the fan-out follows its records. It is
written after the publication: if it never is, the publisher has had no answer.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chalicelib.broker import ports
from chalicelib.model import account, group, limits, publication, queue, topic
from chalicelib.model import errors as model_errors
from chalicelib.storage import batches, client, errors, items, schema, sealing

_GROUP = "G#"
_CLOSED: client.Item = {"body": items.text("(cannot be decrypted)")}  # in place of what is there


class Publications:
    """The port `Publications` on DynamoDB."""

    def __init__(self, *, gate: errors.Gate, batches: batches.Batches, sealing: sealing.Sealing, prefix: str) -> None:
        self._gate = gate
        self._sealing = sealing
        self._batches = batches
        self._table = prefix + schema.PUBLICATIONS.name

    def put(self, new: publication.Publication) -> None:
        self._gate.put_item(TableName=self._table, Item=self._encode(new))
        self._tell_of(new)

    def put_once(self, new: publication.Publication) -> bool:
        is_new = True
        try:
            self._gate.put_item(
                TableName=self._table, Item=self._encode(new), ConditionExpression="attribute_not_exists(pk)"
            )
        except errors.ConditionFailed:
            is_new = False
        self._tell_of(new)  # again, for whoever stored it may not have got so far
        return is_new

    def get_all(self, keys: Sequence[ports.PublicationKey]) -> Mapping[ports.PublicationKey, publication.Publication]:
        found = self._batches.read(
            self._table,
            [{"pk": items.text(topic.partition(key[0], key[1])), "sk": items.text(key[2])} for key in keys],
        )
        decoded = [self._decode(item) for item in found]
        return {(item.topic_id, item.shard, item.message_id): item for item in decoded}

    def read_new(
        self, records: Iterable[Mapping[str, Any]]
    ) -> Iterator[tuple[str, publication.Publication | ports.PublicationKey]]:
        """The publications that records of the table's stream tell of, each with the record's sequence number.

        Of those of FIFO topics, the key, in their order.
        """
        for record in records:
            change = record["dynamodb"]
            new, sequence = change.get("NewImage") or {}, change["SequenceNumber"]
            if _is_group(change):
                if "newest" in new:  # moto tells of an item without attributes first
                    topic_id, _, shard = change["Keys"]["pk"]["S"].rpartition("#")
                    yield sequence, (topic_id, int(shard), new["newest"]["S"])
            elif record["eventName"] == "INSERT" and "ordered" not in new:
                yield sequence, self._decode(new)

    def _tell_of(self, new: publication.Publication) -> None:
        """Have the fan-out follow in the order of the message's group, if it is in one of a FIFO topic."""
        if new.ordered and new.draft.group_id is not None:
            self._gate.update_item(
                TableName=self._table,
                Key={
                    "pk": items.text(topic.partition(new.topic_id, new.shard)),
                    "sk": items.text(_GROUP + group.key(new.draft.group_id)),
                },
                UpdateExpression="SET newest = :newest, #ttl = :ttl",
                ExpressionAttributeNames={"#ttl": "ttl"},
                ExpressionAttributeValues={":newest": items.text(new.message_id), ":ttl": _ttl(new)},
            )

    def _encode(self, new: publication.Publication) -> client.Item:
        item: client.Item = {
            "pk": items.text(topic.partition(new.topic_id, new.shard)),
            "sk": items.text(new.message_id),
            "namespace": items.text(f"{new.namespace.account_id}#{new.namespace.region}"),
            "topic": items.text(new.topic_name),
            "published_at": items.number(new.published_at),
            "expires_at": items.number(new.expires_at),
            "logged": {"BOOL": new.logged},
            "ttl": _ttl(new),
        }
        if new.ordered:
            item["ordered"] = {"BOOL": True}
        if new.draft.tag:
            item["tag"] = items.text(new.draft.tag)
        if new.draft.group_id is not None:
            item["group_id"] = items.text(new.draft.group_id)
        payload = _encode_payload(new.draft)
        if new.sealed_by is not None:
            payload = self._sealing.seal(payload, of=new.topic_id, message_id=new.message_id, by=new.sealed_by)
        return item | payload

    def _decode(self, item: client.Item) -> publication.Publication:
        topic_id, _, shard = item["pk"]["S"].rpartition("#")
        account_id, _, region = item["namespace"]["S"].partition("#")
        try:
            payload = self._sealing.open(item, of=topic_id, message_id=item["sk"]["S"])
        except model_errors.InternalError:  # its key is switched off, say: no reason to hold up all others
            payload = _CLOSED
        return publication.Publication(
            message_id=item["sk"]["S"],
            namespace=account.Namespace(account_id=account_id, region=region),
            topic_id=topic_id,
            topic_name=item["topic"]["S"],
            shard=int(shard),
            published_at=items.integer(item, "published_at"),
            expires_at=items.integer(item, "expires_at"),
            logged=item["logged"]["BOOL"],
            sealed_by=sealing.key_of(item),
            draft=publication.Draft(
                body=payload["body"]["S"],
                tag=item["tag"]["S"] if "tag" in item else "",
                group_id=item["group_id"]["S"] if "group_id" in item else None,
                user_properties=items.decode_properties(payload, "user"),
                system_properties=items.decode_properties(payload, "system"),
                attributes=_attributes(payload),
            ),
            ordered="ordered" in item,
            is_open=payload is not _CLOSED,
        )


def read_changes(records: Iterable[Mapping[str, Any]]) -> Iterator[ports.Change]:
    """What records of the table's stream change in the number of publications held."""
    for record in records:
        change = record["dynamodb"]
        if _is_group(change):
            continue
        yield ports.Change(
            partition=change["Keys"]["pk"]["S"],
            sequence=change["SequenceNumber"],
            delta=queue.Counts(active=bool(change.get("NewImage")) - bool(change.get("OldImage"))),
        )


def _is_group(change: Mapping[str, Any]) -> bool:
    return bool(change["Keys"]["sk"]["S"].startswith(_GROUP))


def _ttl(new: publication.Publication) -> dict[str, str]:
    return items.number(new.expires_at // 1000 + limits.PUBLICATION_SLACK_SECONDS)


def _encode_payload(draft: publication.Draft) -> client.Item:
    """What is encrypted, if anything is."""
    payload: client.Item = {"body": items.text(draft.body)}
    if draft.user_properties:
        payload["user"] = items.text(items.encode_properties(draft.user_properties))
    if draft.system_properties:
        payload["system"] = items.text(items.encode_properties(draft.system_properties))
    if draft.attributes != publication.Attributes():
        payload["attributes"] = items.text(json.dumps(dataclasses.asdict(draft.attributes), ensure_ascii=False))
    return payload


def _attributes(item: client.Item) -> publication.Attributes:
    if "attributes" not in item:
        return publication.Attributes()
    found = json.loads(item["attributes"]["S"])
    return publication.Attributes(
        mail=publication.MailAttributes(**found["mail"]) if found["mail"] else None,
        sms=publication.SmsAttributes(**_tuples(found["sms"])) if found["sms"] else None,
        push=publication.PushAttributes(**_tuples(found["push"])) if found["push"] else None,
    )


def _tuples(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _tuple(value) for name, value in members.items()}


def _tuple(value: Any) -> Any:
    """A value from JSON, its lists as tuples."""
    return tuple(map(_tuple, value)) if isinstance(value, list) else value
