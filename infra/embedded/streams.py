"""Change records: written beside the change, read by iterators, trimmed after a day.

A stream is one shard. A record's sequence number is its row number in the stream's table, which grows by one within
the transaction that writes it, so the order of numbers is the order of commits. The newest row is never deleted when
it is trimmed, only emptied: SQLite numbers the next row after it.

A record holds the images that the stream's view shows. Where both are shown, that of an update holds the new image and
only those attributes of the old one that changed, since they are few and the rest would be written twice. Of long texts
it says where they are: it shares them with the item, and the record of the change that let go of one takes it along
when it is trimmed.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, TypeAlias

from infra.embedded import catalog, codec, database, errors, longs, requests, schema, sizes, tables, values

if TYPE_CHECKING:
    from collections.abc import Mapping

Image: TypeAlias = "tuple[str, str | None]"  # the text and the places of a row

RETENTION_MS = 24 * 60 * 60 * 1000
MAX_RECORDS = 1000
SHARD_ID = "shardId-00000000000000000000-00000001"
_SERVICE_IDENTITY = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
_SEQUENCE_BASE = 10**20  # makes every sequence number 21 digits long, DynamoDB's minimum

_TRIMMED = 0
_INSERT = 1
_MODIFY = 2
_REMOVE = 3
_EXPIRE = 4
_UPDATE = 5  # a modification whose `old` holds only the attributes that changed, None for those that were absent
_EVENTS = {_INSERT: "INSERT", _MODIFY: "MODIFY", _REMOVE: "REMOVE", _EXPIRE: "REMOVE", _UPDATE: "MODIFY"}
_NOTHING = (None, None)
_POSITIONED = {"AT_SEQUENCE_NUMBER": 0, "AFTER_SEQUENCE_NUMBER": 1}


def record(
    db: database.Database,
    table: tables.Table,
    old: Image | None,
    new: Image | None,
    now: int,
    *,
    replaced: codec.Attributes | None = None,
    by_service: bool = False,
) -> None:
    """Write the record of a change.

    Args:
        db: within the transaction of the change.
        table: the table, which has a stream.
        old: the item before, as stored; None if it was not there.
        new: the item after; None if it is not there.
        now: the time, in milliseconds.
        replaced: the attributes of its row in which the two differ, as they were before, where that is known.
        by_service: whether the service itself deleted it.
    """
    new_text, new_places = new or _NOTHING
    old_text, old_places = old or _NOTHING
    if old_text is None:
        kind = _INSERT
    elif new_text is None:
        kind = _EXPIRE if by_service else _REMOVE
    elif replaced is not None and table.streams_new and table.streams_old:
        kind, old_text = _UPDATE, codec.encode(replaced)
    else:
        kind = _MODIFY
    key = None
    if not (table.streams_new and table.streams_old):
        key = _keys(table, new_text or old_text or "")
        new_text, old_text = new_text if table.streams_new else None, old_text if table.streams_old else None
    db.execute(table.insert_record, (now, kind, key, new_text, new_places, old_text, old_places))
    db.touched.add(table.schema.name)


def list_streams(tables_by_name: catalog.Catalog, request: requests.Request) -> requests.Response:
    """Do a ListStreams."""
    wanted = request.get("TableName")
    streaming = [
        table.schema
        for table in tables_by_name.every()
        if table.schema.stream_view is not None and wanted in (None, table.schema.name)
    ]
    start = request.get("ExclusiveStartStreamArn")
    if start is not None:
        streaming = [stream for stream in streaming if stream.stream_arn > start]
    page = streaming[: requests.limit(request) or 100]
    return requests.respond(
        Streams=[{"StreamArn": s.stream_arn, "TableName": s.name, "StreamLabel": s.label} for s in page],
        LastEvaluatedStreamArn=page[-1].stream_arn if len(page) < len(streaming) else None,
    )


def describe_stream(db: database.Database, table: tables.Table, request: requests.Request) -> requests.Response:
    """Do a DescribeStream."""
    definition = table.schema
    oldest = _oldest(db, table) or _newest(db, table) + 1
    shard = {"ShardId": SHARD_ID, "SequenceNumberRange": {"StartingSequenceNumber": _number(oldest)}}
    return requests.respond(
        StreamDescription={
            "StreamArn": definition.stream_arn,
            "StreamLabel": definition.label,
            "StreamStatus": "ENABLED",
            "StreamViewType": definition.stream_view,
            "CreationRequestDateTime": schema.moment(definition.created),
            "TableName": definition.name,
            "KeySchema": list(definition.request["KeySchema"]),
            "Shards": [] if request.get("ExclusiveStartShardId") else [shard],
        }
    )


def get_shard_iterator(db: database.Database, table: tables.Table, request: requests.Request) -> requests.Response:
    """Do a GetShardIterator."""
    if request["ShardId"] != SHARD_ID:
        raise errors.not_found(f"Requested resource not found: Shard {request['ShardId']} not found")
    kind = request["ShardIteratorType"]
    number = request.get("SequenceNumber")
    if kind == "TRIM_HORIZON":
        position = _oldest(db, table) or _newest(db, table) + 1
    elif kind == "LATEST":
        position = _newest(db, table) + 1
    elif kind not in _POSITIONED:
        raise errors.constraint(
            kind,
            "shardIteratorType",
            "Member must satisfy enum value set: [TRIM_HORIZON, LATEST, AT_SEQUENCE_NUMBER, AFTER_SEQUENCE_NUMBER]",
        )
    elif number is None:
        raise errors.validation(f"SequenceNumber must be provided for ShardIteratorType {kind}")
    else:
        position = _position(number) + _POSITIONED[kind]
        _check_kept(db, table, position)
    return requests.respond(ShardIterator=_token(table, position))


def stream_of(iterator: str) -> tuple[str, int]:
    """The stream's resource name and the position that an iterator stands for."""
    try:
        arn, position = json.loads(base64.urlsafe_b64decode(iterator))
        return str(arn), int(position)
    except ValueError as error:
        raise errors.validation("Invalid ShardIterator") from error


