"""Writing items: a request becomes a `Write`, the stored row makes a `Change` of it, and the change is applied.

Life of a write:

    prepare_*   checks all that needs no stored item, and encodes what is already known
    stage       reads the row, evaluates the condition, computes the new item; refuses or returns a Change
    apply       writes the row, its index columns and its stream record

A put that only needs to know whether its key is free is inserted without reading first, and staged if the key is taken.

Nothing is written before everything is decided, so a refused call, alone, in a batch or in a transaction, has nothing
to undo.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import TYPE_CHECKING, Any

from infra.embedded import (
    capacity,
    codec,
    database,
    errors,
    expressions,
    keys,
    paths,
    requests,
    sizes,
    streams,
    tables,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_OLD_OR_NONE = ("NONE", "ALL_OLD")
_UPDATE_RETURNS = ("NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW")


class Kind(enum.Enum):
    """What a write does to its item."""

    PUT = enum.auto()
    UPDATE = enum.auto()
    DELETE = enum.auto()
    CHECK = enum.auto()


@dataclasses.dataclass(slots=True, kw_only=True)
class Write:
    """A checked request to write one item.

    Attributes:
        kind: what to do.
        table: where.
        key: the item's pk and sk columns.
        program: the compiled expressions.
        bound: the values of those.
        show_failed: whether a failed condition shows the item it failed for.
        item: what to put; for an update, the key attributes.
        encoded: of an item to be put: its text, its size and its ttl and index columns.
    """

    kind: Kind
    table: tables.Table
    key: tuple[keys.Column, keys.Column]
    program: expressions.Program
    bound: values.Item
    show_failed: bool
    item: values.Item
    encoded: tuple[str, int, tables.Columns] | None = None


@dataclasses.dataclass(slots=True)
class Change:
    """What a write will do to the stored row.

    Attributes:
        write: the request.
        row: the row as stored: id, size, item text, ttl, k0 ... kn; None if there is none.
        old: the stored item, once decoded.
        new: the item as it will be; None if it will not be there.
        text: the same as stored.
        size: its size in bytes.
        columns: its ttl and index columns.
        replaced: where an update changes a stored item: the attributes that it changes, as they were.
    """

    write: Write
    row: tables.Columns | None
    old: values.Item | None
    new: values.Item | None = None
    text: str = ""
    size: int = 0
    columns: tables.Columns = ()
    replaced: codec.Attributes | None = None

    def old_item(self) -> values.Item | None:
        """The stored item."""
        if self.old is None and self.row is not None:
            self.old = codec.decode(self.row[2])
        return self.old

    def charge(self, account: capacity.Account, factor: int = 1) -> None:
        """Charge what the change costs."""
        old_size = 0 if self.row is None else self.row[1]
        account.add_write(self.old_item(), self.new, old_size, self.size, factor)


def put_item(db: database.Database, table: tables.Table, request: requests.Request, now: int) -> requests.Response:
    """Do a PutItem."""
    return _replace(db, table, request, now, prepare_put)


def delete_item(db: database.Database, table: tables.Table, request: requests.Request, now: int) -> requests.Response:
    """Do a DeleteItem."""
    return _replace(db, table, request, now, prepare_delete)


def update_item(db: database.Database, table: tables.Table, request: requests.Request, now: int) -> requests.Response:
    """Do an UpdateItem."""
    returned = requests.choice(request, "ReturnValues", _UPDATE_RETURNS, "NONE")
    ledger = capacity.ledger(request)
    change = _run(db, prepare_update(table, request), ledger, now)
    return requests.respond(Attributes=_updated(change, returned), ConsumedCapacity=ledger.one())


def batch_write_item(
    db: database.Database, found: Mapping[str, tables.Table], request: requests.Request, now: int
) -> requests.Response:
    """Do a BatchWriteItem on the tables in `found`."""
    ledger = capacity.ledger(request)
    writes = [_prepare_member(found[name], member) for name, members in _batch(request).items() for member in members]
    places = {(write.table.serial, write.key) for write in writes}
    if len(places) != len(writes):
        raise errors.validation("Provided list of item keys contains duplicates")
    db.begin()
    for write in writes:
        _perform(db, write, ledger, now)
    db.commit()
    return requests.respond(UnprocessedItems={}, ConsumedCapacity=ledger.every())


def prepare_put(table: tables.Table, request: requests.Request) -> Write:
    """Check a put."""
    program, bound = expressions.prepare(request)
    item, size = values.measured(request["Item"])
    key = table.key_of(item)
    columns = table.extra_columns(item)
    if size > sizes.MAX_ITEM:
        raise errors.validation("Item size has exceeded the maximum allowed size")
    return Write(
        kind=Kind.PUT,
        table=table,
        key=key,
        program=program,
        bound=bound,
        show_failed=_shows_failed(request),
        item=item,
        encoded=(codec.encode(item), size, columns),
    )


def prepare_delete(table: tables.Table, request: requests.Request) -> Write:
    """Check a delete."""
    return _prepare_keyed(Kind.DELETE, table, request)


def prepare_check(table: tables.Table, request: requests.Request) -> Write:
    """Check a condition check."""
    return _prepare_keyed(Kind.CHECK, table, request)


def prepare_update(table: tables.Table, request: requests.Request) -> Write:
    """Check an update."""
    write = _prepare_keyed(Kind.UPDATE, table, request)
    update = write.program.update
    if update is not None:
        for key in table.schema.keys:
            if key.name in update.heads:
                raise errors.invalid(f"Cannot update attribute {key.name}. This attribute is part of the key")
    return write


def stage(db: database.Database, write: Write) -> Change:
    """Read the row and decide.

    Raises:
        Refusal: the condition is false, or the update cannot be applied.
    """
    row = db.execute(write.table.select, write.key).fetchone()
    program = write.program
    decode = row is not None and (program.condition is not None or write.kind is Kind.UPDATE)
    old = codec.decode(row[2]) if decode else None
    if program.condition is not None and not program.condition(old or {}, write.bound):
        raise errors.condition_failed(old if write.show_failed else None)
    change = Change(write, row, old)
    if write.kind is Kind.PUT and write.encoded is not None:
        change.new = write.item
        change.text, change.size, change.columns = write.encoded
    elif write.kind is Kind.UPDATE:
        _stage_update(change)
    elif write.kind is Kind.CHECK:
        change.new = change.old_item()
    return change


def apply(db: database.Database, change: Change, now: int, *, by_service: bool = False) -> None:
    """Write what was decided.

    Args:
        db: within a write transaction.
        change: what to write.
        now: the time for the stream record, in milliseconds.
        by_service: whether the service itself deletes, because the item's time to live is over.
    """
    table, row = change.write.table, change.row
    if change.write.kind is Kind.CHECK or (change.new is None and row is None):
        return
    if change.new is None:
        assert row is not None  # noqa: S101 - for the type checker: the line above has returned
        db.execute(table.delete, (row[0],))
    elif row is None:
        db.execute(table.insert, (*change.write.key, change.size, change.text, *change.columns))
    elif change.text == row[2]:
        return
    else:
        _rewrite(db, change, row)
        if table.schema.stream_view is None or _unchanged(change, row):
            return
    if table.schema.stream_view is not None:
        old = None if row is None else row[2]
        streams.record(db, table, old, change.text or None, now, replaced=change.replaced, by_service=by_service)


def _rewrite(db: database.Database, change: Change, row: tables.Columns) -> None:
    stored = row[3:]
    if stored == change.columns:
        positions: tuple[int, ...] = ()
    else:
        positions = tuple([at for at, column in enumerate(change.columns) if column != stored[at]])
    moved = [change.columns[at] for at in positions]
    db.execute(change.write.table.update(positions), (change.size, change.text, *moved, row[0]))


def _unchanged(change: Change, row: tables.Columns) -> bool:
    """Whether the texts differ and the items do not: another order of attributes or set elements."""
    new = change.new or {}
    if change.replaced is not None:
        return all(values.same(old, new.get(name)) for name, old in change.replaced.items())
    return len(change.text) == len(row[2]) and values.same_items(change.old_item() or {}, new)


def _stage_update(change: Change) -> None:
    write, update, row = change.write, change.write.program.update, change.row
    before = write.item if change.old is None else change.old
    after = dict(before) if update is None else update.apply(before, write.bound)
    if row is None:
        change.size = sizes.item(after)
        change.columns = write.table.extra_columns(after)
        change.text = codec.encode(after)
    else:
        _compare(change, row, before, after)
    if change.size > sizes.MAX_ITEM:
        raise errors.validation("Item size to update has exceeded the maximum allowed size")
    change.new = after


def _compare(change: Change, row: tables.Columns, before: values.Item, after: values.Item) -> None:
    """Work out what an update changes in a stored row, from the attributes that it is about."""
    update = change.write.program.update
    replaced: codec.Attributes = {}
    size = row[1]
    for name in () if update is None else update.heads:
        old, new = before.get(name), after.get(name)
        if old != new:
            replaced[name] = old
            size += sizes.growth(name, old, new)
    change.replaced = replaced
    change.size = size
    change.columns = change.write.table.changed_columns(row[3:], after, replaced)
    change.text = codec.encode(after) if replaced else row[2]


def _replace(
    db: database.Database,
    table: tables.Table,
    request: requests.Request,
    now: int,
    prepare: Callable[[tables.Table, requests.Request], Write],
) -> requests.Response:
    """Do a write that returns at most the item that was there before."""
    returned = _returned(request)
    ledger = capacity.ledger(request)
    change = _run(db, prepare(table, request), ledger, now)
    return requests.respond(
        Attributes=change.old_item() if returned == "ALL_OLD" else None, ConsumedCapacity=ledger.one()
    )


def _run(db: database.Database, write: Write, ledger: capacity.Ledger, now: int) -> Change:
    db.begin()
    change = _perform(db, write, ledger, now)
    db.commit()
    return change


def _perform(db: database.Database, write: Write, ledger: capacity.Ledger, now: int) -> Change:
    """Decide and do one write, within a write transaction."""
    change = _insert(db, write, now)
    if change is None:
        change = stage(db, write)
        apply(db, change, now)
    if ledger.wanted:
        change.charge(ledger.of(write.table))
    return change


def _insert(db: database.Database, write: Write, now: int) -> Change | None:
    """Put an item whose key is free; None if it is taken, or if the key does not decide alone."""
    program, table = write.program, write.table
    if write.encoded is None or (program.condition is not None and program.condition_absent not in table.key_names):
        return None
    text, size, columns = write.encoded
    if not db.execute(table.insert_new, (*write.key, size, text, *columns)).rowcount:
        return None
    if table.schema.stream_view is not None:
        streams.record(db, table, None, text, now)
    return Change(write, None, None, write.item, text, size, columns)


def _updated(change: Change, returned: str) -> values.Item | None:
    update, old, new = change.write.program.update, change.old, change.new
    if returned == "ALL_NEW":
        return new
    if returned == "ALL_OLD":
        return old
    if update is None or returned == "NONE":
        return None
    item = old if returned == "UPDATED_OLD" else new
    return None if item is None else paths.project(item, update.paths) or None


def _prepare_keyed(kind: Kind, table: tables.Table, request: requests.Request) -> Write:
    program, bound = expressions.prepare(request)
    item = values.item(request["Key"])
    return Write(
        kind=kind,
        table=table,
        key=table.key(item),
        program=program,
        bound=bound,
        show_failed=_shows_failed(request),
        item=item,
    )


def _prepare_member(table: tables.Table, member: requests.Request) -> Write:
    if len(member) == 1 and "PutRequest" in member:
        return prepare_put(table, member["PutRequest"])
    if len(member) == 1 and "DeleteRequest" in member:
        return prepare_delete(table, member["DeleteRequest"])
    raise errors.validation(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
    )


def _batch(request: requests.Request) -> Mapping[str, Any]:
    members: Mapping[str, Any] = request["RequestItems"]
    count = sum(map(len, members.values()))
    if not members or not all(members.values()):
        raise errors.constraint(members, "requestItems", "Member must have length greater than or equal to 1")
    if count > requests.MAX_BATCH_WRITES:
        raise errors.validation(
            f"Too many items requested for the BatchWriteItem call: {count}, at most {requests.MAX_BATCH_WRITES}"
        )
    return members


def _returned(request: requests.Request) -> str:
    returned = requests.choice(request, "ReturnValues", _UPDATE_RETURNS, "NONE")
    if returned not in _OLD_OR_NONE:
        raise errors.validation("ReturnValues can only be ALL_OLD or NONE")
    return returned


def _shows_failed(request: requests.Request) -> bool:
    return requests.choice(request, "ReturnValuesOnConditionCheckFailure", _OLD_OR_NONE, "NONE") == "ALL_OLD"
