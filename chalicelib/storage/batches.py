"""Batch calls: cut to what DynamoDB takes at once, and repeated for what it leaves undone."""

from collections.abc import Sequence
from typing import Any

from chalicelib.broker import ports
from chalicelib.model import errors
from chalicelib.storage import client
from chalicelib.storage.errors import Gate

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
        for start in range(0, len(requests), _WRITES):
            rest = list(requests[start : start + _WRITES])
            for attempt in range(_ATTEMPTS):
                if attempt:
                    self._clock.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
                try:
                    answer = self._gate.batch_write_item(RequestItems={table: rest})
                except errors.TooManyRequests:
                    continue  # what is left is undone; what was done stays done
                rest = answer.get("UnprocessedItems", {}).get(table, [])
                if not rest:
                    break
            undone.extend(rest)
        return undone

    def read(self, table: str, keys: Sequence[client.Item]) -> list[client.Item]:
        """The items with these keys, read consistently, in any order; what does not exist is left out.

        Raises:
            model.errors.TooManyRequests: the engine did not get round to all of them.
        """
        found: list[client.Item] = []
        for start in range(0, len(keys), _READS):
            rest: dict[str, Any] = {table: {"Keys": list(keys[start : start + _READS]), "ConsistentRead": True}}
            for attempt in range(_ATTEMPTS):
                if attempt:
                    self._clock.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))
                answer = self._gate.batch_get_item(RequestItems=rest)
                found.extend(answer["Responses"].get(table, []))
                rest = answer.get("UnprocessedKeys", {})
                if not rest:
                    break
            else:
                raise errors.TooManyRequests
        return found
