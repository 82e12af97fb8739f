"""The tables as data: keys, indexes, time to live and streams. Whoever makes tables, anywhere, makes them from here.

Every table has the key attributes `pk` and, where one partition holds several items, `sk`; both are strings.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LocalIndex:
    """A keys-only local secondary index: read consistently, and sparse, since an item without `key` is not in it."""

    name: str
    key: str


@dataclass(frozen=True, kw_only=True)
class GlobalIndex:
    """A keys-only global secondary index: read eventually consistently, and sparse as well."""

    name: str
    partition: str
    key: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table; its full name has the deployment's prefix before `name`."""

    name: str
    sorted: bool  # whether it has a sort key
    indexes: tuple[LocalIndex, ...] = ()
    global_indexes: tuple[GlobalIndex, ...] = ()
    ttl: str | None = None  # the attribute that says, in seconds, when an item may be swept
    stream: bool = False  # whether changes are streamed, with both images

    def create_arguments(self, prefix: str) -> dict[str, Any]:
        """The arguments of CreateTable."""
        keys = ["pk", "sk"] if self.sorted else ["pk"]
        key_schema = [
            {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
        ]
        arguments: dict[str, Any] = {
            "TableName": prefix + self.name,
            "BillingMode": "PAY_PER_REQUEST",
            "KeySchema": key_schema,
            "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"} for key in self._keys(keys)],
        }
        if self.indexes:
            arguments["LocalSecondaryIndexes"] = [
                {
                    "IndexName": index.name,
                    "KeySchema": [key_schema[0], {"AttributeName": index.key, "KeyType": "RANGE"}],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
                for index in self.indexes
            ]
        if self.global_indexes:
            arguments["GlobalSecondaryIndexes"] = [
                {
                    "IndexName": index.name,
                    "KeySchema": [
                        {"AttributeName": index.partition, "KeyType": "HASH"},
                        {"AttributeName": index.key, "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
                for index in self.global_indexes
            ]
        if self.stream:
            arguments["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
        return arguments

    def _keys(self, own: list[str]) -> list[str]:
        """Every attribute that is part of a key of the table or of an index."""
        local = [index.key for index in self.indexes]
        return [*own, *local, *(key for index in self.global_indexes for key in (index.partition, index.key))]


READY = LocalIndex(name="ready", key="ready_key")  # Active messages, best first
TIMER = LocalIndex(name="timer", key="timer_key")  # waiting messages, earliest first
DUE = GlobalIndex(name="due", partition="due_shard", key="due_key")  # pending deliveries, earliest first

RESOURCES = Table(name="resources", sorted=True, stream=True)
MESSAGES = Table(name="messages", sorted=True, indexes=(READY, TIMER), ttl="ttl", stream=True)
BODIES = Table(name="bodies", sorted=False, ttl="ttl")
PUBLICATIONS = Table(name="publications", sorted=True, ttl="ttl", stream=True)
DELIVERIES = Table(name="deliveries", sorted=True, global_indexes=(DUE,), ttl="ttl", stream=True)
IDENTITIES = Table(name="identities", sorted=False, ttl="ttl")
DIRECTORY = Table(name="directory", sorted=True)
TALLIES = Table(name="tallies", sorted=False, ttl="ttl")

TABLES = (RESOURCES, MESSAGES, BODIES, PUBLICATIONS, DELIVERIES, IDENTITIES, DIRECTORY, TALLIES)