def get_records(
    db: database.Database, table: tables.Table, position: int, request: requests.Request
) -> requests.Response:
    """Do a GetRecords from `position`."""
    limit = requests.limit(request, most=MAX_RECORDS) or MAX_RECORDS
    cursor = db.execute(
        f"SELECT seq, at, kind, keys, new, new_places, old, old_places FROM {table.stream} "  # noqa: S608 - own name
        "WHERE seq >= ? ORDER BY seq LIMIT ?",
        (position, limit),
    )
    records = []
    size, last = 0, position - 1
    try:
        for row in cursor:
            if last == position - 1 and (row[0] > position or row[2] == _TRIMMED):
                raise _gone()
            last = row[0]
            if row[2] == _TRIMMED:
                continue
            shown = _render(db, table, row)
            records.append(shown)
            size += shown["dynamodb"]["SizeBytes"]
            if size >= sizes.MAX_PAGE:
                break
    finally:
        cursor.close()
    return requests.respond(Records=records, NextShardIterator=_token(table, last + 1))


def trim(
    db: database.Database, every: list[tables.Table], now: int, limit: int, consumed: Mapping[str, str | None]
) -> int:
    """Drop records that `consumed` says are no longer needed, and of other streams those that are a day old.

    Args:
        db: within a write transaction.
        every: the tables.
        now: the time, in milliseconds.
        limit: how many records to drop at most.
        consumed: by stream resource name, the sequence number up to which records are no longer needed, None if all
            are; of these streams nothing is dropped for its age alone.

    Returns:
        How many records were dropped.
    """
    dropped = 0
    for table in every:
        if table.schema.stream_view is not None and dropped < limit:
            arn = table.schema.stream_arn
            if arn not in consumed:
                dropped += _trim(db, table, now - RETENTION_MS, 0, limit - dropped)
            elif (through := consumed[arn]) is not None:
                dropped += _trim(db, table, 0, _position(through), limit - dropped)
    return dropped


