"""The one gate between an engine's errors and ours.

ClientError: failed condition   ->  ConditionFailed (never leaves storage)
ClientError: throttling         ->  model TooManyRequests
ClientError: not KMS's to open  ->  SealBroken of the ports
any other, or no answer at all  ->  model InternalError
"""

from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions

from chalicelib.broker import ports
from chalicelib.model import errors
from chalicelib.storage import client

_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "ItemCollectionSizeLimitExceededException",  # the shard is full; another one may take more
    }
)
_NOT_OURS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class ConditionFailed(Exception):  # noqa: N818  # an outcome that storage always handles, not an error
    """The condition of a write did not hold."""

    def __init__(self, item: client.Item | None) -> None:
        super().__init__()
        self.item = item  # as it is, where the call asked for it and there is one


class Gate:
    """An engine whose errors are ours."""

    def __init__(self, engine: client.Client) -> None:
        self.put_item = guarded(engine.put_item)
        self.get_item = guarded(engine.get_item)
        self.update_item = guarded(engine.update_item)
        self.delete_item = guarded(engine.delete_item)
        self.query = guarded(engine.query)
        self.batch_get_item = guarded(engine.batch_get_item)
        self.batch_write_item = guarded(engine.batch_write_item)


def translate(error: exceptions.ClientError | exceptions.BotoCoreError) -> Exception:
    """Our error for one of the engine's."""
    if not isinstance(error, exceptions.ClientError):
        return errors.InternalError()
    code = error.response.get("Error", {}).get("Code")
    if code == "ConditionalCheckFailedException":
        response: Mapping[str, Any] = error.response
        return ConditionFailed(response.get("Item"))
    if code in _THROTTLED:
        return errors.TooManyRequests()
    if code in _NOT_OURS:
        return ports.SealBroken()
    return errors.InternalError()


def code_behind(error: Exception) -> str:
    """The code of the engine's error that one of ours was made of; empty: there is none."""
    cause = error.__cause__
    return str(cause.response["Error"]["Code"]) if isinstance(cause, exceptions.ClientError) else ""


def guarded(method: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A method of a client whose errors are ours."""

    def call(**arguments: Any) -> dict[str, Any]:
        try:
            return method(**arguments)
        except (exceptions.ClientError, exceptions.BotoCoreError) as error:
            raise translate(error) from error

    return call
