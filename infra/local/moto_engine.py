"""moto's DynamoDB in process, made safe for threads.

moto's conditional writes are not atomic (two threads can win one), so one lock is held round every call. Its time to
live is not acted on, so `expire` sweeps. It keeps everything in memory, and its cost grows with what it holds: it is
for semantics at small size.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import boto3
import moto
from botocore.config import Config

_STREAM_METHODS = frozenset({"describe_stream", "get_shard_iterator", "get_records", "list_streams"})
_SWEEP_MS = 30_000  # between looks at all items for those whose time to live is over
_WRITES = frozenset({"put_item", "update_item", "delete_item"})


class MotoEngine:
    """The `LocalEngine` on moto."""

    def __init__(self, *, now: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """Set up; `now` is the time that decides what `expire` deletes (ms)."""
        self._now = now
        self._lock = threading.RLock()
        self._listeners: list[Callable[[Iterable[str]], None]] = []
        self._ttl: dict[str, str] = {}
        self._next_sweep = 0
        self._mock = moto.mock_aws(config={"core": {"mock_credentials": False}})  # clients have their own
        self._mock.start()
        arguments: dict[str, Any] = {
            "region_name": "us-east-1",
            "aws_access_key_id": "local",
            "aws_secret_access_key": "local",
            # moto does not know the host name that newer boto3 makes from the account id
            "config": Config(account_id_endpoint_mode="disabled", parameter_validation=False),
        }
        session = boto3.session.Session()
        self._dynamodb = session.client("dynamodb", **arguments)
        self._streams = session.client("dynamodbstreams", **arguments)

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        method = getattr(self._streams if name in _STREAM_METHODS else self._dynamodb, name)

        def call(**arguments: Any) -> dict[str, Any]:
            with self._lock:
                answer: dict[str, Any] = method(**arguments)
            if name in _WRITES:
                self._tell([arguments["TableName"]])
            elif name == "batch_write_item":
                self._tell(arguments["RequestItems"])
            elif name == "transact_write_items":
                self._tell({member["TableName"] for action in arguments["TransactItems"] for member in action.values()})
            return answer

        self.__dict__[name] = call
        return call

    def subscribe(self, callback: Callable[[Iterable[str]], None]) -> None:
        """Call back after each write."""
        self._listeners.append(callback)

    def update_time_to_live(self, **arguments: Any) -> dict[str, Any]:
        """UpdateTimeToLive; remembered for `expire`."""
        self._ttl[arguments["TableName"]] = arguments["TimeToLiveSpecification"]["AttributeName"]
        with self._lock:
            return dict(self._dynamodb.update_time_to_live(**arguments))

    def expire(self, limit: int) -> int:
        """Delete up to `limit` items whose time to live is over, looking at all items now and then."""
        count = 0
        if self._now() < self._next_sweep:
            return 0
        self._next_sweep = self._now() + _SWEEP_MS
        for table, attribute in self._ttl.items():
            for key in self._expired(table, attribute, limit - count):
                self.delete_item(TableName=table, Key=key)
                count += 1
        return count

    def trim(self, limit: int, consumed: Mapping[str, str | None]) -> int:  # noqa: ARG002  # the port's
        """Nothing: moto keeps the records of a stream as long as it lives."""
        return 0

    def batch(self) -> contextlib.AbstractContextManager[None]:
        """Nothing: moto has no transactions to share, and is one process's."""
        return contextlib.nullcontext()

    def close(self) -> None:
        """Give botocore back."""
        self._mock.stop()

    def _tell(self, tables: Iterable[str]) -> None:
        for callback in self._listeners:
            callback(tables)

    def _expired(self, table: str, attribute: str, limit: int) -> list[dict[str, Any]]:
        with self._lock:
            keys = [
                key["AttributeName"] for key in self._dynamodb.describe_table(TableName=table)["Table"]["KeySchema"]
            ]
            page = self._dynamodb.scan(
                TableName=table,
                FilterExpression="#ttl < :now",
                ExpressionAttributeNames={"#ttl": attribute},
                ExpressionAttributeValues={":now": {"N": str(self._now() // 1000)}},
            )
        return [{key: item[key] for key in keys} for item in page["Items"][:limit]]
