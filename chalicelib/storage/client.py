"""The seam: the methods of the low-level DynamoDB client that storage uses.

Whatever has these methods is an engine: boto3's client, moto behind it, the embedded engine.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Item = dict[str, Any]  # attribute name -> typed value, as in {"S": "text"}


class Client(Protocol):
    """An engine; arguments and results are those of boto3's DynamoDB client."""

    def put_item(self, **arguments: Any) -> dict[str, Any]:
        """PutItem."""

    def get_item(self, **arguments: Any) -> dict[str, Any]:
        """GetItem."""

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        """UpdateItem."""

    def delete_item(self, **arguments: Any) -> dict[str, Any]:
        """DeleteItem."""

    def query(self, **arguments: Any) -> dict[str, Any]:
        """Query."""

    def batch_get_item(self, **arguments: Any) -> dict[str, Any]:
        """BatchGetItem."""

    def batch_write_item(self, **arguments: Any) -> dict[str, Any]:
        """BatchWriteItem."""

    def transact_write_items(self, **arguments: Any) -> dict[str, Any]:
        """TransactWriteItems."""


class Fan(Protocol):
    """How independent calls are made: one after the other, or side by side."""

    def __call__(self, call: Callable[[T], R], arguments: Sequence[T], /) -> Iterable[R]:
        """The results of `call` on each of `arguments`, in their order."""


def one_by_one(call: Callable[[T], R], arguments: Sequence[T], /) -> Iterable[R]:
    """The fan for an engine without round trips."""
    return [call(argument) for argument in arguments]
