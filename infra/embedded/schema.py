"""What a table is: its keys, indexes and stream, read from a CreateTable request.

The request itself is what the catalog stores, so that reading a table back is parsing it again.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from infra.embedded import errors

Request: TypeAlias = Mapping[str, Any]

REGION = "us-east-1"
ACCOUNT = "000000000000"
MAX_LOCAL_INDEXES = 5
MAX_GLOBAL_INDEXES = 20
STREAM_VIEWS = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")
_PROJECTIONS = ("ALL", "KEYS_ONLY", "INCLUDE")
_KEY_TYPES = ("S", "N", "B")
_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")


@dataclasses.dataclass(frozen=True, slots=True)
class KeyAttribute:
    """An attribute that is part of a key, and its type: S, N or B."""

    name: str
    kind: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A secondary index.

    Attributes:
        name: unique within the table.
        is_local: whether it shares the table's partition key (LSI) or has its own (GSI).
        hash: its partition key.
        range: its sort key, if it has one.
        projection: ALL, KEYS_ONLY or INCLUDE.
        include: the further attributes of INCLUDE.
    """

    name: str
    is_local: bool
    hash: KeyAttribute
    range: KeyAttribute | None
    projection: str
    include: tuple[str, ...]

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """Its key attributes."""
        return (self.hash,) if self.range is None else (self.hash, self.range)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """A table as created, with what can be changed later.

    Attributes:
        request: the CreateTable request.
        created: when, in milliseconds.
        ttl: the name of the time-to-live attribute while that is enabled.
        label: the stream's label, None without a stream.
        name: the table's name.
        hash: its partition key.
        range: its sort key, if it has one.
        indexes: its secondary indexes, local ones first.
        stream_view: what a stream record shows, None without a stream.
    """

    request: Request
    created: int
    ttl: str | None
    label: str | None
    name: str
    hash: KeyAttribute
    range: KeyAttribute | None
    indexes: tuple[Index, ...]
    stream_view: str | None

    @property
    def keys(self) -> tuple[KeyAttribute, ...]:
        """Its key attributes."""
        return (self.hash,) if self.range is None else (self.hash, self.range)

    @property
    def arn(self) -> str:
        """The table's resource name."""
        return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.name}"

    @property
    def stream_arn(self) -> str:
        """The resource name of the table's stream."""
        return f"{self.arn}/stream/{self.label}"


def parse(request: Request, *, created: int, serial: int, ttl: str | None = None) -> Schema:
    """Read and check a CreateTable request.

    Args:
        request: the parameters.
        created: when, in milliseconds.
        serial: the table's number, which keeps the labels of streams apart.
        ttl: the name of the time-to-live attribute, if enabled.
    """
    _check_name(request["TableName"])
    kinds = _attribute_types(request["AttributeDefinitions"])
    hash_key, range_key = _key_schema(request["KeySchema"], kinds)
    indexes = _local_indexes(request, kinds, hash_key, range_key) + _global_indexes(request, kinds)
    _check_indexes(indexes)
    _check_definitions(kinds, hash_key, range_key, indexes)
    _check_billing(request)
    view = _stream_view(request.get("StreamSpecification") or {})
    return Schema(
        request=request,
        created=created,
        ttl=ttl,
        label=None if view is None else f"{_label_time(created)}.{serial % 1000:03d}",
        name=request["TableName"],
        hash=hash_key,
        range=range_key,
        indexes=indexes,
        stream_view=view,
    )


def describe(schema: Schema, status: str = "ACTIVE") -> dict[str, Any]:
    """The TableDescription of a table; item counts and sizes are not kept and always 0."""
    request = schema.request
    on_demand = request.get("BillingMode") == "PAY_PER_REQUEST"
    throughput = request.get("ProvisionedThroughput") or {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    description: dict[str, Any] = {
        "AttributeDefinitions": list(request["AttributeDefinitions"]),
        "TableName": schema.name,
        "KeySchema": list(request["KeySchema"]),
        "TableStatus": status,
        "CreationDateTime": moment(schema.created),
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, **throughput},
        "TableSizeBytes": 0,
        "ItemCount": 0,
        "TableArn": schema.arn,
        "DeletionProtectionEnabled": bool(request.get("DeletionProtectionEnabled")),
    }
    if on_demand:
        description["BillingModeSummary"] = {"BillingMode": "PAY_PER_REQUEST"}
    for member in ("LocalSecondaryIndexes", "GlobalSecondaryIndexes"):
        if request.get(member):
            description[member] = [_describe_index(schema, member, index, status) for index in request[member]]
    if schema.stream_view is not None:
        description |= {
            "StreamSpecification": {"StreamEnabled": True, "StreamViewType": schema.stream_view},
            "LatestStreamLabel": schema.label,
            "LatestStreamArn": schema.stream_arn,
        }
    return description


def moment(milliseconds: int) -> dt.datetime:
    """A time as boto3 returns it."""
    return dt.datetime.fromtimestamp(milliseconds / 1000, tz=dt.UTC)


