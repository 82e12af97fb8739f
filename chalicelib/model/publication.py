"""Publications: messages of a topic.

Handed in as a `Draft`, kept for the topic's retention as a `Publication`, on its way to an endpoint a `Notification`.
"""

import dataclasses
import hashlib

from chalicelib.model import account, errors, group, limits, message, subscription, topic
from chalicelib.model.frozen import frozen


@frozen
class MailAttributes:
    """How a message is mailed."""

    sender: str | None = None  # the address it comes from; None: the deployment's
    subject: str = ""
    is_html: bool = False
    reply_to_sender: bool = False
    address: str | None = None  # where it goes, for subscriptions that leave this to the message


@frozen
class SmsAttributes:
    """How a message is sent to phones."""

    sign_name: str = ""  # the signature that Chinese short messages begin with
    template_code: str = ""
    numbers: tuple[str, ...] = ()  # where it goes, for subscriptions that leave this to the message
    instead: tuple[str, ...] = ()  # where it goes, whatever the subscription says
    # What the body's `${name}` stand for: for every number, or where `each` is set, by number.
    parameters: tuple[tuple[str, str], ...] = ()
    each: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()


@frozen
class PushAttributes:
    """Which devices of a mobile app a message goes to."""

    target: str = "ALL"  # ALL, DEVICE (by token) or ACCOUNT (by the user data of the endpoint)
    values: tuple[str, ...] = ()  # tokens or accounts
    title: str = ""


@frozen
class Attributes:
    """What the channels are told besides the body (D "MessageAttributes"); None: not given."""

    mail: MailAttributes | None = None
    sms: SmsAttributes | None = None
    push: PushAttributes | None = None


@frozen
class Draft:
    """A message as the publisher wrote it; raises InvalidArgument for what no topic would take."""

    body: str
    tag: str = ""  # empty: none
    group_id: str | None = None
    user_properties: tuple[message.Property, ...] = ()
    system_properties: tuple[message.Property, ...] = ()
    attributes: Attributes = dataclasses.field(default_factory=Attributes)

    def __post_init__(self) -> None:
        subscription.check_tag(self.tag, "MessageTag")
        _ = self.message  # a queue may be the one that gets it

    @property
    def message(self) -> message.Draft:
        """What is common with a message that is sent to a queue."""
        return message.Draft(
            body=self.body,
            group_id=self.group_id,
            user_properties=self.user_properties,
            system_properties=self.system_properties,
        )


@frozen
class Publication:
    """A message of a topic."""

    message_id: str  # 32 upper-case hex digits, rising with time
    namespace: account.Namespace
    topic_id: str
    topic_name: str
    shard: int  # of its topic
    published_at: int  # ms
    expires_at: int  # ms; what has not been delivered by then is not delivered any more
    logged: bool  # whether deliveries are logged that leave no trace otherwise
    sealed_by: str | None = None  # the id of the key that encrypts it at rest, see `resource.Encryption`; None: none
    draft: Draft
    ordered: bool = False  # whether it comes after the ones of its group that were published before, everywhere
    is_open: bool = True  # False: it cannot be decrypted at the moment, and its draft tells its tag and group only

    @property
    def body_md5(self) -> str:
        """Upper-case hex MD5 of the body's UTF-8 text."""
        return message.body_md5(self.draft.body)

    def evolve(self, **changes: object) -> "Publication":
        """This publication with some fields replaced."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]  # named by field


def accept(
    draft: Draft, to: topic.Topic, namespace: account.Namespace, *, message_id: str, shard: int, now: int
) -> Publication:
    """The publication that `draft` becomes in a topic at `now` (ms), see `place`.

    Raises:
        errors.InvalidArgument: the message is larger than the topic takes, or has no group for a FIFO topic.
    """
    size, maximum = draft.message.size, to.attributes.maximum_message_size
    if size > maximum:
        raise errors.InvalidArgument(f"The message has {size} bytes, but the topic takes {maximum} at most.")
    if to.is_fifo and draft.group_id is None:
        raise errors.InvalidArgument(f"The topic {to.name} is a FIFO topic: a message should have a MessageGroupId.")
    return place(draft, to, namespace, message_id=message_id, shard=shard, now=now)


def place(
    draft: Draft, to: topic.Topic, namespace: account.Namespace, *, message_id: str, shard: int, now: int
) -> Publication:
    """The publication that `draft` becomes in a topic at `now` (ms), whatever its size.

    In a FIFO topic `shard` is that of the message's group.
    """
    if to.is_fifo and draft.group_id is not None:
        shard = group.home(draft.group_id, to.shards)
    encryption = to.attributes.encryption
    return Publication(
        message_id=message_id,
        namespace=namespace,
        topic_id=to.topic_id,
        topic_name=to.name,
        shard=shard,
        published_at=now,
        expires_at=now + limits.TOPIC_RETENTION_SECONDS * 1000,
        logged=to.attributes.logging_enabled,
        sealed_by=encryption.key_id if encryption.enabled else None,
        draft=draft,
        ordered=to.is_fifo,
    )


@frozen
class Notification:
    """A publication on its way to one subscription's endpoint."""

    publication: Publication
    subscription: subscription.Subscription

    def derived(self, purpose: str = "") -> tuple[str, str]:
        """The id and the stamp of the message that it becomes in a queue.

        They are the same each time, so that a second delivery finds the first one; the id keeps its place in time.
        """
        seed = f"{self.publication.message_id}#{self.subscription.subscription_id}#{purpose}"
        digest = hashlib.sha256(seed.encode()).hexdigest()
        return self.publication.message_id[:16] + digest[:16].upper(), digest[16:28]

    def pick(self, count: int) -> int:
        """A number from 0 to `count` - 1, the same each time."""
        return int(self.derived()[1], 16) % count
