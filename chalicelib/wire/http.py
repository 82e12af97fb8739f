"""Requests and responses as plain values, free of any gateway or server."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import Any, TypeAlias
from urllib import parse

from chalicelib.model import errors
from chalicelib.model.frozen import frozen

_INTEGER = re.compile(r"-?[0-9]{1,18}")
XML = "text/xml;charset=utf-8"
JSON = "application/json"
Guesses: TypeAlias = Callable[[], Iterable[str]]


@frozen
class Request:
    """A request as the client sent it."""

    method: str  # upper case
    path: str  # as sent, not decoded, without a stage
    query: str = ""  # the raw text after the question mark
    headers: Mapping[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""
    scheme: str = "http"
    address: str = ""  # of the client, as the connection or the gateway knows it; empty: unknown
    base: str = ""  # what a gateway has before `path` in the client's endpoint, such as a stage
    arrived_at: int | None = None  # ms, when a door may have let it wait before it was taken in
    # Where a gateway hides what the client has signed: what it may have been, likeliest first, made when it is needed.
    targets: Guesses | None = None
    digests: Guesses | None = None  # Content-MD5
    content_types: Guesses | None = None
    # What was worked out from all that is above but `address` and `arrived_at`; goes along with `again`.
    known: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def again(self, *, address: str, arrived_at: int) -> "Request":
        """The same request, come another time; what was worked out from it need not be once more."""
        repeated = object.__new__(Request)
        repeated.__dict__ = vars(self) | {"address": address, "arrived_at": arrived_at}
        return repeated

    def __getstate__(self) -> dict[str, Any]:
        """All but what is known of it, when it goes to another process: there it has to be found out."""
        return vars(self) | {"known": {}}

    @property
    def target(self) -> str:
        """Path and query."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def host_url(self) -> str:
        """Scheme, host and base as the client addressed them; what URLs in answers begin with."""
        return f"{self.scheme}://{self.headers.get('host', 'localhost')}{self.base}"

    @property
    def parameters(self) -> Mapping[str, str]:
        """Query parameters, percent-decoded once.

        Names are in lower case, since SDKs differ in it. Some SDKs send receipt handles unescaped, so a value goes from
        the first `=` to the next `&`, and a `+` is a plus.

        Raises:
            errors.InvalidQueryString: a parameter is given twice.
        """
        found: dict[str, str] | None = self.known.get("parameters")
        if found is not None:
            return found
        found = {}
        decode = parse.unquote if "%" in self.query else str
        for pair in filter(None, self.query.split("&")):
            name, _, value = pair.partition("=")
            name = decode(name).strip().lower()
            if name in found:
                raise errors.InvalidQueryString(f"The query parameter {name} is given twice.")
            found[name] = decode(value)
        self.known["parameters"] = found
        return found

    def integer(self, name: str) -> int | None:
        """The whole number in a query parameter, None without it.

        Raises:
            errors.InvalidQueryString: it is no whole number.
        """
        value = self.parameters.get(name.lower())
        if value is None:
            return None
        if not _INTEGER.fullmatch(value):
            raise errors.InvalidQueryString(f"The value of the query parameter {name} should be a whole number.")
        return int(value)

    def flag(self, name: str) -> bool:
        """Whether a query parameter says `true`, in any case; blanks do not count, for V4 does not sign them."""
        return self.parameters.get(name.lower(), "").strip().lower() == "true"


@frozen
class Response:
    """What goes back. `Location` and the lower-case `x-mns-` names are spelled as the SDKs look them up."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
