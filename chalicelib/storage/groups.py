"""Messages of FIFO queues in the table `messages`: for each group a log, and one item that says who holds its head.

    queue_id#shard · group        the group: the order of its newest message, what became of its first ones (`heads`)
    queue_id#shard · group#order  a message, written once and deleted once

`group` is a digest of the MessageGroupId, `order` sixteen hex digits, moment and sequence, that rise from one message
of the group to the next. The group's item is the only one that changes, and the only one with an entry in an index:

    ready_key  F#since            free: its first messages may be received; the group that waits longest comes first,
                                  of new ones that with the earlier message, whose order follows
               H#until            held: one of its messages is Inactive, until then at most

So the cost of a receive depends neither on the messages that wait nor on the groups that are held. Two things happen to
a group, and they do not disturb each other:

- Sending appends. One transaction moves `tail`, which must rise, and puts the messages: what is sent after another
  message was answered is behind it, whatever the clocks say, and there is never a gap that fills up later.
- Receives and what follows change `heads` and the index entry, if `revision` is still the one that was seen. Deletes
  take the message away in the same transaction, so the first messages in the table are always the first of the group.

A group without messages has no item.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any

from chalicelib.broker import ports
from chalicelib.model import dead_letter, group, limits, message, queue, receipt
from chalicelib.model import errors as model_errors
from chalicelib.storage import batches, client, contention, errors, items, payloads, queues, schema

_ATTEMPTS = 20  # at a change of a group that others change at the same time
_ROUNDS = 64  # of claims that all go to other consumers, before a receive answers with what it has
_BURIALS = 500  # of expired messages of one group that a receive or peek clears away, before it goes on
_PAGE = 25  # messages that are read at once, when the first ones were expired
_STATE_BYTES = 170  # of a message without payload and group id, each of its attributes at its longest
_ORDER_LENGTH = 16  # characters of a message id that carry time and sequence ...
_MOMENT_LENGTH = 12  # ... and those of them that carry the milliseconds
# A group's item outlives each of its messages, also those that are sent with an id of some days ago.
_LONGEST_SECONDS = limits.MESSAGE_RETENTION_PERIOD.high + 3 * limits.TTL_SLACK_SECONDS
_HEAD = tuple(field.name for field in dataclasses.fields(group.Head))
_FREE, _HELD = "F#", "H#"
_END = "~"  # comes after all that keys are made of


class _Loss(Enum):
    """Why a claim got nothing."""

    TAKEN = "taken"  # another consumer was faster
    GONE = "gone"  # there is nothing in the group


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A group as it was read, and its first messages."""

    key: client.Item
    revision: str
    state: group.Group
    rows: tuple[client.Item, ...]


