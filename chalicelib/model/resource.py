"""What queues, topics and subscriptions have beyond what the XML API can name: type, tags and policies.

The control-plane API of 2022-01-19 sets them. Whatever is off by default is kept only where it is on.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import Enum
from typing import TypeAlias, TypeVar

from chalicelib.model import errors, limits
from chalicelib.model.frozen import frozen

T = TypeVar("T")

SSE_TYPES = ("SMQ", "KMS")  # who holds the key: the service, or the account in its key service
SSE_ALGORITHMS = ("AES-256-GCM",)
_KEY_ID = re.compile(r"[A-Za-z0-9:/_-]*")
_RESERVED_TAGS = ("aliyun", "acs:")
_URLS = ("http://", "https://")


class Type(Enum):
    """Whether order within a message group is kept, as on the wire; fixed at creation."""

    NORMAL = "normal"
    FIFO = "fifo"


@frozen
class DeadLetter:
    """Where a queue's messages go that are received too often; raises errors.InvalidArgument for what cannot be."""

    enabled: bool = False
    target: str = ""  # the name of a queue of the same account and region
    max_receive_count: int = limits.MAX_RECEIVE_COUNT.default  # a receive beyond it finds the message moved

    def __post_init__(self) -> None:
        limits.MAX_RECEIVE_COUNT.check(self.max_receive_count)
        if self.enabled and not self.target:
            raise errors.InvalidArgument("The DlqPolicy is enabled, but names no DeadLetterTargetQueue.")


@frozen
class RateLimit:
    """How fast messages are handed out at most; raises errors.InvalidArgument for what cannot be."""

    enabled: bool = False
    max_receives_per_second: int = limits.MAX_RECEIVES_PER_SECOND.default

    def __post_init__(self) -> None:
        limits.MAX_RECEIVES_PER_SECOND.check(self.max_receives_per_second)


@frozen
class Encryption:
    """Whether and how bodies are encrypted at rest; raises errors.InvalidArgument for what cannot be."""

    enabled: bool = False
    sse_type: str = "SMQ"
    algorithm: str = "AES-256-GCM"
    key_id: str = ""  # of the account's key, with KMS; empty: the deployment's key

    def __post_init__(self) -> None:
        _one_of("SseType", self.sse_type, SSE_TYPES)
        _one_of("SseAlgorithm", self.algorithm, SSE_ALGORITHMS)
        if len(self.key_id) > limits.KMS_KEY_ID_LENGTH or not _KEY_ID.fullmatch(self.key_id):
            raise errors.InvalidArgument("The value of KmsKeyId is not the id of a key.")
        if self.key_id and self.sse_type != "KMS":
            raise errors.InvalidArgument("A KmsKeyId goes with the SseType KMS only.")


@frozen
class Tag:
    """A label of a resource; raises errors.InvalidArgument for what cannot be."""

    key: str
    value: str = ""

    def __post_init__(self) -> None:
        if not 1 <= len(self.key) <= limits.RESOURCE_TAG_KEY_LENGTH:
            raise errors.InvalidArgument(
                f"The length of Tag.Key should between 1 and {limits.RESOURCE_TAG_KEY_LENGTH}."
            )
        if len(self.value) > limits.RESOURCE_TAG_VALUE_LENGTH:
            raise errors.InvalidArgument(
                f"The length of Tag.Value should between 0 and {limits.RESOURCE_TAG_VALUE_LENGTH}."
            )
        if self.key.lower().startswith(_RESERVED_TAGS):
            raise errors.InvalidArgument('The value of Tag.Key should not begin with "aliyun" or "acs:".')
        if any(url in text.lower() for url in _URLS for text in (self.key, self.value)):
            raise errors.InvalidArgument('A Tag should not hold "http://" or "https://".')


def check_tags(tags: Sequence[Tag]) -> tuple[Tag, ...]:
    """These tags ordered by key; raises errors.InvalidArgument if a resource cannot have them all."""
    if len(tags) > limits.RESOURCE_TAGS:
        raise errors.InvalidArgument(f"There are {len(tags)} tags, but {limits.RESOURCE_TAGS} is most.")
    if len({tag.key for tag in tags}) < len(tags):
        raise errors.InvalidArgument("A Tag.Key should be named once only.")
    return tuple(sorted(tags, key=lambda tag: tag.key))


@frozen
class Filter:
    """Which resources are wanted."""

    name: str = ""  # a part of their names
    type: Type | None = None  # None: any
    tags: Mapping[str, str | None] = field(default_factory=dict)  # keys they all have; None: with any value

    def takes(self, name: str, of: Type = Type.NORMAL, tags: Sequence[Tag] = ()) -> bool:
        """Whether one of that name, type and tags is wanted."""
        labels = {tag.key: tag.value for tag in tags}
        return (
            self.name in name
            and self.type in (None, of)
            and all(key in labels and value in (None, labels[key]) for key, value in self.tags.items())
        )


@frozen
class Window:
    """A page of a list, by its number."""

    number: int  # from 1
    size: int

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """Those of the items that are on the page."""
        return items[(self.number - 1) * self.size : self.number * self.size]

    def pages(self, total: int) -> int:
        """How many pages that many items have."""
        return -(-total // self.size)


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise errors.InvalidArgument(f"The value of {name} should be one of {', '.join(known)}.")


NO_DEAD_LETTER = DeadLetter()
NO_RATE_LIMIT = RateLimit()
NO_ENCRYPTION = Encryption()
Policy: TypeAlias = DeadLetter | RateLimit | Encryption
