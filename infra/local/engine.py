"""What the local runtime asks of an engine, and how its tables are made."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias

from chalicelib.storage import client, schema

Together: TypeAlias = Callable[[Callable[[], Any]], Any]  # runs work, and returns what it does


class LocalEngine(client.Client, Protocol):
    """An engine in this process: DynamoDB's client methods, and a few that only a local engine has."""

    def create_table(self, **arguments: Any) -> dict[str, Any]:
        """CreateTable."""

    def list_tables(self, **arguments: Any) -> dict[str, Any]:
        """ListTables."""

    def describe_table(self, **arguments: Any) -> dict[str, Any]:
        """DescribeTable."""

    def update_time_to_live(self, **arguments: Any) -> dict[str, Any]:
        """UpdateTimeToLive."""

    def describe_stream(self, **arguments: Any) -> dict[str, Any]:
        """DescribeStream."""

    def get_shard_iterator(self, **arguments: Any) -> dict[str, Any]:
        """GetShardIterator."""

    def get_records(self, **arguments: Any) -> dict[str, Any]:
        """GetRecords."""

    def subscribe(self, callback: Callable[[Iterable[str]], None]) -> None:
        """Call back after each write that may have put records into streams, with the tables' names."""

    def expire(self, limit: int) -> int:
        """Delete up to `limit` items whose time to live is over; how many there were."""

    def trim(self, limit: int, consumed: Mapping[str, str | None]) -> int:
        """Drop up to `limit` stream records up to the number in `consumed` (by stream; None: none); return how many."""

    def batch(self) -> contextlib.AbstractContextManager[None]:
        """A context in which calls share one transaction; none may be answered before it has ended."""

    def close(self) -> None:
        """Let go of everything."""


def together(engine: LocalEngine, other: LocalEngine | None = None) -> Together:
    """What has the calls of some work share one transaction of an engine, and one of another engine if there is one."""

    def in_one(work: Callable[[], Any]) -> Any:
        with engine.batch():
            return work()

    def in_each(work: Callable[[], Any]) -> Any:
        assert other is not None  # noqa: S101  # see below
        with engine.batch(), other.batch():
            return work()

    return in_one if other is None else in_each


CHECKPOINTS = schema.Table(name="checkpoints", sorted=False)  # the driver's: how far each stream was read

FAILURES = schema.Table(name="failures", sorted=True)  # the driver's: stream records that no attempt could do


def make_tables(engine: LocalEngine, prefix: str) -> None:
    """Make the tables that are not there yet."""
    present = set(engine.list_tables()["TableNames"])
    for table in (*schema.TABLES, CHECKPOINTS, FAILURES):
        name = prefix + table.name
        if name not in present:
            engine.create_table(**table.create_arguments(prefix))
            if table.ttl is not None:
                engine.update_time_to_live(
                    TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": table.ttl}
                )
