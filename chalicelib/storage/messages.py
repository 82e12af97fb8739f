"""Messages of ordinary queues in the table `messages`, with their payloads while these are small; see `payloads`.

An item of `messages` is `queue_id#shard` · message id. Its place in the life of a message is the index it is in:

    ready_key  PP#visible_at#id   Active: best priority first, then longest visible, then first sent
    timer_key  visible_at#PP      Delayed or Inactive: earliest first; it carries the priority, so that a release needs
                                  no read

A claim moves it from `ready` to `timer`, a release back; both are one conditional write on the key that was seen, so of
two that race one wins. A dead letter leaves the queue for its dead-letter queue in one transaction.

Messages of FIFO queues are in the same table, and `groups` cares for them: `Messages` hands over to it at every verb.
"""

import contextlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from chalicelib.broker import ports
from chalicelib.model import dead_letter, limits, message, queue, receipt
from chalicelib.model import errors as model_errors
from chalicelib.storage import batches, client, contention, errors, groups, items, payloads, queues, schema

_ID_LENGTH = 32
_ID_ORDER = 16  # characters of a message id that carry time and sequence
_PURGE_PAGE = 100
_STATE_BYTES = 206  # of a new item without payload and group id, each of its attributes at its longest
_ROOM = 96  # bytes that an item may grow by when it is claimed
_ROUNDS = 64  # of claims that all go to other consumers, before a receive answers with what it has
_BURIALS = 500  # of expired messages that one receive or peek clears away, before it answers with what it has
_NEXT_PAGE = 100  # entries that a peek reads at once, when the first ones were expired
_DETOURS = 8  # pages of due messages that a release goes through, where dead letters that cannot go are in its way
_FIRST_WAVE = 2  # shards that a receive asks side by side, once the first one had too little ...
_WAVE_GROWTH = 4  # ... and so many times more in each wave that follows
_ONE = {
    message.State.ACTIVE: queue.Counts(active=1),
    message.State.INACTIVE: queue.Counts(inactive=1),
    message.State.DELAYED: queue.Counts(delayed=1),
    None: queue.Counts(),
}
_DELTAS = {(before, after): _ONE[after] - _ONE[before] for before, after in itertools.product(_ONE, repeat=2)}
_STILL_HELD = "attribute_exists(timer_key) AND claim_stamp = :stamp AND visible_at > :now AND expires_at > :now"


class _Loss(Enum):
    """Why a claim got nothing."""

    TAKEN = "taken"  # another consumer was faster
    GONE = "gone"  # the message's retention is over, or it is in the dead-letter queue


@dataclass
class _Haul:
    """What a receive has got so far."""

    items: list[client.Item] = field(default_factory=list)
    next_due: int | None = None  # ms, of what is waiting in the shards seen
    refusal: model_errors.TooManyRequests | None = None  # of a shard that took no more calls


