"""DynamoDB numbers: decimal strings of at most 38 digits, kept in one canonical form.

The canonical form has no exponent, no leading or trailing zeros and no plus sign, so that equal numbers are equal
strings. Plain integers, by far the most common, never become a `Decimal`.
"""

from __future__ import annotations

import decimal
import functools
import re

from infra.embedded import errors

MAX_DIGITS = 38
MAX_EXPONENT = 125  # of the first digit: 9.99e125 is the largest magnitude
MIN_EXPONENT = -130

_CONTEXT = decimal.Context(prec=400, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)


# Whether a text is a whole, non-negative number in canonical form; what it answers is of use as a truth value only.
is_plain = re.compile(rf"0|[1-9][0-9]{{0,{MAX_DIGITS - 1}}}").fullmatch


def canonical(text: str) -> str:
    """The canonical form of the number in `text`.

    Raises:
        Refusal: it is not a number, or out of range, or has too many digits.
    """
    return text if is_plain(text) else _canonical(text)


@functools.lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    try:
        number = decimal.Decimal(text)
    except decimal.InvalidOperation:
        number = None
    if number is None or not number.is_finite() or text != text.strip() or "_" in text:
        raise errors.validation(f"The parameter cannot be converted to a numeric value: {text}")
    return plain(number)


def plain(number: decimal.Decimal) -> str:
    """`number` in canonical form.

    Raises:
        Refusal: it is out of range or has more than 38 significant digits.
    """
    if not number:
        return "0"
    number = number.normalize(_CONTEXT)
    if number.adjusted() > MAX_EXPONENT:
        raise errors.validation(
            "Number overflow. Attempting to store a number with magnitude larger than supported range"
        )
    if number.adjusted() < MIN_EXPONENT:
        raise errors.validation(
            "Number underflow. Attempting to store a number with magnitude smaller than supported range"
        )
    if len(number.as_tuple().digits) > MAX_DIGITS:
        raise errors.validation("Attempting to store more than 38 significant digits in a Number")
    return format(number, "f")


def parse(text: str) -> int | decimal.Decimal:
    """The value of a canonical number, for comparison and arithmetic."""
    return int(text) if "." not in text else decimal.Decimal(text)


def add(left: str, right: str) -> str:
    """The sum of two canonical numbers."""
    if "." not in left and "." not in right:
        return canonical(str(int(left) + int(right)))
    return plain(_CONTEXT.add(decimal.Decimal(left), decimal.Decimal(right)))


def subtract(left: str, right: str) -> str:
    """The difference of two canonical numbers."""
    if "." not in left and "." not in right:
        return canonical(str(int(left) - int(right)))
    return plain(_CONTEXT.subtract(decimal.Decimal(left), decimal.Decimal(right)))
