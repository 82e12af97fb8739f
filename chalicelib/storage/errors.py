"""The one gate between an engine's errors and ours.

ClientError: failed condition   ->  ConditionFailed (never leaves storage)
ClientError: conflict           ->  the call is made again, for a transaction of somebody else is over soon
ClientError: throttling         ->  model TooManyRequests
any other, or no answer at all  ->  model InternalError
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore import exceptions

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
_CONFLICTS = frozenset({"TransactionConflictException", "TransactionInProgressException"})
_ATTEMPTS = 20  # at a call that meets conflicts; each is a round trip, so no further pause is made
_REFUSED = frozenset({"ThrottlingError", "ProvisionedThroughputExceeded", "ItemCollectionSizeLimitExceeded"})


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
        self.put_item = _guarded(engine.put_item)
        self.get_item = _guarded(engine.get_item)
        self.update_item = _guarded(engine.update_item)
        self.delete_item = _guarded(engine.delete_item)
        self.query = _guarded(engine.query)
        self.batch_get_item = _guarded(engine.batch_get_item)
        self.batch_write_item = _guarded(engine.batch_write_item)
        self.transact_write_items = _guarded(engine.transact_write_items)


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
    if code in _CONFLICTS:
        return _Conflict()
    if code in _THROTTLED:
        return errors.TooManyRequests()
    return errors.InternalError()


def _cancelled(reasons: Sequence[Mapping[str, Any]]) -> Exception:
    """Our error for a transaction, of which each action has a reason, if only `None`."""
    codes = [reason.get("Code") for reason in reasons]
    for place, code in enumerate(codes):
        if code == "ConditionalCheckFailed":
            return ConditionFailed(reasons[place].get("Item"), place)
    if "TransactionConflict" in codes:
        return _Conflict()
    return errors.TooManyRequests() if _REFUSED.intersection(codes) else errors.InternalError()


def _guarded(method: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
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
