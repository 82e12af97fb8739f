"""Batch calls: cut to what DynamoDB takes at once, and repeated for what it leaves undone."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from chalicelib.broker import ports
from chalicelib.model import errors
from chalicelib.storage import client
from chalicelib.storage.errors import Gate

R = TypeVar("R")

_WRITES = 25
_READS = 100
_ATTEMPTS = 5
_FIRST_PAUSE = 0.05  # seconds, doubled each time


class Batches:
    """Batch writes and reads on one engine."""

    def __init__(self, *, gate: Gate, clock: ports.Clock) -> None:
        self._gate = gate
        self._clock = clock

    def write(self, table: str, requests: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Make put and delete requests; return those that could not be made."""
        undone: list[dict[str, Any]] = []

        def put(requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
            try:
                answer = self._gate.batch_write_item(RequestItems={table: requests})
            except errors.TooManyRequests:
                return requests  # none of these was done; what earlier attempts did stays done
            unprocessed: list[dict[str, Any]] = answer.get("UnprocessedItems", {}).get(table, [])
            return unprocessed

        for start in range(0, len(requests), _WRITES):
            left = self._repeat(put, list(requests[start : start + _WRITES]))
            undone += left
        return undone

    def read(self, table: str, keys: Sequence[client.Item]) -> list[client.Item]:
        """The items with these keys, read consistently, in any order; what does not exist is left out.

        Raises:
            model.errors.TooManyRequests: the engine did not get round to all of them.
        """
        found: list[client.Item] = []

        def get(tables: dict[str, Any]) -> dict[str, Any]:
            answer = self._gate.batch_get_item(RequestItems=tables)
            found.extend(answer["Responses"].get(table, []))
            unprocessed: dict[str, Any] = answer.get("UnprocessedKeys", {})
            return unprocessed

        for start in range(0, len(keys), _READS):
            some = {"Keys": list(keys[start : start + _READS]), "ConsistentRead": True}
            if self._repeat(get, {table: some}):
                raise errors.TooManyRequests
        return found

    def _repeat(self, call: Callable[[R], R], rest: R) -> R:
        """Call with what is left, until nothing is or the attempts are used up; return what is left then."""
        for attempt in range(_ATTEMPTS):
            if attempt:
                self._clock.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
            rest = call(rest)
            if not rest:
                break
        return rest
