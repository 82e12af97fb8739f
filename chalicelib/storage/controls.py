"""What queues, topics and subscriptions have beyond the XML API, in their items.

A policy is JSON text under its field's name. Each is there only where it is not the default: items that were stored
before there were any read as ever.
"""

import dataclasses
import enum
import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from chalicelib.model import resource, subscription
from chalicelib.storage import client, items

Policy: TypeAlias = resource.Policy | subscription.Mailing | subscription.Texting

_POLICIES: dict[str, tuple[type[Policy], Policy | None]] = {  # what each is, and what it is by default
    "dead_letter": (resource.DeadLetter, resource.NO_DEAD_LETTER),
    "rate_limit": (resource.RateLimit, resource.NO_RATE_LIMIT),
    "encryption": (resource.Encryption, resource.NO_ENCRYPTION),
    "mailing": (subscription.Mailing, None),
    "texting": (subscription.Texting, None),
}


def encode_policies(attributes: object) -> client.Item:
    """The policies among some attributes that are not as by default."""
    held = {name: getattr(attributes, name) for name in _POLICIES if hasattr(attributes, name)}
    return {name: encode(value) for name, value in held.items() if value != _POLICIES[name][1]}


def decode_policies(item: client.Item) -> dict[str, Any]:
    """The policies in an item, by field."""
    return {name: kind(**json.loads(item[name]["S"])) for name, (kind, _) in _POLICIES.items() if name in item}


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
        case enum.Enum():
            return items.text(value.value)
        case str():
            return items.text(value)
        case int():
            return items.scalar(value)
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return items.text(_json(dataclasses.asdict(value)))
    raise TypeError(type(value))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
