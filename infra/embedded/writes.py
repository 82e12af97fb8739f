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
    longs,
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


@dataclasses.dataclass(slots=True)
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
        columns: of an item to be put: its ttl and index columns.
        text: of an item to be put: what its row holds of it.
        texts: of an item to be put: its long texts.
    """

    kind: Kind
    table: tables.Table
    key: tuple[keys.Column, keys.Column]
    program: expressions.Program
    bound: values.Item
    show_failed: bool
    item: values.Item
    columns: tables.Columns = ()
    text: str = ""
    texts: longs.Texts = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class Change:
    """What a write will do to the stored row.

    Attributes:
        write: the request.
        row: the row as stored: id, item text, places, ttl, k0 ... kn; None if there is none.
        old: what is decoded of the stored item: nothing, or all but the long texts that nobody asked for.
        places: where the long texts of the stored item are.
        new: the item as it will be, but for the long texts in `kept`; None if it will not be there.
        text: what its row will hold.
        texts: its new long texts.
        kept: where those are that it keeps.
        columns: its ttl and index columns.
        replaced: where an update changes a stored item: the attributes of the row that it changes, as they were.
    """

    write: Write
    row: tables.Columns | None
    old: values.Item | None
    places: longs.Places
    new: values.Item | None = None
    text: str = ""
    texts: longs.Texts = dataclasses.field(default_factory=dict)
    kept: longs.Places = dataclasses.field(default_factory=dict)
    columns: tables.Columns = ()
    replaced: codec.Attributes | None = None

    def old_item(self, db: database.Database) -> values.Item | None:
        """The stored item."""
        if self.row is None:
            return None
        if self.old is None:
            self.old = codec.decode(self.row[1])
        missing = self.places.keys() - self.old.keys()
        return {**self.old, **longs.load(db, self.write.table, self.places, missing)} if missing else self.old

    def new_item(self, db: database.Database) -> values.Item | None:
        """The item as it will be."""
        if self.new is None or not self.kept:
            return self.new
        missing = self.kept.keys() - self.new.keys()
        return {**self.new, **longs.load(db, self.write.table, self.kept, missing)} if missing else self.new

    @property
    def most_bytes(self) -> int:
        """What the size of the new item cannot exceed, told without measuring it."""
        return _most_bytes(self.text, self.texts) + longs.size(self.kept)

    def size(self, db: database.Database) -> int:
        """The size of the new item, 0 if none is written."""
        new = None if self.write.kind is Kind.CHECK else self.new_item(db)
        return 0 if new is None else sizes.item(new)

    def charge(self, db: database.Database, account: capacity.Account, factor: int = 1) -> None:
        """Charge what the change costs."""
        old, new = self.old_item(db), self.new_item(db)
        old_size, new_size = 0 if old is None else sizes.item(old), 0 if new is None else sizes.item(new)
        account.add_write(old, new, old_size, new_size, factor)


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
    change = _run(db, prepare_update(table, request), ledger, now, shows_old=returned == "ALL_OLD")
    return requests.respond(Attributes=_updated(db, change, returned), ConsumedCapacity=ledger.one())


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
    item = values.item(request["Item"])
    key = table.key_of(item)
    columns = table.extra_columns(item)
    short, texts = longs.divide(table, item)
    text = codec.encode(short)
    if _most_bytes(text, texts) > sizes.MAX_ITEM and sizes.item(item) > sizes.MAX_ITEM:
        raise errors.validation("Item size has exceeded the maximum allowed size")
    return Write(Kind.PUT, table, key, program, bound, _shows_failed(request), item, columns, text, texts)


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
    places = {} if row is None or row[2] is None else longs.decode(row[2])
    change = Change(write, row, None, places)
    if row is not None and (program.condition is not None or write.kind is Kind.UPDATE):
        change.old = codec.decode(row[1])
        if places and not program.concerned.isdisjoint(places):
            change.old |= longs.load(db, write.table, places, program.concerned)
    if program.condition is not None and not program.condition(change.old or {}, write.bound):
        raise errors.condition_failed(change.old_item(db) if write.show_failed else None)
    if write.kind is Kind.PUT:
        change.new, change.text, change.columns, change.texts = write.item, write.text, write.columns, write.texts
        if places and write.texts:
            _keep_same(db, change)
    elif write.kind is Kind.UPDATE:
        _stage_update(db, change)
    elif write.kind is Kind.CHECK:
        change.new, change.kept = change.old_item(db), places
    return change


def apply(db: database.Database, change: Change, now: int, *, by_service: bool = False) -> None:
    """Write what was decided.

    Args:
        db: within a write transaction.
        change: what to write.
        now: the time for the stream record, in milliseconds.
        by_service: whether the service itself deletes, because the item's time to live is over.
    """
    write, row = change.write, change.row
    table = write.table
    if write.kind is Kind.CHECK or (change.new is None and row is None):
        return
    old = None if row is None else (row[1], row[2])
    if row is not None and change.new is None:
        db.execute(table.delete, (row[0],))
        new = None
    else:
        same_texts = row is not None and not change.texts and change.kept == change.places
        if row is not None and same_texts and change.text == row[1]:
            return
        new = (change.text, row[2] if row is not None and same_texts else _keep(db, change))
        if row is None:
            db.execute(table.insert, (*write.key, *new, *change.columns))
        else:
            _rewrite(db, change, row, new)
            if same_texts and _unchanged(db, change, row):
                return
    if table.schema.stream_view is not None:
        streams.record(db, table, old, new, now, replaced=change.replaced, by_service=by_service)
    elif change.places and change.kept != change.places:
        longs.drop(db, table, change.places, but=change.kept)


def _keep(db: database.Database, change: Change) -> str | None:
    """Store the new long texts; what is stored of the places of all."""
    return longs.encode({**change.kept, **longs.keep(db, change.write.table, change.texts)})


def _rewrite(db: database.Database, change: Change, row: tables.Columns, new: streams.Image) -> None:
    stored = row[3:]
    if stored == change.columns:
        positions: tuple[int, ...] = ()
    else:
        positions = tuple([at for at, column in enumerate(change.columns) if column != stored[at]])
    moved = [change.columns[at] for at in positions]
    db.execute(change.write.table.update(positions), (*new, *moved, row[0]))


def _unchanged(db: database.Database, change: Change, row: tables.Columns) -> bool:
    """Whether the texts differ and the items do not: another order of attributes or set elements."""
    new = change.new or {}
    if change.replaced is not None:
        return all(values.same(old, new.get(name)) for name, old in change.replaced.items())
    return len(change.text) == len(row[1]) and values.same_items(change.old_item(db) or {}, new)


def _keep_same(db: database.Database, change: Change) -> None:
    """Of a put over an item: let those long texts be that are the same in both."""
    before = longs.load(db, change.write.table, change.places, change.texts)
    same = {name for name, attribute in before.items() if attribute["S"] == change.texts[name]}
    change.kept = {name: change.places[name] for name in same}
    change.texts = {name: text for name, text in change.texts.items() if name not in same}


def _stage_update(db: database.Database, change: Change) -> None:
    write, update, row = change.write, change.write.program.update, change.row
    before = write.item if change.old is None else change.old
    after = dict(before) if update is None else update.apply(before, write.bound)
    if row is None:
        change.columns = write.table.extra_columns(after)
        short, change.texts = longs.divide(write.table, after)
        change.text = codec.encode(short)
    else:
        _compare(change, row, before, after)
    change.new = after
    if change.most_bytes > sizes.MAX_ITEM and change.size(db) > sizes.MAX_ITEM:
        raise errors.validation("Item size to update has exceeded the maximum allowed size")


def _compare(change: Change, row: tables.Columns, before: values.Item, after: values.Item) -> None:
    """Work out what an update changes in a stored row, from the attributes that it is about."""
    table, update, places = change.write.table, change.write.program.update, change.places
    heads = () if update is None else update.heads
    changed = {name for name in heads if before.get(name) != after.get(name)}
    change.columns = table.changed_columns(row[3:], after, changed)
    change.kept = places
    if not changed:
        change.replaced, change.text = {}, row[1]
        return
    _, change.texts = longs.divide(table, {name: after[name] for name in changed if name in after})
    if places and not changed.isdisjoint(places):
        change.kept = {name: place for name, place in places.items() if name not in changed}
    # An attribute that stands apart, before or after, is for its row one that is not there.
    change.replaced = {name: None if name in places else before.get(name) for name in changed}
    loaded = change.texts.keys() | (change.kept.keys() & after.keys())
    change.text = codec.encode({name: after[name] for name in after if name not in loaded} if loaded else after)


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
    change = _run(db, prepare(table, request), ledger, now, shows_old=returned == "ALL_OLD")
    return requests.respond(Attributes=change.old if returned == "ALL_OLD" else None, ConsumedCapacity=ledger.one())


def _run(db: database.Database, write: Write, ledger: capacity.Ledger, now: int, *, shows_old: bool) -> Change:
    db.begin()
    change = _perform(db, write, ledger, now, shows_old=shows_old)
    db.commit()
    return change


def _perform(
    db: database.Database, write: Write, ledger: capacity.Ledger, now: int, *, shows_old: bool = False
) -> Change:
    """Decide and do one write, within a write transaction; `shows_old` if the stored item is wanted whole."""
    change = _insert(db, write, now)
    if change is None:
        change = stage(db, write)
        if shows_old:
            change.old = change.old_item(db)
        if ledger.wanted:
            change.charge(db, ledger.of(write.table))
        apply(db, change, now)
    elif ledger.wanted:
        change.charge(db, ledger.of(write.table))
    return change


def _insert(db: database.Database, write: Write, now: int) -> Change | None:
    """Put an item whose key is free; None if it is taken, or if the key does not decide alone."""
    program, table = write.program, write.table
    if write.kind is not Kind.PUT or (
        program.condition is not None and program.condition_absent not in table.key_names
    ):
        return None
    kept = longs.keep(db, table, write.texts) if write.texts else {}
    places = longs.encode(kept)
    if not db.execute(table.insert_new, (*write.key, write.text, places, *write.columns)).rowcount:
        longs.drop(db, table, kept)
        return None
    if table.schema.stream_view is not None:
        streams.record(db, table, None, (write.text, places), now)
    return Change(write, None, None, {}, write.item)


def _updated(db: database.Database, change: Change, returned: str) -> values.Item | None:
    update, old, new = change.write.program.update, change.old, change.new
    if returned == "ALL_NEW":
        return change.new_item(db)
    if returned == "ALL_OLD":
        return old
    if update is None or returned == "NONE":
        return None
    item = old if returned == "UPDATED_OLD" else new
    return None if item is None else paths.project(item, update.paths) or None


def _prepare_keyed(kind: Kind, table: tables.Table, request: requests.Request) -> Write:
    program, bound = expressions.prepare(request)
    item = values.item(request["Key"])
    return Write(kind, table, table.key(item), program, bound, _shows_failed(request), item)


def _most_bytes(text: str, texts: longs.Texts) -> int:
    """What the size of an item cannot exceed: no character has more than four bytes, and JSON is never shorter."""
    return 4 * (len(text) + sum([len(name) + len(text) for name, text in texts.items()]))


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
