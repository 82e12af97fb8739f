"""Long texts, which stand apart from their items: in a table of their own, one row each that never changes.

An item's row, and each stream record of it, only say where its long texts are. So who changes another attribute does
not read and write them again, and a record costs no more than what it tells. A long text goes when its item lets go of
it or, where there is a stream, with the record that tells so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import orjson

from infra.embedded import sizes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from infra.embedded import database, tables, values

LENGTH = 256  # characters of a text that stands apart
Texts: TypeAlias = "dict[str, str]"  # by attribute
Places: TypeAlias = "dict[str, tuple[int, int]]"  # by attribute: the row of its text, and the bytes of that


def divide(table: tables.Table, item: values.Item) -> tuple[values.Item, Texts]:
    """What of an item stands in its row, and what apart.

    Raises:
        UnicodeEncodeError: a long text holds a lone surrogate, so that it is none.
    """
    texts = {
        name: text
        for name, attribute in item.items()
        if len(text := attribute.get("S", "")) >= LENGTH and name not in table.key_names
    }
    for text in texts.values():
        if not text.isascii():
            text.encode()
    return ({name: item[name] for name in item if name not in texts} if texts else item), texts


def keep(db: database.Database, table: tables.Table, texts: Texts) -> Places:
    """Store texts; where they are."""
    return {
        name: (db.execute(table.insert_text, (text,)).lastrowid or 0, sizes.string(text))
        for name, text in texts.items()
    }


def load(
    db: database.Database, table: tables.Table, places: Places, names: Collection[str] | None = None
) -> values.Item:
    """The attributes that stand apart, or those of them that are named."""
    return {
        name: {"S": db.execute(table.select_text, (place[0],)).fetchone()[0]}
        for name, place in places.items()
        if names is None or name in names
    }


def drop(db: database.Database, table: tables.Table, places: Places, but: Places | None = None) -> None:
    """Remove texts, except those in `but`."""
    for name, place in places.items():
        if but is None or but.get(name) != place:
            db.execute(table.delete_text, (place[0],))


def encode(places: Places) -> str | None:
    """What is stored of places."""
    return orjson.dumps(places).decode() if places else None


def decode(stored: str | None) -> Places:
    """The places in what is stored."""
    return {} if stored is None else {name: (row, size) for name, (row, size) in orjson.loads(stored).items()}


def size(places: Mapping[str, tuple[int, int]]) -> int:
    """The bytes of the attributes that stand apart, as DynamoDB counts them."""
    return sum([sizes.string(name) + length for name, (_, length) in places.items()])
