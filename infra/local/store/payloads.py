"""Payloads of messages, body and properties, as they are stored; and the one place where a message's row is made."""

import json
from typing import TYPE_CHECKING

from chalicelib.model import errors, message, queue
from chalicelib.storage import client, items, sealing
from infra.local.store import layout
from infra.local.store.layout import Columns, New, Row, State

if TYPE_CHECKING:
    from infra.embedded import database

INSERT_APART = "INSERT INTO queue_bodies (n, body, properties, sealed) VALUES (?, ?, ?, ?)"
APART = (None, None, None)
_FEW = "queue, id, shard, priority, enqueued_at, expires_at, visible_at, stamp, body"
_ALL = f"{_FEW}, group_id, properties, sealed, sealed_by"


def _insert(columns: str, state: State) -> str:
    return (
        f"INSERT INTO queue_messages ({columns}, dequeues, state)"  # noqa: S608  # our own names
        f" VALUES ({'?, ' * len(columns.split(','))}0, {state:d})"
    )


# What is null is better not said: the driver takes its time to find out what it is.
_PLAIN = {state: _insert(_FEW, state) for state in (State.READY, State.WAITING)}
_GROUPED = {State.GROUPED: _insert(f"{_ALL}, group_key, place", State.GROUPED)}
_OTHERS = {state: _insert(_ALL, state) for state in _PLAIN} | _GROUPED
_NOTHING_ELSE = (None, None, None, None)  # but the few


class Codec:
    """Messages to rows and back; encrypts the payloads of queues that say so."""

    def __init__(self, seal: sealing.Sealing) -> None:
        self._seal = seal

    def write(self, of: queue.Queue, new: message.Message) -> New:
        """What is to be stored of a new message of a queue."""
        body, properties, sealed, by = self._encode(of, new)
        return (
            of.queue_id,
            new.message_id,
            new.shard,
            new.priority,
            new.enqueued_at,
            new.expires_at,
            new.visible_at,
            new.stamp,
            body,
            new.group_id,
            properties,
            sealed,
            by,
        )

    def read(self, queue_id: str, row: Row) -> message.Message:
        """The message in a row, whose payload has been read."""
        (
            _,
            message_id,
            shard,
            priority,
            enqueued_at,
            expires_at,
            visible_at,
            stamp,
            dequeues,
            first_at,
            group_id,
            body,
            properties,
            sealed,
            by,
        ) = row
        if sealed is not None:
            body, properties = self._open(queue_id, message_id, sealed, by)
        user, system = ((), ()) if properties is None else json.loads(properties)
        return message.Message(
            message_id=message_id,
            shard=shard,
            body=body,
            priority=priority,
            enqueued_at=enqueued_at,
            expires_at=expires_at,
            visible_at=visible_at,
            stamp=stamp,
            first_dequeued_at=first_at,
            dequeue_count=dequeues,
            group_id=group_id,
            user_properties=_decode(user) if user else (),
            system_properties=_decode(system) if system else (),
        )

    def _encode(self, of: queue.Queue, new: message.Message) -> Columns:
        encryption = of.attributes.encryption
        properties = _encode_properties(new) if new.user_properties or new.system_properties else None
        if not encryption.enabled:
            return new.body, properties, None, None
        plain: client.Item = {"body": items.text(new.body)}
        if properties is not None:
            plain["properties"] = items.text(properties)
        sealed = self._seal.seal(plain, of=of.queue_id, message_id=new.message_id, by=encryption.key_id)
        return None, None, items.binary(sealed, "sealed"), encryption.key_id

    def _open(self, queue_id: str, message_id: str, sealed: bytes, by: str | None) -> tuple[str, str | None]:
        """Body and properties that were encrypted."""
        item: client.Item = {"sealed": {"B": sealed}, "sealed_by": items.text(by or "")}
        plain = self._seal.open(item, of=queue_id, message_id=message_id)
        return plain["body"]["S"], plain["properties"]["S"] if "properties" in plain else None


class Payloads:
    """The payloads of one file."""

    def __init__(self, db: "database.Database") -> None:
        self._db = db

    def insert(self, new: New, state: State, where: tuple[str, ...] = ()) -> None:
        """Store a message with its payload, in a state; of a FIFO queue with the key of its group and its place."""
        body, _, properties, sealed, by = new[8:]
        if len(body or "") + len(properties or "") + len(sealed or b"") > layout.INLINE:
            cursor = self._db.write(_OTHERS[state], (*new[:8], None, new[9], None, None, by, *where))
            self._db.write(INSERT_APART, (cursor.lastrowid, body, properties, sealed))
        elif new[9:] == _NOTHING_ELSE:
            self._db.write(_PLAIN[state], new[:9])
        else:
            self._db.write(_OTHERS[state], new + where)

    def read(self, n: int, columns: Columns) -> Columns:
        """All of a payload, given what stands in the row `n` of its message."""
        if columns[:3] != APART:
            return columns
        row = self._db.execute("SELECT body, properties, sealed FROM queue_bodies WHERE n = ?", (n,)).fetchone()
        if row is None:
            raise errors.InternalError("The body of a message is missing.")
        return (*row, columns[3])


def _encode_properties(new: message.Message) -> str:
    pair = [
        [[each.name, each.value, each.type.value] for each in some]
        for some in (new.user_properties, new.system_properties)
    ]
    return json.dumps(pair, ensure_ascii=False, separators=(",", ":"))


def _decode(some: list[list[str]]) -> tuple[message.Property, ...]:
    return tuple(
        message.Property(name=name, value=value, type=message.PropertyType(kind)) for name, value, kind in some
    )
