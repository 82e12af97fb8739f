"""Topics: their names and attributes."""

import dataclasses
import re

from chalicelib.model import errors, limits, resource
from chalicelib.model.frozen import frozen

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def is_name(name: str) -> bool:
    """Whether a topic may be called so."""
    return len(name) <= limits.TOPIC_NAME_LENGTH and _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return `name`; raise TopicNameLengthError or TopicNameInvalid if no topic may be called so (D CreateTopic)."""
    if not 1 <= len(name) <= limits.TOPIC_NAME_LENGTH:
        raise errors.TopicNameLengthError(
            f"The length of the topic name should between 1 and {limits.TOPIC_NAME_LENGTH}, but it is {len(name)}."
        )
    if not _NAME.fullmatch(name):
        raise errors.TopicNameInvalid
    return name


@frozen
class TopicChange:
    """The attributes that a request names; None: not named."""

    maximum_message_size: int | None = None
    logging_enabled: bool | None = None
    encryption: resource.Encryption | None = None

    def named(self) -> dict[str, object]:
        """The attributes named, by field."""
        return {name: value for name, value in vars(self).items() if value is not None}


@frozen
class TopicAttributes:
    """The writable attributes of a topic; raises InvalidArgument outside the ranges of `limits`."""

    maximum_message_size: int = limits.MAXIMUM_MESSAGE_SIZE.default  # bytes
    logging_enabled: bool = False  # whether operations are logged to the account's log destination
    encryption: resource.Encryption = resource.NO_ENCRYPTION  # of messages published from now on

    def __post_init__(self) -> None:
        limits.MAXIMUM_MESSAGE_SIZE.check(self.maximum_message_size)

    def evolve(self, change: TopicChange) -> "TopicAttributes":
        """These attributes with those that `change` names."""
        return dataclasses.replace(self, **change.named())  # type: ignore[arg-type]  # the fields have the same types

    def answers(self, asked: TopicChange) -> bool:
        """Whether a creation that names `asked` is content with these; see `queue.QueueAttributes.answers`."""
        return self == TopicAttributes(encryption=self.encryption).evolve(asked)


@frozen
class Topic:
    """A topic as stored. Its id is made at creation: a namesake made later has none of its subscriptions."""

    name: str
    topic_id: str
    shards: int  # partitions its publications are spread over; 1 keeps them in order
    attributes: TopicAttributes
    created_at: int  # ms
    modified_at: int  # ms, of the attributes
    type: resource.Type = resource.Type.NORMAL
    tags: tuple[resource.Tag, ...] = ()  # ascending by key

    def evolve(self, **changes: object) -> "Topic":
        """This topic with some fields replaced."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # named by field

    @property
    def is_fifo(self) -> bool:
        """Whether order within a message group is kept."""
        return self.type is resource.Type.FIFO

    @property
    def homes(self) -> int:
        """How many shards may take one and the same message: those of a group stay together."""
        return 1 if self.is_fifo else self.shards

    @property
    def partitions(self) -> tuple[str, ...]:
        """The partition of each shard."""
        return tuple(partition(self.topic_id, shard) for shard in range(self.shards))


def partition(topic_id: str, shard: int) -> str:
    """The name of the partition that holds one shard of a topic's publications."""
    return f"{topic_id}#{shard}"


@frozen
class Page:
    """One page of a list of topics, ascending by name."""

    topics: tuple[Topic, ...]
    marker: str | None  # the last name of this page when more follow
