"""What can go wrong: refusals of a request, and files that cannot be used.

Refusal                      becomes botocore's ClientError at the engine's gate
    validation, condition_failed, transaction_cancelled, ... build the usual ones
UnusableFileError            raised as it is: no request can be served
    DamagedFileError
    ForeignFileError
    NewerFileError
    OlderFileError
"""

from __future__ import annotations

from typing import Any, cast

from botocore.exceptions import ClientError


class UnusableFileError(Exception):
    """The database file cannot be used."""


class DamagedFileError(UnusableFileError):
    """The database file is damaged."""


class ForeignFileError(UnusableFileError):
    """The file is not an OpenMNS database."""


class NewerFileError(UnusableFileError):
    """The database file was written by a newer version of OpenMNS."""


class OlderFileError(UnusableFileError):
    """The database file has a layout from before the first release, which is no longer read."""


class Refusal(Exception):  # noqa: N818 - it is the service's answer to a request, not a fault of the engine
    """The request is refused, as DynamoDB would.

    Attributes:
        code: DynamoDB's error code, e.g. `ValidationException`.
        message: DynamoDB's sentence.
        fields: further members of the error response, e.g. `Item`.
        status: the HTTP status DynamoDB sends with it.
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **fields: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields

    def client_error(self, operation: str) -> ClientError:
        """The exception a boto3 client would raise from `operation`."""
        response = {
            "Error": {"Message": self.message, "Code": self.code},
            "ResponseMetadata": {"RequestId": "", "HTTPStatusCode": self.status, "HTTPHeaders": {}, "RetryAttempts": 0},
            "message": self.message,
            **self.fields,
        }
        return ClientError(cast("Any", response), operation)


def validation(message: str) -> Refusal:
    """The request breaks a rule."""
    return Refusal("ValidationException", message)


def invalid(message: str) -> Refusal:
    """A parameter value breaks a rule, in DynamoDB's most common wording."""
    return validation(f"One or more parameter values were invalid: {message}")


def constraint(value: object, member: str, rule: str) -> Refusal:
    """A member breaks a constraint of the service model, e.g. an unknown enum value."""
    return validation(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
    )


def condition_failed(item: dict[str, Any] | None = None) -> Refusal:
    """The condition expression is false for the stored item."""
    refusal = Refusal("ConditionalCheckFailedException", "The conditional request failed")
    if item is not None:
        refusal.fields["Item"] = item
    return refusal


def transaction_cancelled(reasons: list[dict[str, Any]]) -> Refusal:
    """At least one action of the transaction could not be done; `reasons` has one entry per action."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return Refusal("TransactionCanceledException", message, CancellationReasons=reasons)


def not_found(message: str = "Requested resource not found") -> Refusal:
    """The table, index or stream does not exist."""
    return Refusal("ResourceNotFoundException", message)


def in_use(message: str) -> Refusal:
    """The table exists already, or is being changed."""
    return Refusal("ResourceInUseException", message)


def busy() -> Refusal:
    """Another process holds the file for longer than we wait; trying again is right."""
    message = "The database file is locked by another process; try again"
    return Refusal("ThrottlingException", message, status=400)


def internal(message: str) -> Refusal:
    """SQLite could not do its work, e.g. because the disk is full."""
    return Refusal("InternalServerError", message, status=500)