class Groups:
    """What `Messages` does at FIFO queues."""

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
        """Set up; the arguments are those of `Messages`."""
        self._gate = gate
        self._batches = batches
        self._payloads = payloads
        self._fan = fan
        self._ids = ids
        self._prefix = prefix
        self._table = prefix + schema.MESSAGES.name
        self._spread = contention.Spread()

    def put(self, of: queue.Queue, new: message.Message) -> None:
        """See `ports.Messages`."""
        self._append(of, [new])

    def put_once(self, of: queue.Queue, new: message.Message) -> bool:
        """See `ports.Messages`."""
        return self._append(of, [new], self._payloads.once(new))

    def put_all(self, of: queue.Queue, new: Sequence[message.Message]) -> frozenset[str]:
        """See `ports.Messages`; the messages of one group are stored all or none."""
        by_group: dict[str | None, list[message.Message]] = {}
        for item in new:
            by_group.setdefault(item.group_id, []).append(item)

        def put(some: list[message.Message]) -> list[str]:
            try:
                self._append(of, some)
            except model_errors.MnsError:
                return [item.message_id for item in some]
            return []

        return frozenset(itertools.chain.from_iterable(self._fan(put, list(by_group.values()))))

    def claim(
        self, of: queue.Queue, *, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None
    ) -> ports.Claim:
        """See `ports.Messages`; of a group, consecutive messages are taken."""
        claimed: list[tuple[client.Item, group.Head]] = []
        moments: list[int] = []
        for where in contention.shuffled(self._ids, of):
            claimed += self._claim(where, limit - len(claimed), now, visible_at, dead, moments)
            if len(claimed) == limit:
                break
        return ports.Claim(messages=tuple(self._decode(of, claimed)), next_due=min(moments, default=None))

    def peek(
        self, of: queue.Queue, *, limit: int, now: int, dead: dead_letter.Route | None
    ) -> tuple[message.Message, ...]:
        """See `ports.Messages`."""
        found: list[tuple[client.Item, group.Head | None]] = []
        for where in contention.shuffled(self._ids, of):
            missing = limit - len(found)
            free, held = self._look(where, missing, missing)
            entries = _by_moment(free, [entry for entry in held if _moment(entry) <= now])[:missing]
            share = -(-missing // max(1, len(entries)))
            for seen in self._fan(partial(self._settled, share=share, now=now, dead=dead), entries):
                if seen is not None:
                    heads = {head.order: head for head in seen.state.heads}
                    found += [(row, heads.get(_order(row))) for row in seen.rows]
            if len(found) >= limit:
                break
        return tuple(self._decode(of, found[:limit]))

    def postpone(self, of: receipt.Receipt, *, now: int, visible_at: int, stamp: str) -> bool:
        """See `ports.Messages`."""
        for _ in range(_ATTEMPTS):
            seen = self._read(*_receipt_key(of))
            if seen is None or (head := seen.state.held(of.message_id, of.stamp, now)) is None:
                return False
            changed = seen.state.postpone(head.order, now=now, visible_at=visible_at, stamp=stamp)
            if self._change(seen, changed):
                return True
        raise model_errors.TooManyRequests

    def delete(self, receipts: Sequence[receipt.Receipt], *, now: int) -> tuple[model_errors.MnsError | None, ...]:
        """See `ports.Messages`."""
        by_group: dict[tuple[str, str], list[receipt.Receipt]] = {}
        for each in receipts:
            by_group.setdefault(_receipt_key(each), []).append(each)
        outcomes = self._fan(lambda some: self._delete(some, now), list(by_group.values()))
        left = dict(zip(by_group, map(list, outcomes), strict=True))
        return tuple(left[_receipt_key(each)].pop(0) for each in receipts)

    def release(self, where: str, *, now: int, limit: int, dead: dead_letter.Route | None) -> ports.Released:
        """See `ports.Messages`; what is counted are groups."""
        entries = self._entries(where, _HELD, limit + 1)
        due = [entry for entry in entries if _moment(entry) <= now][:limit]
        list(self._fan(lambda entry: self._release(entry, now, dead), due))
        rest = entries[len(due) :]
        return ports.Released(count=len(due), next_due=_moment(rest[0]) if rest else None)

    # Sending

    def _append(self, of: queue.Queue, new: Sequence[message.Message], *besides: dict[str, Any]) -> bool:
        """Put messages of one group behind its last one; False: an action of `besides` was refused, and all with it."""
        encoded, apart = self._encode_all(of, new)
        if undone := self._payloads.put_all(apart) if apart else None:
            raise model_errors.TooManyRequests(f"{len(undone)} bodies could not be stored.")
        tail = ""
        for _ in range(_ATTEMPTS):
            actions = self._appending(encoded, tail)
            try:
                self._gate.transact_write_items(TransactItems=[*actions, *besides])
            except errors.ConditionFailed as failure:
                if failure.place:
                    return False
                tail = self._tail(encoded[0], failure.item)
            else:
                return True
        raise model_errors.TooManyRequests

    def _encode_all(
        self, of: queue.Queue, new: Sequence[message.Message]
    ) -> tuple[list[client.Item], list[client.Item]]:
        encoded = [self._encode(of, item) for item in new]
        return [state for state, _ in encoded], [body for _, body in encoded if body is not None]

    def _encode(self, of: queue.Queue, new: message.Message) -> tuple[client.Item, client.Item | None]:
        """The item of a message, still without its place, and that of its payload, where it stands apart."""
        assert new.group_id is not None  # noqa: S101  # `message.accept` has seen to it
        state: client.Item = {
            "pk": items.text(queue.partition(of.queue_id, new.shard)),
            "sk": items.text(group.key(new.group_id)),
            "message_id": items.text(new.message_id),
            "group_id": items.text(new.group_id),
            "priority": items.number(new.priority),
            "enqueued_at": items.number(new.enqueued_at),
            "expires_at": items.number(new.expires_at),
            "ttl": items.number(new.expires_at // 1000),
        }
        varying = items.size({"group_id": state["group_id"]})
        return self._payloads.join(of, new, state, besides=_STATE_BYTES + varying)

    def _appending(self, encoded: Sequence[client.Item], tail: str) -> list[dict[str, Any]]:
        """The actions that put messages of one group behind its last one, whose order is `tail` as far as is known.

        The first of them fails, with the group as it is, if there is a later one.
        """
        placed = []
        moment = int(encoded[0]["message_id"]["S"][:_MOMENT_LENGTH], 16)
        for state in encoded:
            tail = max(state["message_id"]["S"][:_ORDER_LENGTH], _after(tail))
            placed.append(state | {"sk": items.text(f"{state['sk']['S']}#{tail}")})
        return [
            {
                "Update": {
                    "TableName": self._table,
                    "Key": _key(encoded[0]),
                    "UpdateExpression": (
                        "SET tail = :tail, ready_key = if_not_exists(ready_key, :free),"
                        " revision = if_not_exists(revision, :revision), #ttl = :ttl"
                    ),
                    "ConditionExpression": "attribute_not_exists(tail) OR tail < :first",
                    "ExpressionAttributeNames": {"#ttl": "ttl"},
                    "ExpressionAttributeValues": {
                        ":tail": items.text(tail),
                        ":first": items.text(_order(placed[0])),
                        ":free": items.text(f"{_FREE}{moment:013d}#{_order(placed[0])}"),
                        ":revision": items.text(self._ids.stamp()),
                        ":ttl": items.number(moment // 1000 + _LONGEST_SECONDS),
                    },
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            },
            *({"Put": {"TableName": self._table, "Item": item}} for item in placed),
        ]

    def _tail(self, state: client.Item, refused: client.Item | None) -> str:
        """The tail of the group of a message, from the refusal if that has it."""
        if refused is None:
            answer = self._gate.get_item(TableName=self._table, Key=_key(state), ConsistentRead=True)
            refused = answer.get("Item", {})
        return refused["tail"]["S"] if "tail" in refused else ""

    # Receiving

    def _claim(
        self,
        where: str,
        limit: int,
        now: int,
        visible_at: int,
        dead: dead_letter.Route | None,
        moments: list[int],
    ) -> list[tuple[client.Item, group.Head]]:
        """Claim in one partition; add to `moments` when the next of the groups that are held is due."""
        claimed: list[tuple[client.Item, group.Head]] = []
        candidates: list[client.Item] = []
        more = True
        for _ in range(_ROUNDS):
            missing = limit - len(claimed)
            spread = self._spread.width(where)
            if missing and not candidates and more:
                width = missing + spread
                free, held = self._look(where, width, width)
                due = [entry for entry in held if _moment(entry) <= now]
                more = len(free) == width or len(due) >= width
                candidates = _by_moment(free, due)
                moments += [_moment(entry) for entry in held[len(due) :][:1]]
            if not missing or not candidates:
                break
            picks = contention.pick(self._ids, candidates, missing, spread)
            shares = [missing // len(picks) + (place < missing % len(picks)) for place in range(len(picks))]
            outcomes = list(
                self._fan(
                    lambda pick: self._claim_first(*pick, now, visible_at, dead), list(zip(picks, shares, strict=True))
                )
            )
            won = [outcome for outcome in outcomes if isinstance(outcome, list)]
            claimed += itertools.chain.from_iterable(won)
            self._spread.learn(where, won=len(won), lost=outcomes.count(_Loss.TAKEN))
            failures = [outcome for outcome in outcomes if isinstance(outcome, model_errors.MnsError)]
            if failures and not claimed:
                raise failures[0]
            if failures:
                break  # what is claimed must reach the consumer; the rest stays where it is
        return claimed

    def _claim_first(
        self, entry: client.Item, share: int, now: int, visible_at: int, dead: dead_letter.Route | None
    ) -> "list[tuple[client.Item, group.Head]] | model_errors.MnsError | _Loss":
        """Claim the first messages of a group, `share` at most; or why there are none."""
        try:
            seen = self._settled(entry, share=share, now=now, dead=dead)
            if seen is None or not seen.rows:
                return _Loss.GONE if seen else _Loss.TAKEN
            stamp = self._ids.stamp()
            first = [
                group.Place(
                    order=_order(row),
                    message_id=row["message_id"]["S"],
                    expires_at=items.integer(row, "expires_at"),
                )
                for row in seen.rows
            ]
            changed = seen.state.receive(first, now=now, visible_at=visible_at, stamp=stamp)
            if not self._change(seen, changed, revision=stamp):
                return _Loss.TAKEN
        except model_errors.MnsError as error:
            return error
        heads = {head.order: head for head in changed.heads}
        return [(row, heads[_order(row)]) for row in seen.rows]

    def _settled(self, entry: client.Item, *, share: int, now: int, dead: dead_letter.Route | None) -> _Seen | None:
        """A free group with its first messages, none of them too old or dead; None: it is not free, or no more.

        What is too old is cleared away, what is dead goes to its queue, and a group without messages goes, too.
        """
        width = share
        for _ in range(_BURIALS // _PAGE):
            seen = self._read(entry["pk"]["S"], entry["sk"]["S"], width)
            if seen is None or not seen.state.is_free(now):
                return None
            old = [row for row in seen.rows if items.integer(row, "expires_at") <= now]
            fresh = [row for row in seen.rows if items.integer(row, "expires_at") > now]
            letters = _dead(seen, fresh, now, dead)
            if old:
                self._batches.write(self._table, [{"DeleteRequest": {"Key": _key(row)}} for row in old])
            if letters and dead and not self._bring(seen, letters, now, dead):
                return None  # somebody else was faster, or the queue does not take it: it must not be received
            if fresh and not letters:
                return dataclasses.replace(seen, rows=tuple(fresh[:share]))
            if not seen.rows or (not fresh and len(seen.rows) < width):
                return dataclasses.replace(seen, rows=()) if self._end(seen) else None
            width = max(share, _PAGE)
        return None

    def _look(self, where: str, free: int, held: int) -> tuple[list[client.Item], list[client.Item]]:
        """The groups that have been free longest, and those that are held for the shortest time."""
        found_free, found_held = self._fan(lambda ask: self._entries(where, *ask), [(_FREE, free), (_HELD, held + 1)])
        return found_free, found_held

    def _entries(self, where: str, kind: str, limit: int) -> list[client.Item]:
        page = self._gate.query(
            TableName=self._table,
            IndexName=schema.READY.name,
            KeyConditionExpression="pk = :pk AND begins_with(ready_key, :kind)",
            ExpressionAttributeValues={":pk": items.text(where), ":kind": items.text(kind)},
            ConsistentRead=True,
            Limit=limit,
        )
        found: list[client.Item] = page["Items"]
        return found

    def _read(self, where: str, key: str, rows: int = 0) -> _Seen | None:
        """A group and its first messages; None: it has none."""
        page = self._gate.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :group AND :end",
            ExpressionAttributeValues={
                ":pk": items.text(where),
                ":group": items.text(key),
                ":end": items.text(key + _END),
            },
            ConsistentRead=True,
            Limit=1 + rows,
        )
        found: list[client.Item] = page["Items"]
        if not found or found[0]["sk"]["S"] != key:
            return None
        return _Seen(
            key=_key(found[0]),
            revision=found[0]["revision"]["S"],
            state=_decode_group(found[0]),
            rows=tuple(found[1:]),
        )

    # Changes of a group that was read, made if nobody changed it meanwhile

    def _change(self, seen: _Seen, changed: group.Group, *, revision: str = "") -> bool:
        try:
            self._gate.update_item(**self._changing(seen, changed, revision))
        except errors.ConditionFailed:
            return False
        return True

    def _changing(self, seen: _Seen, changed: group.Group, revision: str = "") -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": seen.key,
            "UpdateExpression": (
                "SET ready_key = :ready, heads = :heads, inactive = :inactive, seen = :seen, revision = :revision"
            ),
            "ConditionExpression": "revision = :before",
            "ExpressionAttributeValues": {
                ":ready": items.text(_ready_key(changed)),
                ":heads": items.text(_encode_heads(changed.heads)),
                ":inactive": items.number(changed.inactive),
                ":seen": items.text(changed.seen),
                ":revision": items.text(revision or self._ids.stamp()),
                ":before": items.text(seen.revision),
            },
        }

    def _end(self, seen: _Seen) -> bool:
        """Delete the item of a group that has no messages any more."""
        try:
            self._gate.delete_item(**self._ending(seen))
        except errors.ConditionFailed:
            return False
        return True

    def _ending(self, seen: _Seen) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Key": seen.key,
            "ConditionExpression": "revision = :before AND tail = :tail",
            "ExpressionAttributeValues": {
                ":before": items.text(seen.revision),
                ":tail": items.text(seen.state.tail),
            },
        }

    def _leaving(self, seen: _Seen, orders: Sequence[str], now: int) -> list[dict[str, Any]]:
        """The actions that take messages out of a group."""
        changed = seen.state.delete(orders, now)
        first = {"Delete": self._ending(seen)} if changed.is_empty else {"Update": self._changing(seen, changed)}
        where, key = seen.key["pk"], seen.key["sk"]["S"]
        keys = [{"pk": where, "sk": items.text(f"{key}#{order}")} for order in orders]
        return [first, *({"Delete": {"TableName": self._table, "Key": each}} for each in keys)]

    def _delete(self, receipts: Sequence[receipt.Receipt], now: int) -> Iterator[model_errors.MnsError | None]:
        """Delete messages of one group; what went wrong with each."""
        try:
            deleted = self._delete_held(receipts, now)
        except model_errors.MnsError as error:
            return iter([error] * len(receipts))
        firsts = {each: place for place, each in reversed(list(enumerate(receipts)))}
        return iter(
            None if each in deleted and firsts[each] == place else model_errors.MessageNotExist()
            for place, each in enumerate(receipts)
        )

    def _delete_held(self, receipts: Sequence[receipt.Receipt], now: int) -> frozenset[receipt.Receipt]:
        """Those receipts that were valid, and whose messages are deleted."""
        for _ in range(_ATTEMPTS):
            seen = self._read(*_receipt_key(receipts[0]))
            if seen is None:
                return frozenset()
            valid = {each: head for each in receipts if (head := seen.state.held(each.message_id, each.stamp, now))}
            if not valid:
                return frozenset()
            orders = [head.order for head in valid.values()]
            try:
                self._gate.transact_write_items(TransactItems=self._leaving(seen, orders, now))
            except errors.ConditionFailed:
                continue
            return frozenset(valid)
        raise model_errors.TooManyRequests

    def _release(self, entry: client.Item, now: int, dead: dead_letter.Route | None) -> None:
        seen = self._read(entry["pk"]["S"], entry["sk"]["S"], limits.BATCH_SIZE.high if dead else 0)
        if seen is None or not seen.state.is_free(now):
            return
        letters = _dead(seen, seen.rows, now, dead)
        if not (letters and dead and self._bring(seen, letters, now, dead)):
            self._change(seen, seen.state.release(now))

    def _bring(self, seen: _Seen, rows: Sequence[client.Item], now: int, dead: dead_letter.Route) -> bool:
        """Move messages of a free group to the dead-letter queue, behind what is there of the group; whether it went.

        If the dead-letter queue does not take them, or is no more, they stay where they are, and are tried again.
        """
        heads = {head.order: head for head in seen.state.heads}
        try:
            letters = [
                dead.letter(found, message_id=self._ids.message_id(now), stamp=self._ids.stamp())
                for found in self._decode(dead.source, [(row, heads.get(_order(row))) for row in rows])
            ]
            encoded, apart = self._encode_all(dead.target, letters)
            if apart and self._payloads.put_all(apart):
                return False
            there = queues.is_there(self._prefix, dead.namespace, dead.target)
            leaving = self._leaving(
                dataclasses.replace(seen, state=seen.state.release(now)), list(map(_order, rows)), now
            )
            tail = ""
            for _ in range(_ATTEMPTS):
                try:
                    appending = self._appending(encoded, tail)
                    self._gate.transact_write_items(TransactItems=[*appending, *leaving, there])
                except errors.ConditionFailed as failure:
                    if failure.place:
                        return False
                    tail = self._tail(encoded[0], failure.item)
                else:
                    return True
        except model_errors.MnsError:
            pass
        return False

    def _decode(
        self, of: queue.Queue, found: Sequence[tuple[client.Item, group.Head | None]]
    ) -> Iterator[message.Message]:
        """The messages in items of a queue, in their order, each as what became of it says."""
        complete = self._payloads.complete(of, [(row["message_id"]["S"], row) for row, _ in found])
        for (row, head), payload in zip(found, complete, strict=True):
            yield _decode(row, head, payload)


def counts(image: client.Item | None) -> queue.Counts:
    """What an item of a FIFO queue in a stream record's image adds to the counts.

    A message counts as Active; its group says how many of these are Inactive.
    """
    if not image:
        return queue.Counts()
    if "message_id" in image:
        return queue.Counts(active=1)
    inactive = items.integer(image, "inactive") if "inactive" in image else 0
    return queue.Counts(active=-inactive, inactive=inactive)


def due_moment(image: client.Item) -> int | None:
    """Until when the group in a stream record's image is held (ms); None: it is not, or it is none."""
    return _moment(image) if "ready_key" in image and image["ready_key"]["S"].startswith(_HELD) else None


def _decode(row: client.Item, head: group.Head | None, payload: Mapping[str, Any]) -> message.Message:
    enqueued_at = items.integer(row, "enqueued_at")
    return message.Message(
        message_id=row["message_id"]["S"],
        shard=int(row["pk"]["S"].rpartition("#")[2]),
        priority=items.integer(row, "priority"),
        enqueued_at=enqueued_at,
        expires_at=items.integer(row, "expires_at"),
        visible_at=enqueued_at if head is None else head.visible_at,
        stamp="" if head is None else head.stamp,
        first_dequeued_at=None if head is None else head.first_dequeued_at,
        dequeue_count=0 if head is None else head.dequeue_count,
        group_id=row["group_id"]["S"],
        **payload,
    )


def _dead(seen: _Seen, rows: Sequence[client.Item], now: int, dead: dead_letter.Route | None) -> list[client.Item]:
    """Those messages of a group that have been received as often as they may be, and are not too old."""
    if dead is None:
        return []
    return [row for row in rows if dead.takes(seen.state.count(_order(row))) and items.integer(row, "expires_at") > now]


def _encode_heads(heads: Sequence[group.Head]) -> str:
    return json.dumps([list(vars(head).values()) for head in heads], separators=(",", ":"))


def _decode_group(item: client.Item) -> group.Group:
    heads = json.loads(item["heads"]["S"]) if "heads" in item else []
    return group.Group(
        tail=item["tail"]["S"],
        since=_moment(item),
        seen=item["seen"]["S"] if "seen" in item else "",
        heads=tuple(group.Head(**dict(zip(_HEAD, head, strict=True))) for head in heads),
    )


def _ready_key(of: group.Group) -> str:
    until = of.held_until
    return f"{_FREE}{of.since:013d}" if until is None else f"{_HELD}{until:013d}"


def _moment(entry: client.Item) -> int:
    return int(entry["ready_key"]["S"].split("#")[1])


def _by_moment(*entries: list[client.Item]) -> list[client.Item]:
    return sorted(itertools.chain(*entries), key=_moment)


def _order(row: client.Item) -> str:
    order: str = row["sk"]["S"].rpartition("#")[2]
    return order


def _after(order: str) -> str:
    """The order that comes next; of none it is none."""
    return f"{int(order, 16) + 1:0{_ORDER_LENGTH}X}" if order else ""


def _key(item: client.Item) -> client.Item:
    return {"pk": item["pk"], "sk": item["sk"]}


def _receipt_key(of: receipt.Receipt) -> tuple[str, str]:
    assert of.group is not None  # noqa: S101  # `Messages` asks for those of FIFO queues only
    return queue.partition(of.queue_id, of.shard), of.group
