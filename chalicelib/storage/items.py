"""Between values and items: typed attributes, sizes, and the layout of the items that more than one module knows."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.model import message
from chalicelib.storage import client


def text(value: str) -> dict[str, str]:
    """A string attribute."""
    return {"S": value}


def number(value: int) -> dict[str, str]:
    """A number attribute."""
    return {"N": str(value)}


def scalar(value: int) -> dict[str, Any]:
    """A number attribute, or a truth value for a bool."""
    return {"BOOL": value} if isinstance(value, bool) else number(value)


def integer(item: client.Item, name: str) -> int:
    """The whole number in an attribute."""
    return int(item[name]["N"])


def binary(item: client.Item, name: str) -> bytes:
    """The bytes in an attribute; in a stream's record they are base64 text."""
    content = item[name]["B"]
    return base64.b64decode(content) if isinstance(content, str) else bytes(content)


def size(item: client.Item) -> int:
    """Bytes of an item made of strings, numbers, bytes and booleans, as DynamoDB counts them, rounded up."""
    return sum([len(name.encode()) + _value_size(value) for name, value in item.items()])


def encode_properties(properties: Sequence[message.Property]) -> str:
    """Properties as JSON text."""
    return json.dumps(
        [[item.name, item.value, item.type.value] for item in properties], ensure_ascii=False, separators=(",", ":")
    )


def decode_properties(item: client.Item, name: str) -> tuple[message.Property, ...]:
    """The properties in an attribute, none if it is not there."""
    if name not in item:
        return ()
    return tuple(
        message.Property(name=key, value=value, type=message.PropertyType(kind))
        for key, value, kind in json.loads(item[name]["S"])
    )


def _value_size(value: Mapping[str, Any]) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return len(content) // 2 + 2
    return len(content) if kind == "B" else 1
