"""Throttling: an engine behind DynamoDB's limits of one partition.

A partition takes so many write and read units a second, however much the table as a whole may take. Every partition key
is a partition of its own here, which is the best that DynamoDB does, and what it comes to for a hot queue: the items of
one key with local indexes are never split. The indexes' units count with the table's, for they lie in the same
partition.

A bucket of units fills by the clock that is handed in, to a second's worth at most. As long as there is anything in it
a call is let in, and takes what it costs, into debt if need be. DynamoDB's burst capacity (up to 300 s of unused units,
as long as the machine has them to spare) is left out on purpose: nobody can count on it. Global indexes are other
partitions, and not limited.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from infra.embedded import capacity, errors, sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from chalicelib.storage import client

WRITE_UNITS = 1_000.0  # a second, of one partition
READ_UNITS = 3_000.0
_PARTITION = re.compile(r"^\s*(#?\w+)\s*=\s*(:\w+)")
_TRANSACTED = 2.0  # times as much as a write by itself
_REFUSED_ACTION = {
    "Code": "ProvisionedThroughputExceeded",
    "Message": "The provisioned throughput for one or more partitions of the table was exceeded.",
}
_CONDITION_FAILED = "ConditionalCheckFailedException"

Place = tuple[str, str]  # table and partition key


@dataclass
class _Bucket:
    """Units that are left, and when that was so (ms)."""

    units: float
    moment: float


class _Side:
    """The buckets of all partitions for reads, or for writes."""

    def __init__(self, per_second: float, now: Callable[[], float]) -> None:
        self._per_second = per_second
        self._now = now
        self._buckets: dict[Place, _Bucket] = {}

    def lets_in(self, place: Place) -> bool:
        return self._bucket(place).units > 0

    def charge(self, place: Place, units: float) -> None:
        self._bucket(place).units -= units

    def _bucket(self, place: Place) -> _Bucket:
        now = self._now()
        found = self._buckets.setdefault(place, _Bucket(self._per_second, now))
        filled = found.units + (now - found.moment) / 1000 * self._per_second
        found.units, found.moment = min(self._per_second, filled), now
        return found


class ThrottledEngine:
    """An engine that refuses what its partitions cannot take, as DynamoDB does.

    Args:
        engine: what does the work; it has to report consumed capacity.
        now: tells the time in milliseconds.
        write_units: of one partition, a second.
        read_units: of one partition, a second.
    """

    def __init__(
        self,
        engine: client.Client,
        *,
        now: Callable[[], float],
        write_units: float = WRITE_UNITS,
        read_units: float = READ_UNITS,
    ) -> None:
        self._engine = engine
        self._writes = _Side(write_units, now)
        self._reads = _Side(read_units, now)
        self.written, self.read = 0.0, 0.0  # units that were charged
        self.throttled = 0  # calls that were refused, and items of batches that were left undone

    def put_item(self, **arguments: Any) -> dict[str, Any]:
        """PutItem."""
        return self._write("PutItem", self._engine.put_item, arguments, arguments["Item"])

    def update_item(self, **arguments: Any) -> dict[str, Any]:
        """UpdateItem."""
        return self._write("UpdateItem", self._engine.update_item, arguments, arguments["Key"])

    def delete_item(self, **arguments: Any) -> dict[str, Any]:
        """DeleteItem."""
        return self._write("DeleteItem", self._engine.delete_item, arguments, arguments["Key"])

    def get_item(self, **arguments: Any) -> dict[str, Any]:
        """GetItem."""
        return self._read("GetItem", self._engine.get_item, arguments, _place(arguments["TableName"], arguments["Key"]))

    def query(self, **arguments: Any) -> dict[str, Any]:
        """Query."""
        return self._read("Query", self._engine.query, arguments, _queried(arguments))

    def batch_get_item(self, **arguments: Any) -> dict[str, Any]:
        """BatchGetItem; keys of partitions that take no more come back as unprocessed."""
        answer: dict[str, Any] = {"Responses": {}, "UnprocessedKeys": {}, "ConsumedCapacity": []}
        for table, request in arguments["RequestItems"].items():
            options = {name: value for name, value in request.items() if name != "Keys"}
            found = answer["Responses"].setdefault(table, [])
            for key in request["Keys"]:
                if not self._reads.lets_in(_place(table, key)):
                    answer["UnprocessedKeys"].setdefault(table, {**options, "Keys": []})["Keys"].append(key)
                    continue
                part = self._engine.batch_get_item(
                    RequestItems={table: {**options, "Keys": [key]}}, ReturnConsumedCapacity="TOTAL"
                )
                found += part["Responses"].get(table, [])
                self._charge_read(_place(table, key), _own_units(part["ConsumedCapacity"][0]))
                answer["ConsumedCapacity"] += part["ConsumedCapacity"]
        undone = sum(len(request["Keys"]) for request in answer["UnprocessedKeys"].values())
        return self._batch("BatchGetItem", arguments, answer, undone)

    def batch_write_item(self, **arguments: Any) -> dict[str, Any]:
        """BatchWriteItem; requests to partitions that take no more come back as unprocessed."""
        answer: dict[str, Any] = {"UnprocessedItems": {}, "ConsumedCapacity": []}
        for table, requests in arguments["RequestItems"].items():
            for request in requests:
                [(kind, content)] = request.items()
                place = _place(table, content["Item" if kind == "PutRequest" else "Key"])
                if not self._writes.lets_in(place):
                    answer["UnprocessedItems"].setdefault(table, []).append(request)
                    continue
                part = self._engine.batch_write_item(RequestItems={table: [request]}, ReturnConsumedCapacity="INDEXES")
                self._charge_write(place, _own_units(part["ConsumedCapacity"][0]))
                answer["ConsumedCapacity"] += part["ConsumedCapacity"]
        undone = sum(len(requests) for requests in answer["UnprocessedItems"].values())
        return self._batch("BatchWriteItem", arguments, answer, undone)

    def transact_write_items(self, **arguments: Any) -> dict[str, Any]:
        """TransactWriteItems; one partition that takes no more cancels it. What it costs is charged in equal parts."""
        places = [_acted_on(action) for action in arguments["TransactItems"]]
        refused = [not self._writes.lets_in(place) for place in places]
        if any(refused):
            self.throttled += 1
            reasons = [_REFUSED_ACTION if is_refused else {"Code": "None"} for is_refused in refused]
            raise errors.transaction_cancelled(reasons).client_error("TransactWriteItems")
        try:
            answer = self._engine.transact_write_items(**arguments | {"ReturnConsumedCapacity": "INDEXES"})
        except ClientError:  # a condition that fails is paid for as the writes would have been
            for place in places:
                self._charge_write(place, _TRANSACTED)
            raise
        units = sum(_own_units(entry) for entry in answer["ConsumedCapacity"])
        for place in places:
            self._charge_write(place, units / len(places))
        return _reported(arguments, answer)

    def _write(
        self, name: str, method: Callable[..., dict[str, Any]], arguments: dict[str, Any], keyed: dict[str, Any]
    ) -> dict[str, Any]:
        place = _place(arguments["TableName"], keyed)
        self._admit(name, self._writes, place)
        try:
            answer = method(**arguments | {"ReturnConsumedCapacity": "INDEXES"})
        except ClientError as error:
            if error.response["Error"]["Code"] == _CONDITION_FAILED:  # it has cost a write of the item all the same
                self._charge_write(place, _failed_units(error))
            raise
        self._charge_write(place, _own_units(answer["ConsumedCapacity"]))
        return _reported(arguments, answer)

    def _read(
        self, name: str, method: Callable[..., dict[str, Any]], arguments: dict[str, Any], place: Place
    ) -> dict[str, Any]:
        self._admit(name, self._reads, place)
        answer = method(**arguments | {"ReturnConsumedCapacity": "TOTAL"})
        self._charge_read(place, answer["ConsumedCapacity"]["CapacityUnits"])
        return _reported(arguments, answer)

    def _admit(self, name: str, side: _Side, place: Place) -> None:
        if not side.lets_in(place):
            self.throttled += 1
            raise _exceeded().client_error(name)

    def _charge_write(self, place: Place, units: float) -> None:
        self._writes.charge(place, units)
        self.written += units

    def _charge_read(self, place: Place, units: float) -> None:
        self._reads.charge(place, units)
        self.read += units

    def _batch(self, name: str, arguments: dict[str, Any], answer: dict[str, Any], undone: int) -> dict[str, Any]:
        self.throttled += undone
        if undone and not answer["ConsumedCapacity"]:  # DynamoDB refuses a batch of which nothing can be done
            raise _exceeded().client_error(name)
        answer["ConsumedCapacity"] = _by_table(answer["ConsumedCapacity"])
        return _reported(arguments, answer)


def _exceeded() -> errors.Refusal:
    return errors.Refusal(
        "ProvisionedThroughputExceededException",
        "The level of configured provisioned throughput for one or more partitions of the table was exceeded.",
    )


def _place(table: str, keyed: dict[str, Any]) -> Place:
    """The partition of an item or key; the tables of this project all call the partition key `pk`."""
    return table, keyed["pk"]["S"]


def _acted_on(action: dict[str, Any]) -> Place:
    """The partition that an action of a transaction writes to, or checks."""
    [content] = action.values()
    return _place(content["TableName"], content.get("Item") or content["Key"])


def _queried(arguments: dict[str, Any]) -> Place:
    """The partition that a query reads; of a global index, one of the index's."""
    found = _PARTITION.match(arguments["KeyConditionExpression"])
    if found is None:
        raise errors.validation("A query begins with its partition key here: pk = :value").client_error("Query")
    name, value = found.groups()
    table = arguments["TableName"]
    text = arguments["ExpressionAttributeValues"][value]["S"]
    return (table if name == "pk" else f"{table}/{arguments['IndexName']}"), text


def _own_units(consumed: dict[str, Any]) -> float:
    """The units of the table and its local indexes."""
    apart: float = sum(share["CapacityUnits"] for share in consumed.get("GlobalSecondaryIndexes", {}).values())
    return float(consumed["CapacityUnits"]) - apart


def _failed_units(error: ClientError) -> float:
    """What a write whose condition failed has cost: a write of the item as it is, as far as the answer tells."""
    item: Any = error.response.get("Item")
    return float(capacity.write_units(sizes.item(item))) if item else 1.0


def _by_table(consumed: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    units: dict[str, float] = {}
    for entry in consumed:
        units[entry["TableName"]] = units.get(entry["TableName"], 0.0) + entry["CapacityUnits"]
    return [{"TableName": table, "CapacityUnits": total} for table, total in units.items()]


def _reported(arguments: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer as it was asked for."""
    if arguments.get("ReturnConsumedCapacity", "NONE") == "NONE":
        answer.pop("ConsumedCapacity", None)
    return answer
