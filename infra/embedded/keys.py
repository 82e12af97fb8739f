"""Key attributes as SQLite column values whose order is DynamoDB's order.

A string is TEXT (SQLite compares its UTF-8 bytes), a binary is BLOB, a number becomes a TEXT that sorts by value:

    positive   "2" + exponent + digits                  12.5 -> "2502125"
    zero       "1"
    negative   "0" + 999-exponent + 9-digits + "~"     -12.5 -> "0497874~"

The exponent is biased by 500; digits have no leading or trailing zeros. "~" sorts above any digit, because of two
negative numbers the one with more digits is the smaller.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

from infra.embedded import errors, values

Column: TypeAlias = str | bytes

MAX_HASH_BYTES = 2048
MAX_RANGE_BYTES = 1024
_BIAS = 500
_TOP = 999
_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_LAST_CHARACTER = "\U0010ffff"
_SURROGATES = (0xD800, 0xDFFF)


def encode(kind: str, content: Column) -> Column:
    """The column value of a checked key attribute of type S, N or B."""
    return _encode_number(str(content)) if kind == "N" else content


def decode(kind: str, column: Column) -> values.Value:
    """The attribute value that `encode` made `column` of."""
    return {kind: _decode_number(str(column)) if kind == "N" else column}


def successor(prefix: Column) -> Column | None:
    """The smallest column value above all that begin with `prefix`, or None if there is none."""
    return _next_text(prefix) if isinstance(prefix, str) else _next_bytes(prefix)


def check_length(kind: str, content: Column, *, is_hash: bool) -> None:
    """Refuse keys above DynamoDB's limits: 2,048 bytes for a partition key, 1,024 for a sort key."""
    if kind == "N":
        return
    length = len(content.encode("utf-8", "surrogatepass")) if isinstance(content, str) else len(content)
    if is_hash and length > MAX_HASH_BYTES:
        raise errors.invalid("Size of hashkey has exceeded the maximum size limit of2048 bytes")
    if not is_hash and length > MAX_RANGE_BYTES:
        raise errors.invalid("Aggregated size of all range keys has exceeded the size limit of 1024 bytes")


@functools.lru_cache(maxsize=4096)
def _encode_number(text: str) -> str:
    if text == "0":
        return "1"
    negative = text.startswith("-")
    whole, _, fraction = text.lstrip("-").partition(".")
    whole = whole.lstrip("0")
    digits = whole + fraction
    exponent = len(whole) - (0 if whole else len(fraction) - len(fraction.lstrip("0")))
    digits = digits.strip("0")
    if negative:
        return f"0{_TOP - exponent - _BIAS:03d}{digits.translate(_COMPLEMENT)}~"
    return f"2{exponent + _BIAS:03d}{digits}"


@functools.lru_cache(maxsize=4096)
def _decode_number(column: str) -> str:
    if column == "1":
        return "0"
    exponent, digits = int(column[1:4]) - _BIAS, column[4:]
    sign = ""
    if column[0] == "0":
        exponent, digits, sign = _TOP - int(column[1:4]) - _BIAS, digits[:-1].translate(_COMPLEMENT), "-"
    if exponent <= 0:
        return f"{sign}0.{'0' * -exponent}{digits}"
    if len(digits) <= exponent:
        return f"{sign}{digits.ljust(exponent, '0')}"
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def _next_text(prefix: str) -> str | None:
    stem = prefix.rstrip(_LAST_CHARACTER)
    if not stem:
        return None
    following = ord(stem[-1]) + 1
    if _SURROGATES[0] <= following <= _SURROGATES[1]:
        following = _SURROGATES[1] + 1
    return stem[:-1] + chr(following)


def _next_bytes(prefix: bytes) -> bytes | None:
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None
