"""Reading items: by key, by key condition and by scan.

A page ends at Limit, at 1 MB, or with the last item; in the first two cases it says where to go on.
"""

from __future__ import annotations

import dataclasses
import functools
import zlib
from typing import TYPE_CHECKING, Any

from infra.embedded import (
    capacity,
    codec,
    database,
    errors,
    expressions,
    keyconditions,
    keys,
    longs,
    paths,
    requests,
    sizes,
    tables,
    values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SELECTS = ("ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "SPECIFIC_ATTRIBUTES", "COUNT")
_MAX_SEGMENTS = 1_000_000
_PLANS = 1024
_KEYS_BELOW_A_PAGE = 100  # keys have at most 2 KB + 3 * 1 KB, so that so many cannot fill a page


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What queries and scans have in common that differ in their values and positions only.

    Attributes:
        table: the table.
        view: the table itself or one of its indexes.
        program: the compiled expressions.
        fetches: whether a local index is read together with the rest of each item.
        entries: whether index entries are read alone, which hold nothing but keys.
        shown_as_read: whether such entries are shown all and whole.
        counts: whether only the number of items is wanted.
        consistent: whether the read is strongly consistent.
        partition: the `:` name of a partition key whose items are wanted all, if that is the key condition.
        statements: what reads such a partition from its beginning, forwards and backwards.
    """

    table: tables.Table
    view: tables.View
    program: expressions.Program
    fetches: bool
    entries: bool
    shown_as_read: bool
    counts: bool
    consistent: bool
    partition: str | None
    statements: tuple[str, str]


@dataclasses.dataclass(slots=True)
class Page:
    """What one query or scan is to read.

    Attributes:
        plan: how.
        bound: the values of its expressions.
        limit: how many items to look at, at most; None for no such limit.
        start: where to go on, as an item of key attributes.
        segment: for a parallel scan, the number of the segment and of all segments.
    """

    plan: Plan
    bound: values.Item
    limit: int | None
    start: values.Item | None
    segment: tuple[int, int] | None = None


@dataclasses.dataclass(slots=True)
class _Harvest:
    """What was read so far: the items that passed the filter, how many were looked at, and their bytes."""

    items: list[values.Item]
    looked_at: int = 0
    size: int = 0
    fetched_units: int = 0
    last: values.Item | None = None


def get_item(db: database.Database, table: tables.Table, request: requests.Request) -> requests.Response:
    """Do a GetItem."""
    program, _ = expressions.prepare(request)
    ledger = capacity.ledger(request)
    key = table.key(values.item(request["Key"]))
    consistent = bool(request.get("ConsistentRead"))
    item = _fetch(db, table, key, program, ledger, 1.0 if consistent else 0.5)
    return requests.respond(Item=item, ConsumedCapacity=ledger.one())


def batch_get_item(
    db: database.Database, found: Mapping[str, tables.Table], request: requests.Request
) -> requests.Response:
    """Do a BatchGetItem on the tables in `found`."""
    members: Mapping[str, Any] = request["RequestItems"]
    if sum(len(member["Keys"]) for member in members.values()) > requests.MAX_BATCH_READS:
        raise errors.validation("Too many items requested for the BatchGetItem call")
    ledger = capacity.ledger(request)
    responses: dict[str, list[values.Item]] = {}
    unprocessed: dict[str, Any] = {}
    size = 0
    db.snapshot()
    for name, member in members.items():
        table = found[name]
        program, _ = expressions.prepare(member)
        responses[name] = []
        factor = 1.0 if member.get("ConsistentRead") else 0.5
        for given, key in _distinct(table, member["Keys"]):
            if size >= sizes.MAX_BATCH:
                unprocessed.setdefault(name, {**member, "Keys": []})["Keys"].append(given)
                continue
            item = _fetch(db, table, key, program, ledger, factor)
            if item is not None:
                responses[name].append(item)
                size += sizes.item(item)
    db.commit()
    return requests.respond(Responses=responses, UnprocessedKeys=unprocessed, ConsumedCapacity=ledger.every())


def transact_get_items(
    db: database.Database, found: Mapping[str, tables.Table], request: requests.Request
) -> requests.Response:
    """Do a TransactGetItems on the tables in `found`."""
    ledger = capacity.ledger(request, "ReadCapacityUnits")
    gets = [action["Get"] for action in request["TransactItems"]]
    if not 1 <= len(gets) <= requests.MAX_TRANSACTION_ACTIONS:
        raise errors.constraint("[...]", "transactItems", "Member must have length less than or equal to 100")
    prepared = [
        (found[get["TableName"]], found[get["TableName"]].key(values.item(get["Key"])), expressions.prepare(get)[0])
        for get in gets
    ]
    if len({(table.serial, key) for table, key, _ in prepared}) != len(prepared):
        raise errors.validation("Transaction request cannot include multiple operations on one item")
    db.snapshot()
    items = [_fetch(db, table, key, program, ledger, 2.0) for table, key, program in prepared]
    db.commit()
    return requests.respond(
        Responses=[{} if item is None else {"Item": item} for item in items], ConsumedCapacity=ledger.every()
    )


def query(db: database.Database, table: tables.Table, request: requests.Request) -> requests.Response:
    """Do a Query."""
    page = _page(table, request)
    plan = page.plan
    descending = request.get("ScanIndexForward") is False
    if plan.partition is None or page.start is not None:
        return _query_range(db, page, request, descending=descending)
    partition = keyconditions.column(plan.partition, page.bound, plan.view.hash)
    _check_filter(plan)
    return _answer(db, page, plan.statements[descending], [partition], request)


def _query_range(
    db: database.Database, page: Page, request: requests.Request, *, descending: bool
) -> requests.Response:
    """Do a Query that has a condition on the sort key or a position to go on from."""
    view, program = page.plan.view, page.plan.program
    if program.key is None:
        raise errors.validation(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
        )
    bounds = keyconditions.bounds(program.key, page.bound, view.hash, view.range)
    _check_filter(page.plan)
    low, high = bounds.low, bounds.high
    parameters: list[Any] = [bounds.hash]
    after: list[Any] = []
    if page.start is not None:
        position = view.position(page.start)
        _check_start(view, bounds, position)
        after = [position[column] for column in view.order[1:]]
        low, high = (low, None) if descending else (None, high)
    if low is not None:
        parameters.append(low)
    if high is not None:
        parameters.append(high)
    statement = view.select(
        equal=True,
        low=None if low is None else bounds.low_operator,
        high=None if high is None else bounds.high_operator,
        start=page.start is not None,
        descending=descending,
        keys=page.plan.entries,
    )
    return _answer(db, page, statement, [*parameters, *after], request)


def scan(db: database.Database, table: tables.Table, request: requests.Request) -> requests.Response:
    """Do a Scan."""
    page = _page(table, request)
    page.segment = _segment(request)
    view = page.plan.view
    after: list[Any] = []
    if page.start is not None:
        position = view.position(page.start)
        after = [position[column] for column in view.order]
    statement = view.select(
        equal=False, low=None, high=None, start=page.start is not None, descending=False, keys=page.plan.entries
    )
    return _answer(db, page, statement, after, request)


def _fetch(
    db: database.Database,
    table: tables.Table,
    key: tuple[keys.Column, keys.Column],
    program: expressions.Program,
    ledger: capacity.Ledger,
    factor: float,
) -> values.Item | None:
    row = db.execute(table.select_item, key).fetchone()
    item = None if row is None else _whole(db, table, row)
    if ledger.wanted:
        ledger.of(table).add(factor * capacity.read_units(0 if item is None else sizes.item(item)))
    if item is None or program.projection is None:
        return item
    return paths.project(item, program.projection)


def _whole(db: database.Database, table: tables.Table, row: tables.Columns) -> values.Item:
    """The item that a row's text and places stand for."""
    item = codec.decode(row[0])
    if row[1] is not None:
        item.update(longs.load(db, table, longs.decode(row[1])))
    return item


def _distinct(
    table: tables.Table, given: list[values.Item]
) -> list[tuple[values.Item, tuple[keys.Column, keys.Column]]]:
    located = [(key, table.key(values.item(key))) for key in given]
    if len({key for _, key in located}) != len(located):
        raise errors.validation("Provided list of item keys contains duplicates")
    return located


def _page(table: tables.Table, request: requests.Request) -> Page:
    program, bound = expressions.prepare(request)
    plan = _plan(table, program, request.get("IndexName"), request.get("Select"), bool(request.get("ConsistentRead")))
    limit = requests.limit(request)
    start = request.get("ExclusiveStartKey")
    return Page(plan, bound, limit, None if start is None else values.item(start))


@functools.lru_cache(maxsize=_PLANS)
def _plan(
    table: tables.Table,
    program: expressions.Program,
    index_name: str | None,
    wanted: str | None,
    consistent: bool,  # noqa: FBT001 - part of the cache's key
) -> Plan:
    view = table.view(index_name)
    if consistent and view.index is not None and not view.index.is_local:
        raise errors.validation("Consistent reads are not supported on global secondary indexes")
    select = requests.choice({"Select": wanted}, "Select", _SELECTS, "")
    if program.projection is not None and select not in ("", "SPECIFIC_ATTRIBUTES"):
        raise errors.validation(
            f"Cannot specify the ProjectionExpression when choosing to get {select.removesuffix('_ATTRIBUTES')}"
        )
    if select == "ALL_PROJECTED_ATTRIBUTES" and view.index is None:
        raise errors.invalid("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
    if select == "SPECIFIC_ATTRIBUTES" and program.projection is None:
        raise errors.validation(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC"
        )
    fetches = _fetches(view, program, select)
    entries = view.keys_only and not fetches
    return Plan(
        table=table,
        view=view,
        program=program,
        fetches=fetches,
        entries=entries,
        shown_as_read=entries and program.filter is None and program.projection is None,
        counts=select == "COUNT",
        consistent=consistent,
        partition=None if program.key is None else keyconditions.whole_partition(program.key, view.hash),
        statements=(
            view.select(equal=True, low=None, high=None, start=False, descending=False, keys=entries),
            view.select(equal=True, low=None, high=None, start=False, descending=True, keys=entries),
        ),
    )


def _fetches(view: tables.View, program: expressions.Program, select: str) -> bool:
    """Whether attributes are wanted that the index does not hold; only a local index can fetch them."""
    if view.index is None or view.index.projection == "ALL":
        return False
    heads = {str(path.parts[0]) for path in program.projection or ()}
    if select != "ALL_ATTRIBUTES" and view.shows(heads):
        return False
    if view.index.is_local:
        return True
    if select == "ALL_ATTRIBUTES":
        raise errors.invalid(
            f"Select type ALL_ATTRIBUTES is not supported for global secondary index {view.index.name} "
            "because its projection type is not ALL"
        )
    raise errors.invalid(f"One or more attributes are not projected into the global secondary index {view.index.name}")


def _segment(request: requests.Request) -> tuple[int, int] | None:
    segment, total = request.get("Segment"), request.get("TotalSegments")
    if segment is None and total is None:
        return None
    if segment is None or total is None:
        raise errors.validation("The Segment and TotalSegments parameters must be given together")
    if not 0 <= segment < total <= _MAX_SEGMENTS:
        raise errors.validation("The Segment parameter is zero-based and must be less than parameter TotalSegments")
    return segment, total


def _check_filter(plan: Plan) -> None:
    if plan.program.filter is None:
        return
    for key in (plan.view.hash, plan.view.range):
        if key is not None and key.name in plan.program.filter_heads:
            raise errors.validation(
                f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {key.name}"
            )


def _check_start(view: tables.View, bounds: keyconditions.Bounds, position: dict[str, keys.Column]) -> None:
    if position[view.order[0]] != bounds.hash:
        raise errors.validation("The provided starting key is outside query boundaries based on provided conditions")
    if not bounds.admits(position[view.order[1]]):
        raise errors.validation("The provided starting key does not match the range key predicate")


def _answer(
    db: database.Database, page: Page, statement: str, parameters: list[Any], request: requests.Request
) -> requests.Response:
    plan, mode = page.plan, requests.capacity_mode(request)
    parameters.append(-1 if page.limit is None or page.segment is not None else page.limit)
    if mode == "NONE" and _is_simple(page):
        return _entries(page, db.execute(statement, parameters).fetchall())
    cursor = db.execute(statement, parameters)
    try:
        harvest, more = _gather(db, page, cursor, priced=mode != "NONE")
    finally:
        cursor.close()
    position = None
    if more and harvest.last is not None:
        position = {name: harvest.last[name] for name in plan.view.key_names}
    return requests.respond(
        Items=None if plan.counts else harvest.items,
        Count=len(harvest.items),
        ScannedCount=harvest.looked_at,
        LastEvaluatedKey=position,
        ConsumedCapacity=_consumed(page, harvest, mode),
    )


def _is_simple(page: Page) -> bool:
    """Whether the rows are what is to be shown, and too few to fill a page by their size."""
    limit = page.limit
    return page.plan.shown_as_read and limit is not None and limit <= _KEYS_BELOW_A_PAGE and page.segment is None


def _entries(page: Page, rows: list[tables.Columns]) -> requests.Response:
    """The answer that shows all of `rows`."""
    items = [page.plan.view.key_item(row) for row in rows]
    return requests.respond(
        Items=None if page.plan.counts else items,
        Count=len(items),
        ScannedCount=len(items),
        LastEvaluatedKey=dict(items[-1]) if len(items) == page.limit else None,
    )


def _gather(
    db: database.Database, page: Page, rows: Iterator[tables.Columns], *, priced: bool
) -> tuple[_Harvest, bool]:
    """Read rows until the page is full; the second result tells whether it is."""
    plan, bound = page.plan, page.bound
    program = plan.program
    keep = program.filter
    harvest = _Harvest([])
    measured = priced or page.limit is None or page.limit > _KEYS_BELOW_A_PAGE
    for row in rows:
        whole, item, size = _item_of(db, plan, row, measured=measured)
        if page.segment is not None and not _in_segment(page.segment, plan.table, whole):
            continue
        harvest.looked_at += 1
        harvest.size += size
        harvest.last = whole
        if plan.fetches and priced:
            harvest.fetched_units += capacity.read_units(sizes.item(whole))
        if keep is None or keep(item, bound):
            harvest.items.append(item if program.projection is None else paths.project(item, program.projection))
        if harvest.looked_at == page.limit or harvest.size >= sizes.MAX_PAGE:
            return harvest, True
    return harvest, False


def _item_of(
    db: database.Database, plan: Plan, row: tables.Columns, *, measured: bool
) -> tuple[values.Item, values.Item, int]:
    """The stored item (or what is known of it), what the page shows of it, and the size that is read for that."""
    view = plan.view
    if plan.entries:
        item = view.key_item(row)
        return item, item, sizes.item(item) if measured else 0
    whole = _whole(db, plan.table, row)
    if view.index is None or view.index.projection == "ALL":
        return whole, whole, sizes.item(whole)
    projected = view.item(whole)
    return whole, whole if plan.fetches else projected, sizes.item(projected)


def _in_segment(segment: tuple[int, int], table: tables.Table, item: values.Item) -> bool:
    number, total = segment
    partition = item[table.schema.hash.name]
    return zlib.crc32(repr(partition).encode()) % total == number


def _consumed(page: Page, harvest: _Harvest, mode: str) -> dict[str, Any] | None:
    if mode == "NONE":
        return None
    ledger = capacity.Ledger(mode)
    factor = 1.0 if page.plan.consistent else 0.5
    account = ledger.of(page.plan.table)
    account.add(factor * capacity.read_units(harvest.size), page.plan.view)
    account.add(factor * harvest.fetched_units)
    return ledger.one()
