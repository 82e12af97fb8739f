"""Parameters of RPC calls: flat text in the query and in a form, of which some hold JSON and some are numbered.

What is empty counts as not given, as the SDKs and the console send it.
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib import parse

from chalicelib.model import limits
from chalicelib.rpc import errors
from chalicelib.wire import http

FORM = "application/x-www-form-urlencoded"
COMMON = frozenset(  # those of every call, which say nothing of what it is to do
    {
        "AccessKeyId",
        "Action",
        "Format",
        "RegionId",
        "SecurityToken",
        "Signature",
        "SignatureMethod",
        "SignatureNonce",
        "SignatureType",
        "SignatureVersion",
        "Timestamp",
        "Version",
    }
)
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_BOOLEANS = {"true": True, "false": False}


def read(request: http.Request) -> Mapping[str, str]:
    """All parameters of a request, decoded once, a `+` being a space.

    Raises:
        errors.RpcError: one is given twice, there are too many or too long ones, or the body is no form.
    """
    if len(request.query) + len(request.body) > limits.RPC_BYTES:
        raise errors.RpcError("InvalidParameter", f"A request has {limits.RPC_BYTES} bytes of parameters at most.")
    found: dict[str, str] = {}
    for text in (request.query, _form(request)):
        try:
            pairs = parse.parse_qsl(
                text, keep_blank_values=True, max_num_fields=limits.RPC_PARAMETERS, errors="strict", separator="&"
            )
        except UnicodeDecodeError as error:
            raise errors.RpcError("InvalidParameter", "The parameters should be UTF-8.") from error
        except ValueError as error:
            raise errors.RpcError(
                "InvalidParameter", f"A request has {limits.RPC_PARAMETERS} parameters at most."
            ) from error
        for name, value in pairs:
            if name in found:
                raise errors.RpcError("InvalidParameter", f"The parameter {name[:64]} is given twice.")
            found[name] = value
    return found


class Parameters:
    """Parameters by name, each read as what it should be; every reading raises errors.RpcError for what it is not."""

    def __init__(self, values: Mapping[str, str], *, of: str = "") -> None:
        """Take them as they are; `of` is what stands before their names in messages, such as `DlqPolicy.`."""
        self._values = values
        self._of = of

    @property
    def flat(self) -> Mapping[str, str]:
        """All of them as text."""
        return self._values

    def text(self, name: str) -> str | None:
        """The text; None: not given."""
        return self._values.get(name) or None

    def required(self, name: str) -> str:
        """The text that has to be given."""
        value = self.text(name)
        if value is None:
            raise errors.missing(self._of + name)
        return value

    def integer(self, name: str) -> int | None:
        """The whole number; None: not given."""
        value = self.text(name)
        if value is None:
            return None
        if not _INTEGER.fullmatch(value):
            raise errors.invalid(self._of + name, "it should be a whole number.")
        return int(value)

    def boolean(self, name: str) -> bool | None:
        """The truth value; None: not given."""
        value = self.text(name)
        if value is None:
            return None
        if value.lower() not in _BOOLEANS:
            raise errors.invalid(self._of + name, "it should be true or false.")
        return _BOOLEANS[value.lower()]

    def json(self, name: str) -> Any:
        """What the JSON text says; None: not given."""
        value = self.text(name)
        if value is None:
            return None
        try:
            found = json.loads(value)
            json.dumps(found, ensure_ascii=False).encode()  # refuses halves of surrogate pairs
        except (ValueError, RecursionError) as error:
            raise errors.invalid(self._of + name, "it should be JSON.") from error
        return found

    def member(self, name: str) -> "Parameters | None":
        """The members of a JSON object, read like parameters; None: not given."""
        value = self.json(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise errors.invalid(self._of + name, "it should be a JSON object.")
        return Parameters({key: _flat(item) for key, item in value.items() if item is not None}, of=f"{name}.")

    def strings(self, name: str) -> tuple[str, ...]:
        """A list of texts, either a JSON array or, as the SDKs send it, separated by commas; empty: not given."""
        value = self.text(name)
        if value is None:
            return ()
        if not value.lstrip().startswith("["):
            return tuple(filter(None, (item.strip() for item in value.split(","))))
        found = self.json(name)
        if not all(isinstance(item, str) for item in found):
            raise errors.invalid(self._of + name, "it should be a list of texts.")
        return tuple(found)

    def numbered(self, name: str) -> "tuple[Parameters, ...]":
        """What is given as `Name.1.Key`, `Name.2.Key` and so on, in the order of the numbers."""
        found: dict[int, dict[str, str]] = {}
        for key, value in self._values.items():
            head, _, rest = key.partition(".")
            number, _, member = rest.partition(".")
            if (
                head == name
                and number.isdecimal()
                and number.isascii()
                and len(number) <= len(str(limits.RPC_PARAMETERS))
            ):
                found.setdefault(int(number), {})[member] = value
        return tuple(Parameters(found[number], of=f"{name}.{number}.") for number in sorted(found))


def _form(request: http.Request) -> str:
    """The body of a POST as far as it is a form."""
    if request.method != "POST" or not request.body:
        return ""
    content_type = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if content_type != FORM:
        raise errors.RpcError("InvalidContentType", f"The body should be {FORM}.", status=415)
    try:
        return request.body.decode("ascii")
    except UnicodeDecodeError as error:
        raise errors.RpcError("InvalidParameter", "The body should be a percent-encoded form.") from error


def _flat(value: object) -> str:
    """A member of a JSON object as a parameter would have it."""
    return value if isinstance(value, str) else json.dumps(value)