def _trim(db: database.Database, table: tables.Table, horizon: int, done: int, limit: int) -> int:
    newest, oldest = _newest(db, table), _oldest(db, table)
    if oldest is None:
        return 0
    rows = db.execute(
        f"SELECT seq, at, new_places, old_places FROM {table.stream} WHERE seq >= ? ORDER BY seq LIMIT ?",  # noqa: S608 - own name
        (oldest, limit),
    ).fetchall()
    last = oldest - 1
    for seq, at, new_places, old_places in rows:
        if at > horizon and seq > done:
            break
        last = seq
        if old_places is not None and old_places != new_places:
            longs.drop(db, table, longs.decode(old_places), but=longs.decode(new_places))
    if last < oldest:
        return 0
    db.execute(f"DELETE FROM {table.stream} WHERE seq <= ? AND seq < ?", (last, newest))  # noqa: S608 - own name
    if last == newest:
        db.execute(
            f"UPDATE {table.stream} SET kind = ?, keys = NULL, new = NULL, new_places = NULL, old = NULL, "  # noqa: S608 - own name
            "old_places = NULL WHERE seq = ?",
            (_TRIMMED, newest),
        )
    return last - oldest + 1


def _keys(table: tables.Table, text: str) -> str:
    return codec.encode(_key_item(table, codec.decode(text)))


def _key_item(table: tables.Table, item: values.Item) -> values.Item:
    return {key.name: item[key.name] for key in table.schema.keys}


def _render(db: database.Database, table: tables.Table, row: tables.Columns) -> dict[str, Any]:
    seq, at, kind, key_text, new_text, new_places, old_text, old_places = row
    new = None if new_text is None else codec.decode(new_text)
    if kind == _UPDATE:
        old: values.Item | None = _before(new or {}, codec.decode_changes(old_text or ""))
    else:
        old = None if old_text is None else codec.decode(old_text)
    key = codec.decode(key_text) if key_text is not None else _key_item(table, new or old or {})
    size = sum([len(text) for text in (key_text, new_text, old_text) if text is not None])
    for image, stored in ((new, new_places), (old, old_places)):
        if image is not None and stored is not None:
            places = longs.decode(stored)
            image.update(longs.load(db, table, places))
            size += longs.size(places)
    change: dict[str, Any] = {
        "ApproximateCreationDateTime": schema.moment(at),
        "Keys": key,
        "SequenceNumber": _number(seq),
        "SizeBytes": size,
        "StreamViewType": table.schema.stream_view,
    }
    if new is not None:
        change["NewImage"] = new
    if old is not None:
        change["OldImage"] = old
    shown: dict[str, Any] = {
        "eventID": f"{table.serial:08x}{seq:024x}",
        "eventName": _EVENTS[kind],
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": schema.REGION,
        "dynamodb": change,
    }
    if kind == _EXPIRE:
        shown["userIdentity"] = dict(_SERVICE_IDENTITY)
    return shown


def _before(new: values.Item, replaced: codec.Attributes) -> values.Item:
    """The item before an update; what did not change is the same object in both images."""
    old = dict(new)
    for name, attribute in replaced.items():
        if attribute is None:
            old.pop(name, None)
        else:
            old[name] = attribute
    return old


def _oldest(db: database.Database, table: tables.Table) -> int | None:
    """The number of the oldest record kept, None if there is none; an emptied row is not one."""
    row = db.execute(f"SELECT seq, kind FROM {table.stream} ORDER BY seq LIMIT 1").fetchone()  # noqa: S608 - own name
    if row is None:
        return None
    seq, kind = row
    if kind != _TRIMMED:
        return int(seq)
    return int(seq) + 1 if _newest(db, table) > seq else None


def _newest(db: database.Database, table: tables.Table) -> int:
    (seq,) = db.execute(f"SELECT max(seq) FROM {table.stream}").fetchone()  # noqa: S608 - own name
    return seq or 0


def _check_kept(db: database.Database, table: tables.Table, position: int) -> None:
    oldest = _oldest(db, table) or _newest(db, table) + 1
    if position < oldest:
        raise _gone()


def _gone() -> errors.Refusal:
    return errors.Refusal(
        "TrimmedDataAccessException", "The requested data has been trimmed: it is past the stream's retention"
    )


def _number(seq: int) -> str:
    return str(_SEQUENCE_BASE + seq)


def _position(number: str) -> int:
    if not number.isdigit():
        raise errors.validation(f"Invalid SequenceNumber: {number}")
    return int(number) - _SEQUENCE_BASE


def _token(table: tables.Table, position: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([table.schema.stream_arn, position]).encode()).decode()
