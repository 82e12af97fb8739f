"""What queues, topics and subscriptions have beyond the XML API, in their items.

A policy is JSON text under its field's name. Each is there only where it is not the default: items that were stored
before there were any read as ever.
"""

import dataclasses
import enum
import json
from collections.abc import Sequence
from typing import Any

from chalicelib.model import resource
from chalicelib.storage import client, items

_POLICIES: dict[str, type[resource.Policy]] = {
    "dead_letter": resource.DeadLetter,
    "rate_limit": resource.RateLimit,
    "encryption": resource.Encryption,
}


def encode_policies(attributes: object) -> client.Item:
    """The policies among some attributes that are not as by default."""
    held = {name: getattr(attributes, name) for name in _POLICIES if hasattr(attributes, name)}
    return {name: encode(value) for name, value in held.items() if value != _POLICIES[name]()}


def decode_policies(item: client.Item) -> dict[str, Any]:
    """The policies in an item, by field."""
    return {name: kind(**json.loads(item[name]["S"])) for name, kind in _POLICIES.items() if name in item}


def encode_labels(of: resource.Type, tags: Sequence[resource.Tag]) -> client.Item:
    """Type and tags, where there are any to speak of."""
    labels = {}
    if of is not resource.Type.NORMAL:
        labels["type"] = items.text(of.value)
    if tags:
        labels["tags"] = items.text(_json([[tag.key, tag.value] for tag in tags]))
    return labels


def decode_labels(item: client.Item) -> dict[str, Any]:
    """Type and tags in an item, by field."""
    labels: dict[str, Any] = {}
    if "type" in item:
        labels["type"] = resource.Type(item["type"]["S"])
    if "tags" in item:
        labels["tags"] = tuple(resource.Tag(key=key, value=value) for key, value in json.loads(item["tags"]["S"]))
    return labels


def encode(value: object) -> dict[str, Any]:
    """The value of any attribute that can be written."""
    match value:
        case resource.DeadLetter() | resource.RateLimit() | resource.Encryption():
            return items.text(_json(dataclasses.asdict(value)))
        case enum.Enum():
            return items.text(value.value)
        case str():
            return items.text(value)
        case int():
            return items.scalar(value)
    raise TypeError(type(value))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
