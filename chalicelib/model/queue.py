"""Queues: their names, attributes and counts."""

import dataclasses
import functools
import re
from collections.abc import Sequence

from chalicelib.model import errors, limits, resource
from chalicelib.model.frozen import frozen

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


def is_name(name: str) -> bool:
    """Whether a queue may be called so."""
    return len(name) <= limits.QUEUE_NAME_LENGTH and _NAME.fullmatch(name) is not None


def check_name(name: str) -> str:
    """Return `name`; raise QueueNameLengthError or InvalidQueueName if no queue may be called so (D CreateQueue)."""
    if not 1 <= len(name) <= limits.QUEUE_NAME_LENGTH:
        raise errors.QueueNameLengthError(
            f"The length of the queue name should between 1 and {limits.QUEUE_NAME_LENGTH}, but it is {len(name)}."
        )
    if not _NAME.fullmatch(name):
        raise errors.InvalidQueueName
    return name


@frozen
class QueueChange:
    """The attributes that a request names; None: not named."""

    delay_seconds: int | None = None
    maximum_message_size: int | None = None
    message_retention_period: int | None = None
    visibility_timeout: int | None = None
    polling_wait_seconds: int | None = None
    logging_enabled: bool | None = None
    dead_letter: resource.DeadLetter | None = None
    rate_limit: resource.RateLimit | None = None
    encryption: resource.Encryption | None = None

    def named(self) -> dict[str, object]:
        """The attributes named, by field."""
        return {name: value for name, value in vars(self).items() if value is not None}


@frozen
class QueueAttributes:
    """The writable attributes of a queue; raises InvalidArgument outside the ranges of `limits`."""

    delay_seconds: int = limits.DELAY_SECONDS.default  # default delay of new messages, seconds
    maximum_message_size: int = limits.MAXIMUM_MESSAGE_SIZE.default  # bytes
    message_retention_period: int = limits.MESSAGE_RETENTION_PERIOD.default  # seconds from enqueue, whatever the state
    visibility_timeout: int = limits.VISIBILITY_TIMEOUT.default  # seconds a received message stays Inactive
    polling_wait_seconds: int = limits.POLLING_WAIT_SECONDS.default  # default wait of a receive, seconds
    logging_enabled: bool = False  # whether operations are logged to the account's log destination
    dead_letter: resource.DeadLetter = resource.NO_DEAD_LETTER
    rate_limit: resource.RateLimit = resource.NO_RATE_LIMIT
    encryption: resource.Encryption = resource.NO_ENCRYPTION  # of messages sent from now on

    def __post_init__(self) -> None:
        limits.DELAY_SECONDS.check(self.delay_seconds)
        limits.MAXIMUM_MESSAGE_SIZE.check(self.maximum_message_size)
        limits.MESSAGE_RETENTION_PERIOD.check(self.message_retention_period)
        limits.VISIBILITY_TIMEOUT.check(self.visibility_timeout)
        limits.POLLING_WAIT_SECONDS.check(self.polling_wait_seconds)
        if self.dead_letter.target and not is_name(self.dead_letter.target):
            raise errors.InvalidArgument("The value of DeadLetterTargetQueue is not the name of a queue.")

    def evolve(self, change: QueueChange) -> "QueueAttributes":
        """These attributes with those that `change` names."""
        return dataclasses.replace(self, **change.named())  # type: ignore[arg-type]  # the fields have the same types

    def answers(self, asked: QueueChange) -> bool:
        """Whether a creation that names `asked` is content with these.

        What it does not name should have the default, but for what the XML API cannot name: that may be anything.
        """
        beyond = QueueAttributes(dead_letter=self.dead_letter, rate_limit=self.rate_limit, encryption=self.encryption)
        return self == beyond.evolve(asked)


@frozen
class Queue:
    """A queue as stored. Its id is made at creation: a namesake made later never sees this one's messages."""

    name: str
    queue_id: str
    shards: int  # partitions its messages are spread over; 1 keeps order exact
    attributes: QueueAttributes
    created_at: int  # ms
    modified_at: int  # ms, of the attributes
    type: resource.Type = resource.Type.NORMAL
    tags: tuple[resource.Tag, ...] = ()  # ascending by key

    def evolve(self, **changes: object) -> "Queue":
        """This queue with some fields replaced."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # named by field

    @functools.cached_property
    def partitions(self) -> tuple[str, ...]:
        """The partition of each shard."""
        return tuple(partition(self.queue_id, shard) for shard in range(self.shards))

    @functools.cached_property
    def is_fifo(self) -> bool:
        """Whether order within a message group is kept."""
        return self.type is resource.Type.FIFO

    @functools.cached_property
    def homes(self) -> int:
        """How many shards may take one and the same message: those of a group stay together."""
        return 1 if self.is_fifo else self.shards


def partition(queue_id: str, shard: int) -> str:
    """The name of the partition that holds one shard of a queue's messages."""
    return f"{queue_id}#{shard}"


@frozen
class Counts:
    """How many messages a queue holds, by state."""

    active: int = 0
    inactive: int = 0
    delayed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            active=self.active + other.active,
            inactive=self.inactive + other.inactive,
            delayed=self.delayed + other.delayed,
        )

    def __sub__(self, other: "Counts") -> "Counts":
        return Counts(
            active=self.active - other.active,
            inactive=self.inactive - other.inactive,
            delayed=self.delayed - other.delayed,
        )


def total(counts: Sequence[Counts]) -> Counts:
    """The sum of many, made at once."""
    return Counts(
        active=sum([count.active for count in counts]),
        inactive=sum([count.inactive for count in counts]),
        delayed=sum([count.delayed for count in counts]),
    )


@frozen
class Page:
    """One page of a list of queues, ascending by name."""

    queues: tuple[Queue, ...]
    marker: str | None  # the last name of this page when more follow
