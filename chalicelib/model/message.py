"""Messages: what a producer hands in (`Draft`), what the queue keeps (`Message`), and the rules between the two.

The life of a message: sent, it is Delayed or Active; a receive makes it Inactive until its next visible time, when it
is Active again; it is gone when deleted or when its retention, counted from the send, is over.
"""

import base64
import binascii
import dataclasses
import hashlib
import re
from collections.abc import Iterable, Sequence
from enum import Enum

from chalicelib.model import errors, group, limits, queue, receipt
from chalicelib.model.frozen import frozen

_PROPERTY_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")


class State(Enum):
    """What a receive would make of the message now."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    DELAYED = "delayed"


class PropertyType(Enum):
    """The types of a property, as on the wire."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    BINARY = "BINARY"


@frozen
class Property:
    """A named value that travels with a message (D "Message properties")."""

    name: str
    value: str  # BINARY: base64 text; BOOLEAN: true or false; NUMBER: as the client wrote it, unchecked
    type: PropertyType

    @property
    def size(self) -> int:
        """Bytes that count towards the message's size."""
        return len(self.name.encode()) + len(self.value.encode()) + len(self.type.value)


@frozen
class Draft:
    """A message as the producer wrote it; raises InvalidArgument for what no queue would take."""

    body: str
    delay_seconds: int | None = None  # None: the queue's
    priority: int = limits.PRIORITY.default
    group_id: str | None = None
    user_properties: tuple[Property, ...] = ()
    system_properties: tuple[Property, ...] = ()

    def __post_init__(self) -> None:
        if not self.body:
            raise errors.InvalidArgument("The value of MessageBody should not be empty.")
        if self.delay_seconds is not None:
            limits.DELAY_SECONDS.check(self.delay_seconds)
        limits.PRIORITY.check(self.priority)
        if self.group_id is not None and not 1 <= len(self.group_id) <= limits.MESSAGE_GROUP_ID_LENGTH:
            raise errors.InvalidArgument(
                f"The length of MessageGroupId should between 1 and {limits.MESSAGE_GROUP_ID_LENGTH}."
            )
        if self.user_properties:
            _check_user_properties(self.user_properties)
        if self.system_properties:
            _check_system_properties(self.system_properties)

    @property
    def size(self) -> int:
        """Bytes of the body as sent (base64 text counts as text) and of all properties."""
        own = len(self.body) if self.body.isascii() else len(self.body.encode())
        properties = self.user_properties + self.system_properties
        return own + sum([item.size for item in properties]) if properties else own


@frozen
class Message:
    """A message in a queue."""

    message_id: str  # 32 upper-case hex digits, rising with time
    shard: int  # of its queue
    body: str
    priority: int  # 1, received first, to 16
    enqueued_at: int  # ms
    expires_at: int  # ms, when its retention is over
    visible_at: int  # ms, from when on it may be received
    stamp: str  # of the newest claim, see `receipt`
    first_dequeued_at: int | None = None  # ms
    dequeue_count: int = 0
    group_id: str | None = None
    user_properties: tuple[Property, ...] = ()
    system_properties: tuple[Property, ...] = ()

    @property
    def body_md5(self) -> str:
        """Upper-case hex MD5 of the body's UTF-8 text."""
        return body_md5(self.body)

    def receipt(self, of: queue.Queue) -> receipt.Receipt:
        """The receipt of its newest claim."""
        return receipt.Receipt(
            queue_id=of.queue_id,
            shard=self.shard,
            priority=self.priority,
            message_id=self.message_id,
            stamp=self.stamp,
            group=group.key(self.group_id) if of.is_fifo and self.group_id is not None else None,
        )

    def state(self, now: int) -> State:
        """Its state at `now` (ms), its retention not being over."""
        if self.visible_at <= now:
            return State.ACTIVE
        return State.INACTIVE if self.dequeue_count else State.DELAYED

    def evolve(self, **changes: object) -> "Message":
        """This message with some fields replaced."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # named by field


@frozen
class Sent:
    """A message that is stored."""

    message: Message
    receipt_handle: str | None  # only for a delayed message: its sender may still delete or postpone it
    logged: bool = False  # whether the queue has its operations logged


@frozen
class Received:
    """A message that was received, and the handle to it."""

    message: Message
    receipt_handle: str


@frozen
class Postponed:
    """What a change of visibility answers."""

    receipt_handle: str
    next_visible_at: int  # ms


def body_md5(body: str) -> str:
    """Upper-case hex MD5 of the text that the client supplied, after XML unescaping (D SendMessage)."""
    return hashlib.md5(body.encode(), usedforsecurity=False).hexdigest().upper()


def check_size(draft: Draft, maximum: int) -> None:
    """Raise InvalidArgument if `draft` has more bytes than the queue's MaximumMessageSize."""
    size = draft.size
    if size > maximum:
        raise errors.InvalidArgument(f"The message has {size} bytes, but the queue takes {maximum} at most.")


