"""Items as stored: compact JSON text, binaries as base64.

A leading space marks a text that holds binaries, so that all others are read without looking for them. orjson and the
standard library write the same text, so two texts of one item differ at most in the order of attributes and of set
elements.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import orjson

from infra.embedded import errors, values

if TYPE_CHECKING:
    from collections.abc import Mapping

Attributes = dict[str, values.Value | None]


def base64_text(content: Any) -> str:
    """The base64 form of some bytes."""
    return base64.b64encode(content).decode()


_encode_slowly = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=(",", ":"), default=base64_text
).encode


def encode(item: Mapping[str, values.Value | None]) -> str:
    """The text that stands for a checked item; None stands for an attribute that is known to be absent.

    Raises:
        UnicodeEncodeError: a string holds a lone surrogate, which is not text.
    """
    try:
        return orjson.dumps(item).decode()
    except TypeError:  # a binary, or a lone surrogate
        text = " " + _encode_slowly(item)
        text.encode()
        return text


def decode(text: str) -> values.Item:
    """The item that `text` stands for; nobody else holds a reference to it."""
    found: values.Item = _load(text)
    return found if text[0] == "{" else {name: _restore_value(attribute) for name, attribute in found.items()}


def decode_changes(text: str) -> Attributes:
    """The attributes that `text` stands for, where some may be None."""
    found: Attributes = _load(text)
    if text[0] == "{":
        return found
    return {name: None if attribute is None else _restore_value(attribute) for name, attribute in found.items()}


def _load(text: str) -> Any:
    try:
        found = orjson.loads(text)
    except ValueError as error:
        raise _unreadable() from error
    if type(found) is not dict:
        raise _unreadable()
    return found


def _unreadable() -> errors.DamagedFileError:
    return errors.DamagedFileError("A stored item cannot be read; restore the file from a backup.")


def _restore_value(attribute: values.Value) -> values.Value:
    kind, content = next(iter(attribute.items()))
    if kind == "B":
        return {"B": base64.b64decode(content)}
    if kind == "BS":
        return {"BS": [base64.b64decode(element) for element in content]}
    if kind == "M":
        return {"M": {name: _restore_value(element) for name, element in content.items()}}
    if kind == "L":
        return {"L": [_restore_value(element) for element in content]}
    return attribute
