"""What the list operations have in common on the wire: their headers and their markers."""

import base64
import binascii
from collections.abc import Callable, Mapping

from chalicelib.model import errors, limits
from chalicelib.model.frozen import frozen
from chalicelib.wire import xml


@frozen
class ListRequest:
    """What the headers of a list operation ask for."""

    prefix: str
    after: str | None  # the name that the previous page ended with
    limit: int
    with_meta: bool


def parse(headers: Mapping[str, str], check_name: Callable[[str], str]) -> ListRequest:
    """The headers of a list operation.

    Args:
        headers: of the request.
        check_name: raises an MNS error for what cannot be the name that a page ends with.

    Raises:
        errors.InvalidArgument: the marker is none of ours, or the page size is out of range.
    """
    number = headers.get("x-mns-ret-number", str(limits.RETURN_NUMBER.default)).strip()
    if not number.isdecimal() or not number.isascii() or len(number) > len(str(limits.RETURN_NUMBER.high)):
        number = "0"  # out of range, whatever it is
    return ListRequest(
        prefix=headers.get("x-mns-prefix", ""),
        after=_parse_marker(headers.get("x-mns-marker", ""), check_name),
        limit=limits.RETURN_NUMBER.check(int(number)),
        with_meta=headers.get("x-mns-with-meta", "").strip().lower() == "true",
    )


def next_marker(name: str | None) -> list[xml.Node]:
    """The element that leads to the next page; none on the last one, where an empty one would stop the Python SDK."""
    return [] if name is None else [("NextMarker", base64.b64encode(name.encode()).decode())]


def _parse_marker(marker: str, check_name: Callable[[str], str]) -> str | None:
    if not marker:
        return None
    try:
        return check_name(base64.b64decode(marker, validate=True).decode())
    except (binascii.Error, ValueError, errors.MnsError) as error:
        raise errors.InvalidArgument("The value of x-mns-marker is not a NextMarker of a former answer.") from error