def check_order(draft: Draft, to: queue.Queue) -> None:
    """Raise InvalidArgument if `to` is a FIFO queue that cannot keep `draft` in its order (R, docs/adr/0018)."""
    if not to.is_fifo:
        return
    if draft.group_id is None:
        raise errors.InvalidArgument(f"The queue {to.name} is a FIFO queue: a message should have a MessageGroupId.")
    if draft.delay_seconds:
        raise errors.InvalidArgument(f"The queue {to.name} is a FIFO queue: the value of DelaySeconds should be 0.")


def check_batch(sizes: Sequence[int]) -> None:
    """Raise InvalidArgument unless a batch of messages of these sizes (bytes) may be sent together."""
    check_batch_count(len(sizes), "Message")
    if sum(sizes) > limits.BATCH_BYTES:
        raise errors.InvalidArgument(
            f"The messages of the batch have {sum(sizes)} bytes together, but {limits.BATCH_BYTES} is the most."
        )


def check_batch_count(count: int, element: str) -> None:
    """Raise InvalidArgument unless a batch may have `count` entries called `element`."""
    if not limits.BATCH_SIZE.low <= count <= limits.BATCH_SIZE.high:
        raise errors.InvalidArgument(
            f"The number of {element} should between {limits.BATCH_SIZE.low} and {limits.BATCH_SIZE.high}."
        )


def accept(draft: Draft, to: queue.Queue, *, message_id: str, shard: int, stamp: str, now: int) -> Message:
    """The message that `draft` becomes in a queue at `now` (ms), see `place`.

    Raises:
        errors.InvalidArgument: the message is larger than the queue takes, or of the wrong kind for a FIFO queue.
    """
    check_size(draft, to.attributes.maximum_message_size)
    check_order(draft, to)
    return place(draft, to, message_id=message_id, shard=shard, stamp=stamp, now=now)


def place(draft: Draft, to: queue.Queue, *, message_id: str, shard: int, stamp: str, now: int) -> Message:
    """The message that `draft` becomes in a queue at `now` (ms), whatever its size.

    Delay and retention are fixed here: a later change of the queue's attributes does not touch the message. In a FIFO
    queue `shard` is that of the message's group.
    """
    if to.is_fifo and draft.group_id is not None:
        shard = group.home(draft.group_id, to.shards)
    delay = to.attributes.delay_seconds if draft.delay_seconds is None else draft.delay_seconds
    return Message(
        message_id=message_id,
        shard=shard,
        body=draft.body,
        priority=draft.priority,
        enqueued_at=now,
        expires_at=now + to.attributes.message_retention_period * 1000,
        visible_at=now + delay * 1000,
        stamp=stamp,
        group_id=draft.group_id,
        user_properties=draft.user_properties,
        system_properties=draft.system_properties,
    )


def _check_user_properties(properties: Sequence[Property]) -> None:
    if len(properties) > limits.USER_PROPERTIES:
        raise errors.InvalidArgument(
            f"The message has {len(properties)} user properties, but {limits.USER_PROPERTIES} is the most."
        )
    _check_unique(item.name for item in properties)
    for item in properties:
        if len(item.name) > limits.PROPERTY_NAME_LENGTH or not _PROPERTY_NAME.fullmatch(item.name):
            raise errors.InvalidArgument(
                f"The property name {item.name[: limits.PROPERTY_NAME_LENGTH]!r} should have 1 to"
                f" {limits.PROPERTY_NAME_LENGTH} letters, digits, '_', '-' and single inner dots."
            )
        _check_value(item)


def _check_system_properties(properties: Sequence[Property]) -> None:
    _check_unique(item.name for item in properties)
    for item in properties:
        if item.name not in limits.SYSTEM_PROPERTY_NAMES:
            known = ", ".join(sorted(limits.SYSTEM_PROPERTY_NAMES))
            raise errors.InvalidArgument(f"The system property {item.name!r} is not known; the names are: {known}.")
        if item.type is not PropertyType.STRING:
            raise errors.InvalidArgument(f"The type of the system property {item.name} should be STRING.")
        _check_value(item)


def _check_unique(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise errors.InvalidArgument(f"The property name {name!r} is given twice.")
        seen.add(name)


def _check_value(item: Property) -> None:
    if len(item.value) > limits.PROPERTY_VALUE_LENGTH:
        raise errors.InvalidArgument(
            f"The value of the property {item.name} has {len(item.value)} characters,"
            f" but {limits.PROPERTY_VALUE_LENGTH} is the most."
        )
    if item.type is PropertyType.BOOLEAN and item.value.lower() not in ("true", "false"):
        raise errors.InvalidArgument(f"The value of the BOOLEAN property {item.name} should be true or false.")
    if item.type is PropertyType.BINARY:
        try:
            base64.b64decode(item.value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise errors.InvalidArgument(f"The value of the BINARY property {item.name} is not base64.") from error
