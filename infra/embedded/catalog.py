"""Which tables exist: a cache of the catalog table, reloaded when it may be out of date."""

from __future__ import annotations

import json
from typing import Any

from infra.embedded import codec, database, errors, schema, tables


class Catalog:
    """The tables by name and by stream."""

    def __init__(self, db: database.Database) -> None:
        self._db = db
        self._tables: dict[str, tables.Table] = {}
        self.reload()

    def reload(self) -> None:
        """Read the catalog again; tables that have not changed stay the same objects."""
        rows = self._db.execute("SELECT name, serial, generation, definition FROM catalog ORDER BY name").fetchall()
        self._tables = {row[0]: self._known(*row) or _load(*row) for row in rows}

    def table(self, name: str) -> tables.Table:
        """The table of that name or resource name.

        Raises:
            Refusal: there is none.
        """
        found = self._tables.get(name)
        return self._search(name) if found is None else found

    def every(self) -> list[tables.Table]:
        """All tables, by name."""
        self._reload_if_shared()
        return [table for _, table in sorted(self._tables.items())]

    def current(self, name: str) -> tables.Table:
        """The table of that name as it is now, whatever other processes did; for rare calls.

        Raises:
            Refusal: there is none.
        """
        self._reload_if_shared()
        found = self._tables.get(_short(name))
        if found is None:
            raise errors.not_found(f"Requested resource not found: Table: {_short(name)} not found")
        return found

    def stream(self, arn: str) -> tables.Table:
        """The table whose stream has that resource name.

        Raises:
            Refusal: there is none.
        """
        found = self._streaming(arn)
        if found is None:
            self._reload_if_shared()
            found = self._streaming(arn)
        if found is None:
            raise errors.not_found(f"Requested resource not found: Stream: {arn} not found")
        return found

    def create(self, request: schema.Request, now: int) -> tables.Table:
        """Create a table; to be called within a write transaction.

        Raises:
            Refusal: the request is faulty or the name is taken.
        """
        self.reload()
        schema.parse(request, created=now, serial=0)
        name = request["TableName"]
        if name in self._tables:
            raise errors.in_use(f"Table already exists: {name}")
        stored = json.loads(codec.encode(dict(request)))
        cursor = self._db.execute(
            "INSERT INTO catalog (generation, name, definition) VALUES (0, ?, ?)",
            (name, _definition(stored, now, None)),
        )
        serial = cursor.lastrowid or 0
        table = tables.Table(schema.parse(stored, created=now, serial=serial), serial, 0)
        for statement in table.create_statements():
            self._db.execute(statement)
        self._tables[name] = table
        return table

    def drop(self, table: tables.Table) -> None:
        """Delete a table with all its items and its stream; to be called within a write transaction."""
        self._db.execute("DELETE FROM catalog WHERE serial = ?", (table.serial,))
        for statement in table.drop_statements():
            self._db.execute(statement)
        del self._tables[table.schema.name]

    def set_ttl(self, table: tables.Table, attribute: str | None) -> tables.Table:
        """Change the time-to-live attribute; to be called within a write transaction.

        Returns:
            The table under its new generation; its rows' `ttl` columns are not filled in yet.
        """
        old = table.schema
        generation = table.generation + 1
        self._db.execute(
            "UPDATE catalog SET generation = ?, definition = ? WHERE serial = ?",
            (generation, _definition(old.request, old.created, attribute), table.serial),
        )
        parsed = schema.parse(old.request, created=old.created, serial=table.serial, ttl=attribute)
        changed = tables.Table(parsed, table.serial, generation)
        self._db.execute(f"ALTER TABLE {table.name} RENAME TO {changed.name}")
        for statement in changed.expiry_statements():
            self._db.execute(statement)
        self._tables[old.name] = changed
        return changed

    def _search(self, name: str) -> tables.Table:
        short = _short(name)
        if short not in self._tables:
            self._reload_if_shared()
        found = self._tables.get(short)
        if found is None:
            raise errors.not_found()
        return found

    def _streaming(self, arn: str) -> tables.Table | None:
        candidate = self._tables.get(arn.partition(":table/")[2].partition("/")[0])
        return (
            candidate
            if candidate is not None and candidate.schema.label and candidate.schema.stream_arn == arn
            else None
        )

    def _reload_if_shared(self) -> None:
        if self._db.shared:
            self.reload()

    def _known(self, name: str, serial: int, generation: int, _definition_text: str) -> tables.Table | None:
        found = self._tables.get(name)
        return found if found is not None and (found.serial, found.generation) == (serial, generation) else None


def _load(_name: str, serial: int, generation: int, definition: str) -> tables.Table:
    stored = json.loads(definition)
    parsed = schema.parse(stored["request"], created=stored["created"], serial=serial, ttl=stored["ttl"])
    return tables.Table(parsed, serial, generation)


def _definition(request: Any, created: int, ttl: str | None) -> str:
    return json.dumps({"request": request, "created": created, "ttl": ttl})


def _short(name: str) -> str:
    return name.rpartition("/")[2] if name.startswith("arn:") else name
