"""Which parameters the methods take, and the checks on them that need no table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeAlias

from botocore.exceptions import ParamValidationError

from infra.embedded import errors

Request: TypeAlias = Mapping[str, Any]
Response: TypeAlias = dict[str, Any]

MAX_BATCH_WRITES = 25
MAX_BATCH_READS = 100
MAX_TRANSACTION_ACTIONS = 100

_CAPACITY = ("INDEXES", "TOTAL", "NONE")


@dataclasses.dataclass(frozen=True, slots=True)
class Operation:
    """A client method's name on the wire and its parameters."""

    name: str
    required: frozenset[str]
    known: frozenset[str]

    def check(self, request: Request) -> None:
        """Refuse unknown and missing parameters the way the boto3 client does before it sends anything.

        Raises:
            ParamValidationError: a required parameter is missing, or one is not known or not supported here.
        """
        if self.required <= request.keys() <= self.known:
            return
        missing = [f'Missing required parameter in input: "{name}"' for name in sorted(self.required - request.keys())]
        unknown = [
            f'Unknown parameter in input: "{name}", must be one of: {", ".join(sorted(self.known))}'
            for name in sorted(request.keys() - self.known)
        ]
        raise ParamValidationError(report="\n".join(missing + unknown))


def operation(name: str, required: str = "", optional: str = "") -> Operation:
    """An operation from blank-separated parameter names."""
    return Operation(name, frozenset(required.split()), frozenset(f"{required} {optional}".split()))


def choice(request: Request, parameter: str, allowed: tuple[str, ...], default: str) -> str:
    """The value of an enumerated parameter."""
    value: str | None = request.get(parameter)
    if value is None:
        return default
    if value not in allowed:
        member = parameter[0].lower() + parameter[1:]
        raise errors.constraint(value, member, f"Member must satisfy enum value set: [{', '.join(allowed)}]")
    return value


def capacity_mode(request: Request) -> str:
    """The value of ReturnConsumedCapacity."""
    return choice(request, "ReturnConsumedCapacity", _CAPACITY, "NONE")


def limit(request: Request, parameter: str = "Limit", most: int | None = None) -> int | None:
    """The value of a positive count parameter, None if absent."""
    value: int | None = request.get(parameter)
    if value is None:
        return None
    member = parameter[0].lower() + parameter[1:]
    if value < 1:
        raise errors.constraint(value, member, "Member must have value greater than or equal to 1")
    if most is not None and value > most:
        raise errors.constraint(value, member, f"Member must have value less than or equal to {most}")
    return value


def respond(**members: Any) -> Response:
    """A successful response; members that are None are left out."""
    response: Response = {
        "ResponseMetadata": {"RequestId": "", "HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}
    }
    for name, value in members.items():
        if value is not None:
            response[name] = value
    return response
