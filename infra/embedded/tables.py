"""How a DynamoDB table lies in SQLite, and the statements that follow from it.

    t<id>_<generation>   one row per item: id, pk, sk, places, ttl, k0 ... kn, item
        pk, sk           the key in sortable form (sk is '' without a sort key)
        ttl              the expiry time in seconds, while time to live is enabled
        k0 ... kn        the index key attributes that are not table keys, in sortable form, NULL if absent
        places           where its long texts are (see `longs`), NULL if it has none
        item             the rest of the item as JSON, last because it is the longest
    i<id>_key            unique index on (pk, sk)
    i<id>_<n>            partial index per secondary index: its keys, then the rest of (pk, sk); sparse as in DynamoDB
    i<id>_ttl            partial index on ttl, while time to live is enabled
    l<id>                long texts
    s<id>                stream records by sequence number

Index entries are kept by SQLite itself, within the statement that writes the row; projected attributes are read from
the row, so that an index costs a few dozen bytes per item. A rowid table, because WITHOUT ROWID would push large items
onto overflow pages.

A table's generation is part of its name: whoever changes a setting that writers must know renames the table, and a
process with an old notion of it fails with "no such table", reloads the catalog and tries again.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, TypeAlias

from infra.embedded import decimals, errors, keys, schema, values

if TYPE_CHECKING:
    from collections.abc import Iterable

Columns: TypeAlias = tuple[Any, ...]

_LARGEST_TIME = 1 << 62
_SURELY_SHORT = 255  # characters of a key that cannot exceed its limit, whatever they are


class View:
    """A table or one of its indexes, as something to be read in order.

    Attributes:
        index: the secondary index, None for the table itself.
        hash: its partition key.
        range: its sort key, if it has one.
        key_names: the attributes that make a position in it: the keys of the index and of the table.
    """

    def __init__(self, table: Table, index: schema.Index | None, sqlite_index: str) -> None:
        definition = table.schema
        self.index = index
        self.hash = definition.hash if index is None else index.hash
        self.range = definition.range if index is None else index.range
        own = definition.keys if index is None else index.keys
        self.key_names = tuple(dict.fromkeys(key.name for key in (*definition.keys, *own)))
        self._key_kinds = tuple((name, table.kind_of(name)) for name in self.key_names)
        self._own_columns = tuple(table.column_of(key.name) for key in own)
        self.order = tuple(dict.fromkeys((*self._own_columns, "pk", "sk")))
        self._source = f"{table.name} INDEXED BY {sqlite_index}"
        self._table = table
        self.keys_only = index is not None and index.projection == "KEYS_ONLY"
        self._projected = (
            None if index is None or index.projection == "ALL" else frozenset((*self.key_names, *index.include))
        )

    def key_item(self, columns: Columns) -> values.Item:
        """The item made of the attributes in `key_names` alone, of their columns."""
        item = {}
        for (name, kind), column in zip(self._key_kinds, columns, strict=True):
            item[name] = {kind: column} if kind != "N" else keys.decode(kind, column)
        return item

    def item(self, whole: values.Item) -> values.Item:
        """What the view shows of an item."""
        projected = self._projected
        if projected is None:
            return whole
        return {name: value for name, value in whole.items() if name in projected}

    def holds(self, item: values.Item) -> bool:
        """Whether the item has the keys to be in the view."""
        return all(key.name in item for key in (() if self.index is None else self.index.keys))

    def shows(self, names: Iterable[str]) -> bool:
        """Whether all the attributes are projected into the view."""
        return self._projected is None or self._projected.issuperset(names)

    def position(self, start: values.Item) -> dict[str, keys.Column]:
        """The column values of an ExclusiveStartKey."""
        if start.keys() != set(self.key_names):
            raise errors.validation("The provided starting key is invalid")
        columns: dict[str, keys.Column] = {"sk": ""}
        for name, value in start.items():
            kind = self._table.kind_of(name)
            content = value.get(kind)
            if content is None or content in ("", b""):
                raise errors.validation("The provided starting key is invalid")
            columns[self._table.column_of(name)] = keys.encode(kind, content)
        return columns

    @functools.lru_cache(maxsize=256)  # noqa: B019 - a view lives as long as its table, and a table as the engine
    def select(
        self, *, equal: bool, low: str | None, high: str | None, start: bool, descending: bool, keys: bool
    ) -> str:
        """The statement that reads a page.

        Args:
            equal: whether to stay within one partition key (first parameter).
            low: the operator of the lower bound of the sort key, if there is one (next parameter).
            high: the operator of the upper bound, likewise.
            start: whether to start after a position (next parameters, one per column of `order` but the first
                if `equal`).
            descending: whether to read backwards.
            keys: whether to read just the key columns instead of the item.
        """
        order = self.order[1:] if equal else self.order
        terms = [f"{self.order[0]} = ?"] if equal else []
        terms += [f"{column} IS NOT NULL" for column in self._own_columns if column not in ("pk", "sk")]
        terms += [f"{order[0]} {operator} ?" for operator in (low, high) if operator]
        if start:
            comparison = "<" if descending else ">"
            terms.append(f"({', '.join(order)}) {comparison} ({', '.join('?' * len(order))})")
        direction = " DESC" if descending else ""
        chosen = ", ".join(self._table.key_columns(self.key_names)) if keys else "item, places"
        return (
            f"SELECT {chosen} FROM {self._source} WHERE {' AND '.join(terms) or 'TRUE'} "  # noqa: S608 - own names
            f"ORDER BY {', '.join(column + direction for column in order)} LIMIT ?"
        )


class Table:
    """A table of the catalog, ready to be used.

    Attributes:
        schema: what it is.
        serial: its number.
        name: its name in SQLite.
        stream: the SQLite name of its stream.
        texts: the SQLite name of the table of its long texts.
        streams_new: whether stream records show the item as it is after the change.
        streams_old: whether they show the item as it was before.
        key_names: the names of its key attributes.
        index_keys: the attributes behind the columns k0 ... kn.
        column_attributes: the names of all attributes outside the key that have a column: those and the one of ttl.
        base: the table itself as something to be read in order.
        indexes: its indexes likewise.
    """

    def __init__(self, definition: schema.Schema, serial: int, generation: int) -> None:
        self.schema = definition
        self.serial = serial
        self.generation = generation
        self.name = f"t{serial}_{generation}"
        self.stream = f"s{serial}"
        self.texts = f"l{serial}"
        self.streams_new = definition.stream_view in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
        self.streams_old = definition.stream_view in ("OLD_IMAGE", "NEW_AND_OLD_IMAGES")
        self.index_keys = _index_keys(definition)
        self._columns = {definition.hash.name: "pk"}
        if definition.range is not None:
            self._columns[definition.range.name] = "sk"
        self._columns |= {key.name: f"k{position}" for position, key in enumerate(self.index_keys)}
        ttl = () if definition.ttl is None else (definition.ttl,)
        self.column_attributes = frozenset((*ttl, *(key.name for key in self.index_keys)))
        self._kinds = {key.name: key.kind for key in (*definition.keys, *self.index_keys)}
        self._hash = (definition.hash.name, definition.hash.kind)
        self._range = None if definition.range is None else (definition.range.name, definition.range.kind)
        self.key_names = frozenset(key.name for key in definition.keys)
        self.base = View(self, None, f"i{serial}_key")
        self.indexes = {
            index.name: View(self, index, f"i{serial}_{position}") for position, index in enumerate(definition.indexes)
        }
        self._set_statements()

    def _set_statements(self) -> None:
        extra = ["ttl", *(f"k{position}" for position in range(len(self.index_keys)))]
        columns = ["pk", "sk", "item", "places", *extra]
        self._extra = extra
        self.select = f"SELECT id, item, places, {', '.join(extra)} FROM {self.name} WHERE pk = ? AND sk = ?"  # noqa: S608 - own names
        self.select_item = f"SELECT item, places FROM {self.name} WHERE pk = ? AND sk = ?"  # noqa: S608 - own names
        self.select_expired = (
            f"SELECT id, item, places, {', '.join(extra)} FROM {self.name} INDEXED BY i{self.serial}_ttl "  # noqa: S608 - own names
            "WHERE ttl > ? AND ttl < ? ORDER BY ttl LIMIT ?"
        )
        self.insert = f"INSERT INTO {self.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"  # noqa: S608 - own names
        self.insert_new = f"{self.insert} ON CONFLICT (pk, sk) DO NOTHING"
        self.delete = f"DELETE FROM {self.name} WHERE id = ?"  # noqa: S608 - own names
        self.insert_record = (
            f"INSERT INTO {self.stream} (at, kind, keys, new, new_places, old, old_places) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - own names
        )
        self.insert_text = f"INSERT INTO {self.texts} (content) VALUES (?)"  # noqa: S608 - own names
        self.select_text = f"SELECT content FROM {self.texts} WHERE id = ?"  # noqa: S608 - own names
        self.delete_text = f"DELETE FROM {self.texts} WHERE id = ?"  # noqa: S608 - own names

    @functools.lru_cache(maxsize=256)  # noqa: B019 - a table lives as long as the engine
    def update(self, changed: tuple[int, ...]) -> str:
        """The statement that rewrites a row; only the indexes on changed columns are touched.

        Args:
            changed: the positions of the changed columns among ttl, k0 ... kn.
        """
        columns = ["item", "places", *(self._extra[position] for position in changed)]
        return f"UPDATE {self.name} SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?"  # noqa: S608 - own names

    def view(self, index_name: str | None) -> View:
        """The table itself, or its index of that name."""
        if index_name is None:
            return self.base
        found = self.indexes.get(index_name)
        if found is None:
            raise errors.validation(f"The table does not have the specified index: {index_name}")
        return found

    def column_of(self, attribute: str) -> str:
        """The column that holds a key attribute."""
        return self._columns[attribute]

    def kind_of(self, attribute: str) -> str:
        """The type of a key attribute."""
        return self._kinds[attribute]

    def key_columns(self, names: Iterable[str]) -> list[str]:
        """The columns that hold key attributes."""
        return [self._columns[name] for name in names]

    def key(self, given: values.Item) -> tuple[keys.Column, keys.Column]:
        """The columns pk and sk of a request's Key."""
        if len(given) != len(self.key_names):
            raise errors.validation("The provided key element does not match the schema")
        return self._key(given, _mismatched_key)

    def key_of(self, item: values.Item) -> tuple[keys.Column, keys.Column]:
        """The columns pk and sk of an item to be put."""
        return self._key(item, _mismatched_item)

    def _key(self, item: values.Item, mismatched: Any) -> tuple[keys.Column, keys.Column]:
        partition = self._key_column(item, *self._hash, mismatched, is_hash=True)
        if self._range is None:
            return partition, ""
        return partition, self._key_column(item, *self._range, mismatched, is_hash=False)

    def _key_column(self, item: values.Item, name: str, kind: str, mismatched: Any, *, is_hash: bool) -> keys.Column:
        value = item.get(name)
        content = None if value is None else value.get(kind)
        if content is None:
            raise mismatched(name, kind, value)
        if not content:
            raise errors.validation(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an "
                f"empty {'string' if kind == 'S' else 'binary'} value. Key: {name}"
            )
        if len(content) > _SURELY_SHORT:
            keys.check_length(kind, content, is_hash=is_hash)
        column: keys.Column = content if kind != "N" else keys.encode(kind, content)
        return column

    def extra_columns(self, item: values.Item) -> Columns:
        """The columns ttl, k0 ... kn of an item.

        Raises:
            Refusal: an index key attribute is of the wrong type, empty or too long.
        """
        ttl = self.schema.ttl
        columns = [None if ttl is None else _expiry(item.get(ttl))]
        for key in self.index_keys:
            value = item.get(key.name)
            columns.append(None if value is None else self._index_column(key, value))
        return tuple(columns)

    def changed_columns(self, columns: Columns, item: values.Item, changed: Iterable[str]) -> Columns:
        """The columns ttl, k0 ... kn of an item whose attributes in `changed` are new, and which had `columns`.

        Raises:
            Refusal: a changed index key attribute is of the wrong type, empty or too long.
        """
        concerned = self.column_attributes.intersection(changed)
        if not concerned:
            return columns
        fresh = list(columns)
        ttl = self.schema.ttl
        if ttl is not None and ttl in concerned:
            fresh[0] = _expiry(item.get(ttl))
        for position, key in enumerate(self.index_keys, start=1):
            if key.name in concerned:
                value = item.get(key.name)
                fresh[position] = None if value is None else self._index_column(key, value)
        return tuple(fresh)

    def _index_column(self, key: schema.KeyAttribute, value: values.Value) -> Any:
        content = value.get(key.kind)
        if content is None:
            raise errors.invalid(
                f"Type mismatch for Index Key {key.name} Expected: {key.kind} Actual: {values.kind_of(value)} "
                f"IndexName: {self._index_with(key.name)}"
            )
        if not content:
            raise errors.validation(
                "One or more parameter values are not valid. A value specified for a secondary index key is not "
                "supported. The AttributeValue for a key attribute cannot contain an empty "
                f"{'string' if key.kind == 'S' else 'binary'} value. "
                f"IndexName: {self._index_with(key.name)}, IndexKey: {key.name}"
            )
        if len(content) > _SURELY_SHORT:
            is_hash = any(key == index.hash for index in self.schema.indexes)
            keys.check_length(key.kind, content, is_hash=is_hash)
        return content if key.kind != "N" else keys.encode(key.kind, content)

    def _index_with(self, name: str) -> str:
        return next(index.name for index in self.schema.indexes if any(key.name == name for key in index.keys))

    def create_statements(self) -> list[str]:
        """The statements that create the table, its indexes and its stream."""
        extra = "".join(f", {column}" for column in self._extra)
        statements = [
            (
                f"CREATE TABLE {self.name} (id INTEGER PRIMARY KEY, pk NOT NULL, sk NOT NULL"
                f", places TEXT{extra}, item TEXT NOT NULL)"
            ),
            f"CREATE TABLE {self.texts} (id INTEGER PRIMARY KEY, content TEXT NOT NULL)",
            f"CREATE UNIQUE INDEX i{self.serial}_key ON {self.name} (pk, sk)",
        ]
        for position, view in enumerate(self.indexes.values()):
            sparse = " AND ".join(f"{column} IS NOT NULL" for column in view.order if column not in ("pk", "sk"))
            where = f" WHERE {sparse}" if sparse else ""
            statements.append(f"CREATE INDEX i{self.serial}_{position} ON {self.name} ({', '.join(view.order)}){where}")
        if self.schema.stream_view is not None:
            statements.append(
                f"CREATE TABLE {self.stream} (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind INTEGER NOT NULL, "
                "keys TEXT, new TEXT, new_places TEXT, old TEXT, old_places TEXT)"
            )
        return statements

    def drop_statements(self) -> list[str]:
        """The statements that remove the table with all its parts."""
        return [f"DROP TABLE {self.name}", f"DROP TABLE {self.texts}", f"DROP TABLE IF EXISTS {self.stream}"]

    def expiry_statements(self) -> list[str]:
        """The statements that bring the index on `ttl` in line with the schema."""
        drop = f"DROP INDEX IF EXISTS i{self.serial}_ttl"
        create = f"CREATE INDEX i{self.serial}_ttl ON {self.name} (ttl) WHERE ttl IS NOT NULL"
        return [drop] if self.schema.ttl is None else [drop, create]


def _index_keys(definition: schema.Schema) -> tuple[schema.KeyAttribute, ...]:
    own = set(definition.keys)
    return tuple(dict.fromkeys(key for index in definition.indexes for key in index.keys if key not in own))


def _expiry(value: values.Value | None) -> int | None:
    content = None if value is None else value.get("N")
    if content is None:
        return None
    seconds = int(decimals.parse(content))
    return seconds if abs(seconds) < _LARGEST_TIME else None


def _mismatched_key(_name: str, _kind: str, _value: values.Value | None) -> errors.Refusal:
    return errors.validation("The provided key element does not match the schema")


def _mismatched_item(name: str, kind: str, value: values.Value | None) -> errors.Refusal:
    if value is None:
        return errors.invalid(f"Missing the key {name} in the item")
    return errors.invalid(f"Type mismatch for key {name} expected: {kind} actual: {values.kind_of(value)}")
