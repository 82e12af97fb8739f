"""Time to live: which attribute says when an item's time is over, and removing those whose time is."""

from __future__ import annotations

from infra.embedded import catalog, codec, database, errors, expressions, longs, requests, tables, writes

OLDEST_SECONDS = 5 * 365 * 24 * 60 * 60  # DynamoDB takes older times for mistakes and keeps the items
_CHUNK = 1000


def update_time_to_live(db: database.Database, known: catalog.Catalog, request: requests.Request) -> requests.Response:
    """Do an UpdateTimeToLive; unlike DynamoDB's, it is in force at once and may be repeated at once."""
    specification = request["TimeToLiveSpecification"]
    attribute, enabled = specification["AttributeName"], specification["Enabled"]
    db.begin()
    table = known.current(request["TableName"])
    current = table.schema.ttl
    if enabled and current is not None:
        raise errors.validation(
            "TimeToLive is already enabled"
            if current == attribute
            else f"TimeToLive is active on a different AttributeName: current AttributeName is {current}"
        )
    if not enabled and current is None:
        raise errors.validation("TimeToLive is already disabled")
    changed = known.set_ttl(table, attribute if enabled else None)
    if enabled:
        _fill(db, changed)
    db.commit()
    return requests.respond(TimeToLiveSpecification=dict(specification))


def describe_time_to_live(known: catalog.Catalog, request: requests.Request) -> requests.Response:
    """Do a DescribeTimeToLive."""
    attribute = known.current(request["TableName"]).schema.ttl
    if attribute is None:
        return requests.respond(TimeToLiveDescription={"TimeToLiveStatus": "DISABLED"})
    return requests.respond(TimeToLiveDescription={"TimeToLiveStatus": "ENABLED", "AttributeName": attribute})


def expire(db: database.Database, every: list[tables.Table], now: int, limit: int) -> int:
    """Remove items whose time to live is over, the longest overdue first within each table.

    Args:
        db: within a write transaction.
        every: the tables.
        now: the time, in milliseconds.
        limit: how many items to remove at most.

    Returns:
        How many were removed.
    """
    seconds = now // 1000
    removed = 0
    for table in every:
        if table.schema.ttl is not None and removed < limit:
            span = (seconds - OLDEST_SECONDS, seconds, limit - removed)
            for row in db.execute(table.select_expired, span).fetchall():
                writes.apply(db, _removal(table, row), now, by_service=True)
                removed += 1
    return removed


def _removal(table: tables.Table, row: tables.Columns) -> writes.Change:
    key = ("", "")  # the row is known already
    write = writes.Write(writes.Kind.DELETE, table, key, expressions.NOTHING, {}, show_failed=False, item={})
    return writes.Change(write, row, None, longs.decode(row[2]))


def _fill(db: database.Database, table: tables.Table) -> None:
    """Set the `ttl` column of the rows there are."""
    last = 0
    while True:
        rows = db.execute(
            f"SELECT id, item FROM {table.name} WHERE id > ? ORDER BY id LIMIT ?",  # noqa: S608 - own name
            (last, _CHUNK),
        ).fetchall()
        for identity, text in rows:
            ttl = table.extra_columns(codec.decode(text))[0]
            db.execute(f"UPDATE {table.name} SET ttl = ? WHERE id = ?", (ttl, identity))  # noqa: S608 - own name
        if len(rows) < _CHUNK:
            return
        last = rows[-1][0]
