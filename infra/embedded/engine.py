"""The engine: boto3's DynamoDB and DynamoDB Streams client methods on one SQLite file.

One engine has one connection and one lock; any thread may call it, and several processes may each have an engine on
the same file, opened by each for itself and not carried over a fork. Every method takes the client's keyword arguments,
returns what the client would, and raises `botocore.exceptions.ClientError`: all refusals pass the one gate in `_serve`.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from infra.embedded import (
    catalog,
    database,
    errors,
    expiry,
    reads,
    requests,
    schema,
    streams,
    tables,
    transactions,
    writes,
)

if TYPE_CHECKING:
    import contextlib
    import os
    import pathlib

    from infra.embedded.requests import Request, Response

_READ = "ReturnConsumedCapacity"
_EXPRESSION = "ExpressionAttributeNames ExpressionAttributeValues"
_WRITE = f"{_READ} {_EXPRESSION} ReturnItemCollectionMetrics ConditionExpression ReturnValues"
_ON_FAILURE = "ReturnValuesOnConditionCheckFailure"
_PAGE = (
    f"{_READ} {_EXPRESSION} IndexName Select Limit ConsistentRead ExclusiveStartKey ProjectionExpression "
    "FilterExpression"
)
_CREATE_TABLE = requests.operation(
    "CreateTable",
    "TableName AttributeDefinitions KeySchema",
    "LocalSecondaryIndexes GlobalSecondaryIndexes BillingMode ProvisionedThroughput StreamSpecification "
    "SSESpecification Tags TableClass DeletionProtectionEnabled WarmThroughput OnDemandThroughput ResourcePolicy",
)
_DESCRIBE_TABLE = requests.operation("DescribeTable", "TableName")
_DELETE_TABLE = requests.operation("DeleteTable", "TableName")
_LIST_TABLES = requests.operation("ListTables", "", "ExclusiveStartTableName Limit")
_UPDATE_TTL = requests.operation("UpdateTimeToLive", "TableName TimeToLiveSpecification")
_DESCRIBE_TTL = requests.operation("DescribeTimeToLive", "TableName")
_PUT_ITEM = requests.operation("PutItem", "TableName Item", f"{_WRITE} {_ON_FAILURE}")
_GET_ITEM = requests.operation(
    "GetItem", "TableName Key", f"{_READ} ConsistentRead ProjectionExpression ExpressionAttributeNames"
)
_UPDATE_ITEM = requests.operation("UpdateItem", "TableName Key", f"{_WRITE} {_ON_FAILURE} UpdateExpression")
_DELETE_ITEM = requests.operation("DeleteItem", "TableName Key", f"{_WRITE} {_ON_FAILURE}")
_QUERY = requests.operation("Query", "TableName", f"{_PAGE} KeyConditionExpression ScanIndexForward")
_SCAN = requests.operation("Scan", "TableName", f"{_PAGE} Segment TotalSegments")
_BATCH_GET = requests.operation("BatchGetItem", "RequestItems", _READ)
_BATCH_WRITE = requests.operation("BatchWriteItem", "RequestItems", f"{_READ} ReturnItemCollectionMetrics")
_TRANSACT_WRITE = requests.operation(
    "TransactWriteItems", "TransactItems", f"{_READ} ReturnItemCollectionMetrics ClientRequestToken"
)
_TRANSACT_GET = requests.operation("TransactGetItems", "TransactItems", _READ)
_LIST_STREAMS = requests.operation("ListStreams", "", "TableName Limit ExclusiveStartStreamArn")
_DESCRIBE_STREAM = requests.operation("DescribeStream", "StreamArn", "Limit ExclusiveStartShardId ShardFilter")
_GET_ITERATOR = requests.operation("GetShardIterator", "StreamArn ShardId ShardIteratorType", "SequenceNumber")
_GET_RECORDS = requests.operation("GetRecords", "ShardIterator", "Limit")
_EXPIRE = requests.operation("Expire")
_TRIM = requests.operation("Trim")
_BATCH = requests.operation("Batch")
_HOST = requests.operation("Host")
_TRANSACT = requests.operation("Transact")
_LOOK = requests.operation("Look")

Listener: TypeAlias = Callable[[frozenset[str]], None]
_Argument = TypeVar("_Argument")
_Result = TypeVar("_Result")


class EmbeddedEngine:
    """DynamoDB in this process.

    Args:
        path: the database file, made if it is not there; None keeps everything in memory.
        now: tells the time in milliseconds.
        durability: `normal` survives the end of the process, `full` also the end of power.
        journal: where the guest's writes are kept between commits; there are no tables then, and no other process
            uses the file. None: they are committed at once.

    Raises:
        UnusableFileError: the file is damaged, foreign, newer than this program, or cannot be opened.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        *,
        now: Callable[[], float],
        durability: database.Durability = "normal",
        journal: pathlib.Path | None = None,
    ) -> None:
        self._now = now
        self._journal = journal
        self._durability = durability
        self._lock = threading.RLock()
        self._listeners: tuple[Listener, ...] = ()
        self._db = database.Database(path, durability)
        self._batch = _Batch(self._enter_batch, self._leave_batch)
        try:
            self._catalog = catalog.Catalog(self._db)
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise database.damaged(self._db.path, str(error)) from error

    def close(self) -> None:
        """Close the file; the engine cannot be used afterwards."""
        with self._lock:
            self._db.close()

    def subscribe(self, listener: Listener) -> None:
        """Have `listener` called with the names of tables whose streams got records, after they are committed.

        It is called in the thread that wrote and outside the engine's lock; it should only wake somebody.
        What other processes write is not announced: watch `foreign_commits` for that.
        """
        self._listeners = (*self._listeners, listener)

    def foreign_commits(self) -> int:
        """A number that changes whenever another process has written to the file; cheap enough to poll."""
        with self._lock:
            return self._db.foreign_commits()

    def batch(self) -> contextlib.AbstractContextManager[None]:
        """Let this thread's calls share one transaction, committed at the end unless an exception ends it.

        Each call is still atomic by itself, and a refused one does not disturb the others. No call may be answered to
        its client before the batch has ended without an exception. Other threads wait; do nothing slow inside.

        Raises:
            ClientError: SQLite failed, and nothing of the batch was stored.
        """
        return self._batch

    def _enter_batch(self) -> None:
        """Begin what `batch` describes."""
        self._lock.acquire()
        try:
            self._db.start_batch()
        except BaseException:
            self._lock.release()
            raise

    def _leave_batch(self, *, failed: bool) -> None:
        """End it."""
        try:
            if failed:
                self._db.drop_batch()
                return
            if self._db.skip_batch():
                return
            self._gate(_BATCH, lambda _: self._db.finish_batch(), None)
            news = self._db.take_news()
        finally:
            self._lock.release()
        if news is not None:
            self._announce(*news)

    def host(self, guest: database.Guest, layout: Sequence[str]) -> database.Database:
        """Let somebody keep tables in the file, and write to them in `transact`; one guest an engine.

        Args:
            guest: who.
            layout: the statements that make the tables, where they are not there.
        """

        def make(_: None) -> None:
            self._db.begin()
            for statement in layout:
                self._db.execute(statement)
            self._db.commit()

        with self._lock:
            self._gate(_HOST, make, None)
            self._db.guest = guest
            if self._journal is not None:
                path, durability = self._journal, self._durability
                self._gate(_HOST, lambda _: self._db.keep_journal(path, durability), None)
        return self._db

    def read(self, work: Callable[[], _Result]) -> _Result:
        """Have a guest read: in the batch in hand, or what is committed.

        Raises:
            ClientError: SQLite failed.
        """
        with self._lock:
            return self._gate(_LOOK, lambda _: self._caught_up(work), None)

    def transact(self, work: Callable[[], _Result]) -> _Result:
        """Have a guest write: in the batch in hand, or in a transaction of its own.

        Work that raises must not have written anything, or it is lost or kept with the batch.

        Raises:
            ClientError: SQLite failed.
        """
        with self._lock:
            if self._db.in_batch:
                try:
                    self._db.begin()
                    return work()
                except BaseException as error:  # noqa: BLE001  # the gate knows them all
                    return self._gate(_TRANSACT, _raise, error)
        with self._batch:
            return self.transact(work)

    def _caught_up(self, work: Callable[[], _Result]) -> _Result:
        self._db.catch_up()
        return work()

    def expire(self, limit: int) -> int:
        """Remove at most `limit` items whose time to live is over, as the service itself; returns how many."""

        def expire(now: int) -> int:
            done = expiry.expire(self._db, self._catalog.every(), now, limit)
            if done < limit and self._db.guest is not None:
                done += self._db.guest.expire(now, limit - done)
            return done

        return self._maintain(_EXPIRE, expire)

    def trim(self, limit: int = 1000, consumed: Mapping[str, str | None] | None = None) -> int:
        """Drop at most `limit` stream records that are no longer needed; returns how many.

        Args:
            limit: how many to drop at most.
            consumed: by stream resource name, the sequence number up to which nobody needs the records any more, None
                if all are needed; of other streams what is a day old is dropped.
        """
        return self._maintain(
            _TRIM, lambda now: streams.trim(self._db, self._catalog.every(), now, limit, consumed or {})
        )

    def create_table(self, **request: Any) -> Response:
        """CreateTable; the table is active at once."""

        def work(request: Request) -> Response:
            self._db.begin()
            table = self._catalog.create(request, self.milliseconds())
            self._db.commit()
            return requests.respond(TableDescription=schema.describe(table.schema))

        return self._serve(_CREATE_TABLE, request, work)

    def describe_table(self, **request: Any) -> Response:
        """DescribeTable; item count and size are always 0."""
        return self._serve(
            _DESCRIBE_TABLE,
            request,
            lambda request: requests.respond(Table=schema.describe(self._catalog.current(request["TableName"]).schema)),
        )

    def delete_table(self, **request: Any) -> Response:
        """DeleteTable; the table and its stream are gone at once."""

        def work(request: Request) -> Response:
            self._db.begin()
            table = self._catalog.current(request["TableName"])
            if table.schema.request.get("DeletionProtectionEnabled"):
                raise errors.validation(
                    "Resource cannot be deleted as it is currently protected against deletion. "
                    "Disable deletion protection first."
                )
            self._catalog.drop(table)
            self._db.commit()
            return requests.respond(TableDescription=schema.describe(table.schema, "DELETING"))

        return self._serve(_DELETE_TABLE, request, work)

    def list_tables(self, **request: Any) -> Response:
        """ListTables."""

        def work(request: Request) -> Response:
            names = [table.schema.name for table in self._catalog.every()]
            start = request.get("ExclusiveStartTableName")
            if start is not None:
                names = [name for name in names if name > start]
            page = names[: requests.limit(request, most=100) or 100]
            return requests.respond(
                TableNames=page, LastEvaluatedTableName=page[-1] if len(page) < len(names) else None
            )

        return self._serve(_LIST_TABLES, request, work)

    def update_time_to_live(self, **request: Any) -> Response:
        """UpdateTimeToLive."""
        return self._serve(
            _UPDATE_TTL, request, lambda request: expiry.update_time_to_live(self._db, self._catalog, request)
        )

    def describe_time_to_live(self, **request: Any) -> Response:
        """DescribeTimeToLive."""
        return self._serve(_DESCRIBE_TTL, request, lambda request: expiry.describe_time_to_live(self._catalog, request))

    def put_item(self, **request: Any) -> Response:
        """PutItem."""
        return self._serve(_PUT_ITEM, request, self._put_item)

    def get_item(self, **request: Any) -> Response:
        """GetItem."""
        return self._serve(_GET_ITEM, request, self._get_item)

    def update_item(self, **request: Any) -> Response:
        """UpdateItem."""
        return self._serve(_UPDATE_ITEM, request, self._update_item)

    def delete_item(self, **request: Any) -> Response:
        """DeleteItem."""
        return self._serve(_DELETE_ITEM, request, self._delete_item)

    def query(self, **request: Any) -> Response:
        """Query."""
        return self._serve(_QUERY, request, self._query)

    def scan(self, **request: Any) -> Response:
        """Scan."""
        return self._serve(_SCAN, request, self._scan)

    def batch_get_item(self, **request: Any) -> Response:
        """BatchGetItem."""
        return self._serve(
            _BATCH_GET,
            request,
            lambda request: reads.batch_get_item(self._db, self._tables(request["RequestItems"]), request),
        )

    def batch_write_item(self, **request: Any) -> Response:
        """BatchWriteItem; it is atomic here, which DynamoDB does not promise."""
        return self._serve(
            _BATCH_WRITE,
            request,
            lambda request: writes.batch_write_item(
                self._db, self._tables(request["RequestItems"]), request, self.milliseconds()
            ),
        )

    def transact_write_items(self, **request: Any) -> Response:
        """TransactWriteItems."""
        return self._serve(
            _TRANSACT_WRITE,
            request,
            lambda request: transactions.transact_write_items(
                self._db, self._tables(transactions.tables_named(request)), request, self.milliseconds()
            ),
        )

    def transact_get_items(self, **request: Any) -> Response:
        """TransactGetItems."""
        return self._serve(
            _TRANSACT_GET,
            request,
            lambda request: reads.transact_get_items(
                self._db, self._tables(transactions.tables_named(request)), request
            ),
        )

    def list_streams(self, **request: Any) -> Response:
        """ListStreams."""
        return self._serve(_LIST_STREAMS, request, lambda request: streams.list_streams(self._catalog, request))

    def describe_stream(self, **request: Any) -> Response:
        """DescribeStream; a stream is one shard that never closes."""
        return self._serve(
            _DESCRIBE_STREAM,
            request,
            lambda request: streams.describe_stream(self._db, self._catalog.stream(request["StreamArn"]), request),
        )

    def get_shard_iterator(self, **request: Any) -> Response:
        """GetShardIterator; iterators do not grow old."""
        return self._serve(
            _GET_ITERATOR,
            request,
            lambda request: streams.get_shard_iterator(self._db, self._catalog.stream(request["StreamArn"]), request),
        )

    def get_records(self, **request: Any) -> Response:
        """GetRecords."""
        return self._serve(_GET_RECORDS, request, self._get_records)

    def _put_item(self, request: Request) -> Response:
        table = self._catalog.table(request["TableName"])
        return writes.put_item(self._db, table, request, self.milliseconds())

    def _get_item(self, request: Request) -> Response:
        return reads.get_item(self._db, self._catalog.table(request["TableName"]), request)

    def _update_item(self, request: Request) -> Response:
        table = self._catalog.table(request["TableName"])
        return writes.update_item(self._db, table, request, self.milliseconds())

    def _delete_item(self, request: Request) -> Response:
        table = self._catalog.table(request["TableName"])
        return writes.delete_item(self._db, table, request, self.milliseconds())

    def _query(self, request: Request) -> Response:
        return reads.query(self._db, self._catalog.table(request["TableName"]), request)

    def _scan(self, request: Request) -> Response:
        return reads.scan(self._db, self._catalog.table(request["TableName"]), request)

    def _get_records(self, request: Request) -> Response:
        arn, position = streams.stream_of(request["ShardIterator"])
        return streams.get_records(self._db, self._catalog.stream(arn), position, request)

    def _tables(self, names: Iterable[str]) -> dict[str, tables.Table]:
        return {name: self._catalog.table(name) for name in names}

    def milliseconds(self) -> int:
        """The engine's time, since the epoch."""
        return int(self._now())

    def _serve(self, operation: requests.Operation, request: Request, work: Callable[[Request], Response]) -> Response:
        operation.check(request)
        with self._lock:
            response = self._gate(operation, work, request)
            news = self._db.take_news()
        if news is not None:
            self._announce(*news)
        return response

    def _maintain(self, operation: requests.Operation, work: Callable[[int], int]) -> int:
        def within_transaction(now: int) -> int:
            self._db.begin()
            done = work(now)
            self._db.commit()
            return done

        with self._lock:
            done = self._gate(operation, within_transaction, self.milliseconds())
            news = self._db.take_news()
        if news is not None:
            self._announce(*news)
        return done

    def _gate(
        self, operation: requests.Operation, work: Callable[[_Argument], _Result], argument: _Argument
    ) -> _Result:
        """Do the work; turn refusals and SQLite's errors into what a client raises, and leave no transaction open."""
        try:
            try:
                return work(argument)
            except sqlite3.OperationalError as error:
                if not database.is_stale(error):
                    raise
                self._catalog.reload()  # another process changed a table that the work had not written to yet
                return work(argument)
        except errors.Refusal as refusal:
            self._db.abandon()
            raise refusal.client_error(operation.name) from None
        except UnicodeEncodeError as error:
            self._db.abandon()
            raise errors.Refusal("SerializationException", str(error)).client_error(operation.name) from error
        except sqlite3.Error as error:
            self._db.fail(error)
            raise self._translated(error, operation) from error
        except Exception:
            self._db.abandon()
            raise
        except BaseException:
            self._db.fail(sqlite3.OperationalError("interrupted"))
            raise

    def _translated(self, error: sqlite3.Error, operation: requests.Operation) -> Exception:
        if database.is_damage(error):
            return database.damaged(self._db.path, str(error))
        refusal = errors.busy() if database.is_busy(error) else errors.internal(str(error))
        translated: Exception = refusal.client_error(operation.name)
        return translated

    def _announce(self, touched: frozenset[str], gathered: dict[str, Any]) -> None:
        if touched:
            for listener in self._listeners:
                listener(touched)
        if gathered and self._db.guest is not None:
            self._db.guest.announce(gathered)


class _Batch:
    """The context of a batch; there is one for all, since every group of requests enters it."""

    def __init__(self, enter: Callable[[], None], leave: Callable[..., None]) -> None:
        self._enter = enter
        self._leave = leave

    def __enter__(self) -> None:
        self._enter()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._leave(failed=kind is not None)


def _raise(error: BaseException) -> NoReturn:
    raise error
