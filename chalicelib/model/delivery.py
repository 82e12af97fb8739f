"""Deliveries: one publication on its way to one push endpoint, and the log of the attempts.

Made by the fan-out, a delivery is PENDING and due a little later, in case that nobody makes the first attempt at once.
An attempt that fails makes it due again by the subscription's strategy. It ends DELIVERED, or after the last attempt
DEAD (in the dead-letter queue) or FAILED, and is kept as the log for as long as the topic keeps messages.
"""

import dataclasses
from enum import Enum

from chalicelib.model import account, limits, publication
from chalicelib.model.frozen import frozen

_STATUS_OK = range(200, 300)


class Status:
    """What an attempt came to, beside HTTP statuses (D "Log fields", NotifyStatus)."""

    OK = "200"
    INVALID_HOST = "InvalidHost"  # the name does not resolve, or to addresses that pushes may not reach
    CONNECT_TIMEOUT = "ConnectTimeout"  # no answer in time
    CONNECT_FAILURE = "ConnectFailure"  # refused, reset, or the certificate is not trusted
    UNKNOWN_ERROR = "UnknownError"


@frozen
class Outcome:
    """What one attempt came to."""

    status: str  # an HTTP status in digits, or a word of `Status`
    detail: str = ""  # for whoever looks after the endpoint

    @property
    def is_success(self) -> bool:
        """Whether the endpoint has taken the message."""
        return self.status.isdecimal() and int(self.status) in _STATUS_OK


class State(Enum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    FAILED = "failed"


@frozen
class Attempt:
    """One push."""

    started_at: int  # ms
    status: str


@frozen
class Delivery:
    """A publication on its way to a push endpoint."""

    subscription_id: str
    subscription_name: str
    namespace: account.Namespace
    topic_id: str
    topic_name: str
    topic_shard: int  # where the publication is
    message_id: str  # of the publication
    published_at: int  # ms
    expires_at: int  # ms
    due_at: int | None  # ms, when to attempt it next; None: never again
    state: State = State.PENDING
    attempts: tuple[Attempt, ...] = ()
    detail: str = ""  # of the newest attempt that failed

    @property
    def shard(self) -> int:
        """Of its subscription."""
        return int(self.message_id[-4:], 16) % limits.DELIVERY_SHARDS

    def evolve(self, **changes: object) -> "Delivery":
        """This delivery with some fields replaced."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # named by field


def begin(notification: publication.Notification, due_at: int) -> Delivery:
    """The delivery of a notification, before its first attempt."""
    what, to = notification.publication, notification.subscription
    return Delivery(
        subscription_id=to.subscription_id,
        subscription_name=to.name,
        namespace=what.namespace,
        topic_id=what.topic_id,
        topic_name=what.topic_name,
        topic_shard=what.shard,
        message_id=what.message_id,
        published_at=what.published_at,
        expires_at=what.expires_at,
        due_at=due_at,
    )


def partition(subscription_id: str, shard: int) -> str:
    """The name of the partition that holds one shard of a subscription's deliveries."""
    return f"{subscription_id}#{shard}"
