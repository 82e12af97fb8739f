"""Items as stored: compact JSON text, binaries as base64.

A leading space marks a text that holds binaries, so that all others are read without looking for them.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, cast

from infra.embedded import errors, values

if TYPE_CHECKING:
    from collections.abc import Callable

_SEPARATORS = (",", ":")


def base64_text(content: Any) -> str:
    """The base64 form of some bytes."""
    return base64.b64encode(content).decode()


_encode_plain = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=_SEPARATORS).encode
_encode_binary = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, separators=_SEPARATORS, default=base64_text
).encode
_scan: Callable[[str, int], tuple[Any, int]] = cast("Any", json.JSONDecoder()).scan_once


def encode(item: values.Item) -> str:
    """The text that stands for a checked item.

    Raises:
        UnicodeEncodeError: a string holds a lone surrogate, which is not text.
    """
    try:
        text = _encode_plain(item)
    except TypeError:
        text = " " + _encode_binary(item)
    if not text.isascii():
        text.encode()
    return text


def decode(text: str) -> values.Item:
    """The item that `text` stands for; nobody else holds a reference to it."""
    try:
        if text[0] == "{":
            return cast("values.Item", _scan(text, 0)[0])
        return _restore(_scan(text, 1)[0])
    except (ValueError, StopIteration, IndexError) as error:
        raise errors.DamagedFileError("A stored item cannot be read; restore the file from a backup.") from error


def _restore(item: values.Item) -> values.Item:
    return {name: _restore_value(attribute) for name, attribute in item.items()}


def _restore_value(attribute: values.Value) -> values.Value:
    kind, content = next(iter(attribute.items()))
    if kind == "B":
        return {"B": base64.b64decode(content)}
    if kind == "BS":
        return {"BS": [base64.b64decode(element) for element in content]}
    if kind == "M":
        return {"M": _restore(content)}
    if kind == "L":
        return {"L": [_restore_value(element) for element in content]}
    return attribute