def _describe_index(schema: Schema, member: str, index: Request, status: str) -> dict[str, Any]:
    description = {
        **index,
        "IndexSizeBytes": 0,
        "ItemCount": 0,
        "IndexArn": f"{schema.arn}/index/{index['IndexName']}",
    }
    if member == "GlobalSecondaryIndexes":
        throughput = index.get("ProvisionedThroughput") or {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
        description |= {"IndexStatus": status, "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, **throughput}}
    return description


def _label_time(created: int) -> str:
    return moment(created).strftime("%Y-%m-%dT%H:%M:%S")


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise errors.constraint(name, "tableName", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")


def _attribute_types(definitions: Iterable[Request]) -> dict[str, str]:
    kinds: dict[str, str] = {}
    for definition in definitions:
        name, kind = definition["AttributeName"], definition["AttributeType"]
        if kind not in _KEY_TYPES:
            raise errors.constraint(
                kind, "attributeDefinitions.1.member.attributeType", "Member must satisfy enum value set: [B, N, S]"
            )
        if name in kinds:
            raise errors.invalid(f"Duplicate AttributeName in AttributeDefinitions: {name}")
        kinds[name] = kind
    return kinds


def _key_schema(elements: list[Request], kinds: dict[str, str]) -> tuple[KeyAttribute, KeyAttribute | None]:
    names = [element["AttributeName"] for element in elements]
    types = [element["KeyType"] for element in elements]
    if types not in (["HASH"], ["HASH", "RANGE"]):
        if types[:1] != ["HASH"]:
            raise errors.validation("Invalid KeySchema: The first KeySchemaElement is not a HASH key type")
        raise errors.validation("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    if len(set(names)) != len(names):
        raise errors.validation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
    if not kinds.keys() >= set(names):
        raise errors.invalid(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(kinds)}]"
        )
    attributes = [KeyAttribute(name, kinds[name]) for name in names]
    return attributes[0], attributes[1] if len(attributes) > 1 else None


def _local_indexes(
    request: Request, kinds: dict[str, str], hash_key: KeyAttribute, range_key: KeyAttribute | None
) -> tuple[Index, ...]:
    members = request.get("LocalSecondaryIndexes")
    if members is None:
        return ()
    if not members:
        raise errors.invalid("List of LocalSecondaryIndexes is empty")
    if range_key is None:
        raise errors.invalid(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    indexes = tuple(_index(member, kinds, is_local=True) for member in members)
    for index in indexes:
        if index.range is None:
            raise errors.invalid(f"Index KeySchema does not have a range key for index: {index.name}")
        if index.hash != hash_key:
            raise errors.invalid(
                "Index KeySchema does not have the same leading hash key as table KeySchema for index: "
                f"{index.name}. index hash key: {index.hash.name}, table hash key: {hash_key.name}"
            )
    if len(indexes) > MAX_LOCAL_INDEXES:
        raise errors.invalid("Number of LocalSecondaryIndexes exceeds per-table limit of 5")
    return indexes


def _global_indexes(request: Request, kinds: dict[str, str]) -> tuple[Index, ...]:
    members = request.get("GlobalSecondaryIndexes")
    if members is None:
        return ()
    if not members:
        raise errors.invalid("List of GlobalSecondaryIndexes is empty")
    if len(members) > MAX_GLOBAL_INDEXES:
        raise errors.invalid("GlobalSecondaryIndex count exceeds the per-table limit of 20")
    return tuple(_index(member, kinds, is_local=False) for member in members)


def _index(member: Request, kinds: dict[str, str], *, is_local: bool) -> Index:
    hash_key, range_key = _key_schema(member["KeySchema"], kinds)
    projection = member["Projection"]
    kind = projection.get("ProjectionType")
    included = projection.get("NonKeyAttributes")
    if kind not in _PROJECTIONS:
        raise errors.invalid(f"Unknown ProjectionType: {kind}")
    if included is not None and kind != "INCLUDE":
        raise errors.invalid(f"ProjectionType is {kind}, but NonKeyAttributes is specified")
    return Index(
        name=member["IndexName"],
        is_local=is_local,
        hash=hash_key,
        range=range_key,
        projection=kind,
        include=tuple(included or ()),
    )


def _check_indexes(indexes: tuple[Index, ...]) -> None:
    names = set()
    for index in indexes:
        if index.name in names:
            raise errors.invalid(f"Duplicate index name: {index.name}")
        names.add(index.name)


def _check_definitions(
    kinds: dict[str, str], hash_key: KeyAttribute, range_key: KeyAttribute | None, indexes: tuple[Index, ...]
) -> None:
    used = {key.name for index in indexes for key in index.keys} | {hash_key.name}
    if range_key is not None:
        used.add(range_key.name)
    if kinds.keys() != used:
        raise errors.invalid(
            "Some AttributeDefinitions are not used. "
            f"AttributeDefinitions: [{', '.join(kinds)}], keys used: [{', '.join(sorted(used))}]"
        )


def _check_billing(request: Request) -> None:
    mode = request.get("BillingMode", "PROVISIONED")
    if mode not in ("PROVISIONED", "PAY_PER_REQUEST"):
        raise errors.constraint(
            mode, "billingMode", "Member must satisfy enum value set: [PROVISIONED, PAY_PER_REQUEST]"
        )
    provisioned = request.get("ProvisionedThroughput")
    if mode == "PAY_PER_REQUEST" and provisioned:
        raise errors.invalid(
            "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
        )
    if mode == "PROVISIONED" and not provisioned:
        raise errors.invalid(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )


def _stream_view(specification: Request) -> str | None:
    if not specification.get("StreamEnabled"):
        return None
    view: str | None = specification.get("StreamViewType")
    if view not in STREAM_VIEWS:
        raise errors.invalid("StreamViewType must be specified when StreamEnabled is true")
    return view
