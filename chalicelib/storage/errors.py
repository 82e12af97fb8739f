"""The one gate between an engine's errors and ours.

ClientError: failed condition   ->  ConditionFailed (never leaves storage)
ClientError: conflict           ->  the call is made again, for a transaction of somebody else is over soon
ClientError: throttling         ->  model TooManyRequests
ClientError: not KMS's to open  ->  SealBroken of the ports
any other, or no answer at all  ->  model InternalError
"""

from collections.abc import Callable, Mapping, Sequence
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
_CONFLICTS = frozenset({"TransactionConflictException", "TransactionInProgressException"})
_ATTEMPTS = 20  # at a call that meets conflicts; each is a round trip, so no further pause is made
_TRANSIENT = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded"})
_REFUSED = _TRANSIENT | {"ItemCollectionSizeLimitExceeded"}


class ConditionFailed(Exception):  # noqa: N818  # an outcome that storage always handles, not an error
    """The condition of a write did not hold."""

    def __init__(self, item: client.Item | None, place: int = 0) -> None:
        super().__init__()
        self.item = item  # as it is, where the call asked for it and there is one
        self.place = place  # of the first action of a transaction whose condition did not hold


class _Conflict(Exception):  # noqa: N818  # an outcome that the gate always handles
    """A transaction of somebody else is just writing an item of this call."""


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
        self.transact_write_items = guarded(engine.transact_write_items)


def translate(error: exceptions.ClientError | exceptions.BotoCoreError) -> Exception:
    """Our error for one of the engine's."""
    if not isinstance(error, exceptions.ClientError):
        return errors.InternalError()
    code = error.response.get("Error", {}).get("Code")
    response: Mapping[str, Any] = error.response
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(response.get("Item"))
    if code == "TransactionCanceledException":
        return _cancelled(response.get("CancellationReasons", []))
    kinds: Mapping[frozenset[str], type[Exception]] = {
        _CONFLICTS: _Conflict,
        _THROTTLED: errors.TooManyRequests,
        _NOT_OURS: ports.SealBroken,
    }
    return next((kind for codes, kind in kinds.items() if code in codes), errors.InternalError)()


def lacks_units(response: Mapping[str, Any]) -> bool:
    """Whether an engine's answer is a transaction that was cancelled by throttling, and by nothing else."""
    codes = {reason.get("Code") for reason in response.get("CancellationReasons", ())} - {"None"}
    return bool(codes) and codes <= _TRANSIENT


def code_behind(error: Exception) -> str:
    """The code of the engine's error that one of ours was made of; empty: there is none."""
    cause = error.__cause__
    return str(cause.response["Error"]["Code"]) if isinstance(cause, exceptions.ClientError) else ""


def _cancelled(reasons: Sequence[Mapping[str, Any]]) -> Exception:
    """Our error for a transaction, of which each action has a reason, if only `None`."""
    codes = [reason.get("Code") for reason in reasons]
    for place, code in enumerate(codes):
        if code == "ConditionalCheckFailed":
            return ConditionFailed(reasons[place].get("Item"), place)
    if "TransactionConflict" in codes:
        return _Conflict()
    return errors.TooManyRequests() if _REFUSED.intersection(codes) else errors.InternalError()


def guarded(method: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """A method of a client whose errors are ours."""

    def call(**arguments: Any) -> dict[str, Any]:
        for _ in range(_ATTEMPTS):
            try:
                return method(**arguments)
            except (exceptions.ClientError, exceptions.BotoCoreError) as error:
                translated = translate(error)
                if not isinstance(translated, _Conflict):
                    raise translated from error
        raise errors.TooManyRequests

    return call
