"""Typed attribute values, `{"S": "text"}` and the like: checking, canonical form and equality.

What passes `item` or `value` once is canonical (numbers normalised, binaries `bytes`) and is trusted everywhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from infra.embedded import decimals, errors

if TYPE_CHECKING:
    from collections.abc import Callable

Value: TypeAlias = dict[str, Any]
Item: TypeAlias = dict[str, Value]

TYPES = ("S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS")
SET_TYPES = frozenset({"SS", "NS", "BS"})
MAX_DEPTH = 32


def item(attributes: Item, depth: int = 0) -> Item:
    """The canonical form of a map of attribute values.

    Args:
        attributes: as the caller handed it in; it is not changed.
        depth: how many lists and maps surround it.
    """
    checked = {}
    for name, attribute in attributes.items():
        if type(attribute) is dict and len(attribute) == 1:  # by far the most, and therefore without a call for each
            if type(attribute.get("S")) is str:
                checked[name] = attribute
                continue
            if type(text := attribute.get("N")) is str and decimals.is_plain(text):
                checked[name] = attribute
                continue
        checked[name] = value(attribute, depth)
    return checked


def value(attribute: Value, depth: int = 0) -> Value:
    """The canonical form of one attribute value."""
    if type(attribute) is not dict:
        raise errors.validation(f"Supplied AttributeValue {attribute!r} is not a map from a type to a value")
    if len(attribute) != 1:
        raise errors.validation(
            f"Supplied AttributeValue {'has more than one datatypes set' if attribute else 'is empty'}, "
            "must contain exactly one of the supported datatypes"
        )
    [(kind, content)] = attribute.items()
    check = _CHECKS.get(kind)
    if check is None:
        raise errors.validation("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
    return {kind: check(content, depth)}


def kind_of(attribute: Value) -> str:
    """The type letter(s) of a checked attribute value."""
    return next(iter(attribute))


def same(left: Value | None, right: Value | None) -> bool:
    """Whether two checked values are equal as DynamoDB sees it: sets have no order."""
    if left == right:
        return True
    if left is None or right is None:
        return False
    kind, content = next(iter(left.items()))
    other = right.get(kind)
    if other is None or kind not in _NESTED:
        return False
    if kind in SET_TYPES:
        return len(content) == len(other) and set(content) == set(other)
    if kind == "L":
        return len(content) == len(other) and all(map(same, content, other))
    return same_items(content, other)


def equal(left: Value | None, right: Value | None) -> bool:
    """Whether two checked values are there and equal as DynamoDB sees it."""
    return left is not None and (left == right or same(left, right))


def same_items(left: Item, right: Item) -> bool:
    """Whether two checked items are equal as DynamoDB sees it."""
    return left == right or (
        left.keys() == right.keys() and all(same(attribute, right[name]) for name, attribute in left.items())
    )


def _string(content: Any, _depth: int) -> str:
    text: str = _typed(content, str)
    return text


def _number(content: Any, _depth: int) -> str:
    text: str = _typed(content, str)
    if not text:
        raise errors.validation("The parameter cannot be converted to a numeric value")
    return decimals.canonical(text)


def _binary(content: Any, _depth: int) -> bytes:
    content = getattr(content, "value", content)  # boto3.dynamodb.types.Binary wraps its bytes
    if isinstance(content, (bytearray, memoryview)):
        return bytes(content)
    raw: bytes = _typed(content, bytes)
    return raw


def _boolean(content: Any, _depth: int) -> bool:
    truth: bool = _typed(content, bool)
    return truth


def _null(content: Any, _depth: int) -> bool:
    if content is not True:
        raise errors.invalid("Null attribute value types must have the value of true")
    return True


def _list(content: Any, depth: int) -> list[Value]:
    return [value(element, _deeper(depth)) for element in _typed(content, list, tuple)]


def _map(content: Any, depth: int) -> Item:
    return item(_typed(content, dict), _deeper(depth))


def _string_set(content: Any, depth: int) -> list[str]:
    elements = [_string(element, depth) for element in _typed(content, list, tuple, set, frozenset)]
    if not elements:
        raise errors.invalid("An string set  may not be empty")
    if len(set(elements)) != len(elements):
        raise errors.invalid(f"Input collection [{', '.join(elements)}] contains duplicates.")
    return elements


def _number_set(content: Any, depth: int) -> list[str]:
    elements = [_number(element, depth) for element in _typed(content, list, tuple, set, frozenset)]
    if not elements:
        raise errors.invalid("An number set  may not be empty")
    if len(set(elements)) != len(elements):
        raise errors.validation("Input collection contains duplicates")
    return elements


def _binary_set(content: Any, depth: int) -> list[bytes]:
    elements = [_binary(element, depth) for element in _typed(content, list, tuple, set, frozenset)]
    if not elements:
        raise errors.invalid("Binary sets should not be empty")
    if len(set(elements)) != len(elements):
        raise errors.invalid("Input collection of type BS contains duplicates.")
    return elements


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH - 1:
        raise errors.validation("Nesting Levels have exceeded supported limits")
    return depth + 1


def _typed(content: Any, *types: type) -> Any:
    if not isinstance(content, types):
        raise errors.Refusal("SerializationException", f"Unexpected value type in payload: {type(content).__name__}")
    return content


_CHECKS: dict[str, Callable[[Any, int], Any]] = {
    "S": _string,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _string_set,
    "NS": _number_set,
    "BS": _binary_set,
}
_NESTED = SET_TYPES | {"L", "M"}
