"""How large DynamoDB counts an item: the base of its limits and of its prices.

Names and strings count their UTF-8 bytes, numbers about one byte per two digits, lists and maps three bytes and one
per element.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.embedded import values

MAX_ITEM = 400 * 1024
MAX_PAGE = 1024 * 1024
MAX_BATCH = 16 * 1024 * 1024
MAX_TRANSACTION = 4 * 1024 * 1024


def item(attributes: values.Item) -> int:
    """The size of an item in bytes."""
    total = 0
    for name, attribute in attributes.items():
        total += len(name) if name.isascii() else string(name)
        if (text := attribute.get("S")) is not None:
            total += len(text) if text.isascii() else string(text)
        elif (text := attribute.get("N")) is not None:
            total += number(text)
        else:
            total += value(attribute)
    return total


def value(attribute: values.Value) -> int:  # noqa: PLR0911 - one return per type reads best
    """The size of one checked attribute value in bytes, without its name."""
    if (text := attribute.get("S")) is not None:
        return len(text) if text.isascii() else string(text)
    if (text := attribute.get("N")) is not None:
        return number(text)
    [(kind, content)] = attribute.items()
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "B":
        return len(content)
    if kind == "L":
        return 3 + len(content) + sum(map(value, content))
    if kind == "M":
        return 3 + len(content) + item(content)
    if kind == "SS":
        return sum(map(string, content))
    return sum(map(number if kind == "NS" else len, content))


def string(text: str) -> int:
    """The UTF-8 length of a text."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


@functools.lru_cache(maxsize=4096)  # times and counters come again: in a condition, in both images of a record
def number(text: str) -> int:
    """The size of a canonical number: digits are packed in pairs, aligned at the decimal point."""
    if text.isdigit():  # by far the most
        significant = len(text.rstrip("0"))
        split = significant % 2 == 0 and len(text) % 2 == 1  # its first digit is the second one of a pair
        return 1 + (significant + 1) // 2 + split if significant else 1
    negative = text[0] == "-"
    whole, _, fraction = text[negative:].partition(".")
    whole = whole.lstrip("0")
    if not fraction:
        significant = len(whole.rstrip("0"))
        aligned = len(whole) % 2 == 0
    elif whole:
        significant = len(whole) + len(fraction)
        aligned = len(whole) % 2 == 0
    else:
        zeros = len(fraction) - len(fraction.lstrip("0"))
        significant = len(fraction) - zeros
        aligned = zeros % 2 == 0
    if not significant:
        return 1
    pairs = (significant + 1) // 2 + (0 if significant % 2 or aligned else 1)
    return 1 + pairs + negative