class Messages:
    """The port `Messages` on DynamoDB."""

    def __init__(
        self,
        *,
        gate: errors.Gate,
        batches: batches.Batches,
        payloads: payloads.Payloads,
        fan: client.Fan,
        ids: ports.Ids,
        prefix: str,
    ) -> None:
        """Set up.

        Args:
            gate: the engine.
            batches: batch calls on it.
            payloads: of the messages.
            fan: how independent calls are made.
            ids: picks among candidates under contention.
            prefix: of the tables' names.
        """
        self._gate = gate
        self._batches = batches
        self._fan = fan
        self._ids = ids
        self._prefix = prefix
        self._table = prefix + schema.MESSAGES.name
        self._payloads = payloads
        self._spread = contention.Spread()
        self._groups = groups.Groups(gate=gate, batches=batches, payloads=payloads, fan=fan, ids=ids, prefix=prefix)

    def put(self, of: queue.Queue, new: message.Message) -> None:
        if of.is_fifo:
            return self._groups.put(of, new)
        state, body = self._encode(of, new)
        if body is not None:
            self._payloads.put(body)
        self._gate.put_item(TableName=self._table, Item=state)
        return None

    def put_once(self, of: queue.Queue, new: message.Message) -> bool:
        if of.is_fifo:
            return self._groups.put_once(of, new)
        state, body = self._encode(of, new)
        if body is not None:
            self._payloads.put(body)
        try:
            self._gate.put_item(TableName=self._table, Item=state, ConditionExpression="attribute_not_exists(pk)")
        except errors.ConditionFailed:
            return False
        return True

    def put_all(self, of: queue.Queue, new: Sequence[message.Message]) -> frozenset[str]:
        if of.is_fifo:
            return self._groups.put_all(of, new)
        encoded = [self._encode(of, item) for item in new]
        bodies = [body for _, body in encoded if body is not None]
        homeless = self._payloads.put_all(bodies) if bodies else frozenset()
        states = [state for state, _ in encoded if state["sk"]["S"] not in homeless]
        undone = self._batches.write(self._table, [{"PutRequest": {"Item": item}} for item in states])
        return homeless | {request["PutRequest"]["Item"]["sk"]["S"] for request in undone}

    def claim(
        self, of: queue.Queue, *, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None = None
    ) -> ports.Claim:
        if of.is_fifo:
            return self._groups.claim(of, limit=limit, now=now, visible_at=visible_at, dead=dead)
        first, *others = contention.shuffled(self._ids, of)
        haul = _Haul()
        self._visit(first, haul, limit=limit, now=now, visible_at=visible_at, dead=dead)
        wave = _FIRST_WAVE
        while others and len(haul.items) < limit:
            for partition in self._survey(others[:wave], haul, now):
                self._visit(partition, haul, limit=limit, now=now, visible_at=visible_at, dead=dead)
                if len(haul.items) == limit:
                    break
            others, wave = others[wave:], _WAVE_GROWTH * wave
        if haul.refusal is not None and not haul.items:
            raise haul.refusal
        return ports.Claim(messages=tuple(self._decode(of, haul.items)), next_due=haul.next_due)

    def peek(
        self, of: queue.Queue, *, limit: int, now: int, dead: dead_letter.Route | None = None
    ) -> tuple[message.Message, ...]:
        if of.is_fifo:
            return self._groups.peek(of, limit=limit, now=now, dead=dead)
        found: list[client.Item] = []
        for partition in contention.shuffled(self._ids, of):
            self._release_due(partition, now, _releases(limit), dead)
            found += self._peek(partition, limit - len(found), now, dead)
            if len(found) == limit:
                break
        return tuple(self._decode(of, found))

    def postpone(self, receipt: receipt.Receipt, *, now: int, visible_at: int, stamp: str) -> bool:
        if receipt.group is not None:
            return self._groups.postpone(receipt, now=now, visible_at=visible_at, stamp=stamp)
        try:
            self._gate.update_item(
                TableName=self._table,
                Key=_receipt_key(receipt),
                UpdateExpression="SET timer_key = :timer, visible_at = :visible, claim_stamp = :new",
                ConditionExpression=_STILL_HELD,
                ExpressionAttributeValues={
                    ":timer": items.text(_timer_key(visible_at, receipt.priority)),
                    ":visible": items.number(visible_at),
                    ":new": items.text(stamp),
                    ":stamp": items.text(receipt.stamp),
                    ":now": items.number(now),
                },
            )
        except errors.ConditionFailed:
            return False
        return True

    def delete(self, receipts: Sequence[receipt.Receipt], *, now: int) -> tuple[model_errors.MnsError | None, ...]:
        if receipts and receipts[0].group is not None:  # all are of one queue
            return self._groups.delete(receipts, now=now)
        return tuple(self._fan(lambda item: self._delete(item, now), receipts))

    def release(
        self, of: queue.Queue, partition: str, *, now: int, limit: int, dead: dead_letter.Route | None = None
    ) -> ports.Released:
        if of.is_fifo:
            return self._groups.release(partition, now=now, limit=limit, dead=dead)
        return self._release_due(partition, now, limit, dead)

    def purge(self, partition: str) -> bool:
        page = self._gate.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk",
            ProjectionExpression="pk, sk",
            ExpressionAttributeValues={":pk": items.text(partition)},
            Limit=_PURGE_PAGE,
        )
        self._batches.write(self._table, [{"DeleteRequest": {"Key": _key(item)}} for item in page["Items"]])
        return bool(page["Items"])

    def _visit(
        self,
        partition: str,
        haul: "_Haul",
        *,
        limit: int,
        now: int,
        visible_at: int,
        dead: dead_letter.Route | None,
    ) -> None:
        """Take what is missing up to `limit` from one shard; if it takes no more calls, the others may."""
        try:
            due = self._release_due(partition, now, _releases(limit), dead)
            haul.next_due = _earliest(haul.next_due, due.next_due)
            haul.items += self._claim(partition, limit - len(haul.items), now, visible_at, dead)
        except model_errors.TooManyRequests as refusal:
            haul.refusal = refusal

    def _survey(self, partitions: Sequence[str], haul: "_Haul", now: int) -> list[str]:
        """The shards worth a visit; all are asked side by side, since most will have nothing."""
        looks = [(partition, index) for partition in partitions for index in (schema.TIMER, schema.READY)]
        found = iter(self._fan(lambda look: self._glance(*look), looks))
        worth = []
        for partition in partitions:
            timer, ready = next(found), next(found)
            if timer is not None and "timer_key" in timer and _timer_moment(timer) > now:
                haul.next_due, timer = _earliest(haul.next_due, _timer_moment(timer)), None
            if timer is not None or ready is not None:
                worth.append(partition)
        return worth

    def _glance(self, partition: str, index: schema.LocalIndex) -> client.Item | None:
        """The first entry of an index, if there is one, or an empty one where that cannot be told."""
        try:
            return next(iter(self._head(partition, index, 1)), None)
        except model_errors.TooManyRequests:
            return {}

    def _release_due(self, partition: str, now: int, limit: int, dead: dead_letter.Route | None) -> ports.Released:
        first = self._head(partition, schema.TIMER, 1)
        next_due = _timer_moment(first[0]) if first else None
        if next_due is None or next_due > now:
            return ports.Released(count=0, next_due=next_due)
        count, progress = 0, False
        start: dict[str, client.Item] = {}
        rest: list[client.Item] = []
        for _ in range(_DETOURS):
            entries = self._index_page(partition, schema.TIMER, limit + 1, **start)["Items"]
            due = [entry for entry in entries if _timer_moment(entry) <= now][:limit]
            gone = list(self._fan(lambda entry: self._release(entry, now, dead), due))
            count, progress, rest = count + len(due), progress or any(gone), entries[len(due) :]
            if all(gone):
                break
            start = {"ExclusiveStartKey": due[-1]}  # past the dead letters that cannot go
        next_due = _timer_moment(rest[0]) if rest else None
        if next_due is not None and next_due <= now and not progress:
            next_due = now + limits.RELEASE_GRAIN_SECONDS * 1000  # nothing that was seen can go
        return ports.Released(count=count, next_due=next_due)

    def _release(self, entry: client.Item, now: int, dead: dead_letter.Route | None) -> bool:
        """Make a message Active, or bury or bring it; False: it is a dead letter that cannot go, and stays."""
        timer = entry["timer_key"]["S"]
        visible_at, priority = timer.split("#")
        ready = _ready_key(int(visible_at), int(priority), entry["sk"]["S"])
        try:
            self._gate.update_item(
                TableName=self._table,
                Key=_key(entry),
                UpdateExpression="SET ready_key = :ready REMOVE timer_key",
                ConditionExpression="timer_key = :timer AND expires_at > :now" + _unless(dead),
                ExpressionAttributeValues={
                    ":ready": items.text(ready),
                    ":timer": items.text(timer),
                    ":now": items.number(now),
                    **_most(dead),
                },
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except errors.ConditionFailed as failure:
            if not self._bury(failure.item, now) and not self._bring(failure.item, "timer_key", timer, now, dead):
                return bool((failure.item or {}).get("timer_key") != entry["timer_key"])  # somebody else has moved it
        return True

    def _bring(self, item: client.Item | None, key: str, seen: str, now: int, dead: dead_letter.Route | None) -> bool:
        """Move a message to the dead-letter queue if it belongs there; whether it is gone.

        If the dead-letter queue does not take it, or is no more, the message stays where it is, and is tried again.
        """
        if item is None or dead is None or item.get(key, {}).get("S") != seen:
            return False
        if not dead.takes(items.integer(item, "dequeues")):
            return False
        try:
            [found] = self._decode(dead.source, [item])
            letter = dead.letter(found, message_id=self._ids.message_id(now), stamp=self._ids.stamp())
            state, body = self._encode(dead.target, letter)
            if body is not None:
                self._payloads.put(body)
            self._gate.transact_write_items(
                TransactItems=[
                    {
                        "Delete": {
                            "TableName": self._table,
                            "Key": _key(item),
                            "ConditionExpression": f"{key} = :seen AND expires_at > :now",
                            "ExpressionAttributeValues": {":seen": items.text(seen), ":now": items.number(now)},
                        }
                    },
                    {"Put": {"TableName": self._table, "Item": state}},
                    queues.is_there(self._prefix, dead.namespace, dead.target),
                ]
            )
        except (errors.ConditionFailed, model_errors.MnsError):
            return False
        return True

    def _claim(
        self, partition: str, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None
    ) -> list[client.Item]:
        claimed: list[client.Item] = []
        candidates: list[client.Item] = []
        more = True
        fruitless, buried = 0, 0
        while (missing := limit - len(claimed)) and fruitless < _ROUNDS and buried < _BURIALS:
            spread = self._spread.width(partition)
            if not candidates and more:
                width = missing + max(spread, min(buried, _NEXT_PAGE))
                candidates = self._head(partition, schema.READY, width)
                more = len(candidates) == width
            if not candidates:
                break
            picks = contention.pick(self._ids, candidates, self._spread.share(partition, missing), spread)
            outcomes = list(self._fan(lambda entry: self._claim_one(entry, now, visible_at, dead), picks))
            won = [item for item in outcomes if isinstance(item, dict)]
            claimed += won
            lost, gone = outcomes.count(_Loss.TAKEN), outcomes.count(_Loss.GONE)
            self._spread.learn(partition, won=len(won), lost=lost)
            fruitless += not won and not gone
            buried += gone
            failures = [item for item in outcomes if isinstance(item, model_errors.MnsError)]
            if failures and not claimed:
                raise failures[0]
            if claimed and (failures or lost):
                break  # what is claimed must reach the consumer; for the rest others are at hand
        return claimed

    def _claim_one(
        self, entry: client.Item, now: int, visible_at: int, dead: dead_letter.Route | None
    ) -> "client.Item | model_errors.MnsError | _Loss":
        """The claimed item, or why there is none."""
        ready = entry["ready_key"]["S"]
        try:
            answer = self._gate.update_item(
                TableName=self._table,
                Key=_key(entry),
                UpdateExpression=(
                    "SET timer_key = :timer, visible_at = :visible, claim_stamp = :stamp, dequeues = dequeues + :one,"
                    " first_at = if_not_exists(first_at, :now) REMOVE ready_key"
                ),
                ConditionExpression="ready_key = :ready AND expires_at > :now" + _unless(dead),
                ExpressionAttributeValues={
                    ":timer": items.text(_timer_key(visible_at, int(ready[:2]))),
                    ":visible": items.number(visible_at),
                    ":stamp": items.text(self._ids.stamp()),
                    ":one": items.number(1),
                    ":now": items.number(now),
                    ":ready": items.text(ready),
                    **_most(dead),
                },
                ReturnValues="ALL_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except errors.ConditionFailed as failure:
            if self._bury(failure.item, now) or self._bring(failure.item, "ready_key", ready, now, dead):
                return _Loss.GONE
            return _Loss.TAKEN
        except model_errors.MnsError as error:
            return error
        claimed: client.Item = answer["Attributes"]
        return claimed

    def _bury(self, item: client.Item | None, now: int) -> bool:
        """Delete a message if its retention is over, for the engine's own sweep may come days later; whether it is."""
        if item is None or items.integer(item, "expires_at") > now:
            return False
        with contextlib.suppress(errors.ConditionFailed):  # swept or buried by somebody else
            self._gate.delete_item(
                TableName=self._table,
                Key=_key(item),
                ConditionExpression="expires_at <= :now",
                ExpressionAttributeValues={":now": items.number(now)},
            )
        return True

    def _peek(self, partition: str, limit: int, now: int, dead: dead_letter.Route | None) -> list[client.Item]:
        found: list[client.Item] = []
        start: dict[str, Any] = {}
        buried, width = 0, limit
        while len(found) < limit and buried < _BURIALS:
            page = self._index_page(partition, schema.READY, width, **start)
            entries, width = page["Items"], _NEXT_PAGE
            by_id = {
                item["sk"]["S"]: item for item in self._batches.read(self._table, [_key(item) for item in entries])
            }
            for item in filter(None, (by_id.get(entry["sk"]["S"]) for entry in entries)):
                if self._bury(item, now):
                    buried += 1
                elif "ready_key" in item and not self._is_dead(item, now, dead):
                    found.append(item)
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return found[:limit]

    def _is_dead(self, item: client.Item, now: int, dead: dead_letter.Route | None) -> bool:
        """Whether an Active message is none any more; it is brought to the dead-letter queue if it can be."""
        if dead is None or not dead.takes(items.integer(item, "dequeues")):
            return False
        self._bring(item, "ready_key", item["ready_key"]["S"], now, dead)
        return True

    def _delete(self, receipt: receipt.Receipt, now: int) -> model_errors.MnsError | None:
        try:
            self._gate.delete_item(
                TableName=self._table,
                Key=_receipt_key(receipt),
                ConditionExpression=_STILL_HELD,
                ExpressionAttributeValues={":stamp": items.text(receipt.stamp), ":now": items.number(now)},
            )
        except errors.ConditionFailed:
            return model_errors.MessageNotExist()
        except model_errors.MnsError as error:
            return error
        return None

    def _head(self, partition: str, index: schema.LocalIndex, limit: int) -> list[client.Item]:
        entries: list[client.Item] = self._index_page(partition, index, limit)["Items"]
        return entries

    def _index_page(self, partition: str, index: schema.LocalIndex, limit: int, **start: client.Item) -> dict[str, Any]:
        return self._gate.query(
            TableName=self._table,
            IndexName=index.name,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": items.text(partition)},
            ConsistentRead=True,
            Limit=limit,
            **start,
        )

    def _encode(self, of: queue.Queue, new: message.Message) -> tuple[client.Item, client.Item | None]:
        """The item of a message and, where the payload stands apart, that of the payload."""
        state: client.Item = {
            "pk": items.text(queue.partition(of.queue_id, new.shard)),
            "sk": items.text(new.message_id),
            "enqueued_at": items.number(new.enqueued_at),
            "expires_at": items.number(new.expires_at),
            "visible_at": items.number(new.visible_at),
            "claim_stamp": items.text(new.stamp),
            "dequeues": items.number(new.dequeue_count),
            "priority": items.number(new.priority),
            "ttl": items.number(_seconds(new.expires_at)),
        }
        if new.visible_at <= new.enqueued_at:
            state["ready_key"] = items.text(_ready_key(new.visible_at, new.priority, new.message_id))
        else:
            state["timer_key"] = items.text(_timer_key(new.visible_at, new.priority))
        if new.group_id is not None:
            state["group_id"] = items.text(new.group_id)
        varying = items.size({"group_id": state["group_id"]}) if new.group_id is not None else 0
        return self._payloads.join(of, new, state, besides=_STATE_BYTES + varying + _ROOM)

    def _decode(self, of: queue.Queue, states: Sequence[client.Item]) -> Iterator[message.Message]:
        """The messages in items of a queue, in their order."""
        payloads = self._payloads.complete(of, [(item["sk"]["S"], item) for item in states])
        return (_decode(item, payload) for item, payload in zip(states, payloads, strict=True))


def read_changes(records: Iterable[Mapping[str, Any]]) -> Iterator[ports.Change]:
    """The changes of state in records of the table's stream, as Lambda receives them."""
    for record in records:
        change = record["dynamodb"]
        key, old, new = change["Keys"], change.get("OldImage"), change.get("NewImage")
        is_ordinary = len(key["sk"]["S"]) == _ID_LENGTH
        yield ports.Change(
            partition=key["pk"]["S"],
            sequence=change["SequenceNumber"],
            delta=_DELTAS[_state(old), _state(new)] if is_ordinary else groups.counts(new) - groups.counts(old),
        )


def is_ready(image: client.Item) -> bool:
    """Whether there is something to receive of the message or group in a stream record's image."""
    return "ready_key" in image and groups.due_moment(image) is None


def due_moment(image: client.Item) -> int | None:
    """When the message or group in a stream record's image becomes visible (ms); None: it does not wait."""
    return _timer_moment(image) if "timer_key" in image else groups.due_moment(image)


def _state(image: client.Item | None) -> message.State | None:
    if not image:
        return None
    if "ready_key" in image:
        return message.State.ACTIVE
    return message.State.INACTIVE if items.integer(image, "dequeues") else message.State.DELAYED


def _decode(item: client.Item, payload: Mapping[str, Any]) -> message.Message:
    return message.Message(
        message_id=item["sk"]["S"],
        shard=int(item["pk"]["S"].rpartition("#")[2]),
        priority=items.integer(item, "priority"),
        enqueued_at=items.integer(item, "enqueued_at"),
        expires_at=items.integer(item, "expires_at"),
        visible_at=items.integer(item, "visible_at"),
        stamp=item["claim_stamp"]["S"],
        first_dequeued_at=items.integer(item, "first_at") if "first_at" in item else None,
        dequeue_count=items.integer(item, "dequeues"),
        group_id=item["group_id"]["S"] if "group_id" in item else None,
        **payload,
    )


def _unless(dead: dead_letter.Route | None) -> str:
    """What keeps a dead letter from being released or claimed; nothing where there are none."""
    return "" if dead is None else " AND dequeues < :most"


def _most(dead: dead_letter.Route | None) -> client.Item:
    return {} if dead is None else {":most": items.number(dead.max_receive_count)}


def _releases(limit: int) -> int:
    """How many due messages are released before up to `limit` are taken: a batch at least, so that none pile up."""
    return max(limit, limits.BATCH_SIZE.high)


def _ready_key(visible_at: int, priority: int, message_id: str) -> str:
    return f"{priority:02d}#{visible_at:013d}#{message_id[:_ID_ORDER]}"


def _timer_key(visible_at: int, priority: int) -> str:
    return f"{visible_at:013d}#{priority:02d}"


def _timer_moment(entry: client.Item) -> int:
    return int(entry["timer_key"]["S"].partition("#")[0])


def _seconds(moment: int) -> int:
    """The second that a moment in ms lies in; time to live sweeps from the next one on, so never too early."""
    return moment // 1000


def _earliest(one: int | None, other: int | None) -> int | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)


def _key(item: client.Item) -> client.Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def _receipt_key(receipt: receipt.Receipt) -> client.Item:
    return {"pk": items.text(queue.partition(receipt.queue_id, receipt.shard)), "sk": items.text(receipt.message_id)}
