"""What the verbs need from outside: storage, time and ids.

Each port has two sides: `storage` (on every engine) and the in-memory store of the broker's tests for the tables, the
machine and the tests' hand-moved clock for time. Moments are milliseconds since the epoch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias, TypeVar

from chalicelib.model import (
    account,
    acl,
    dead_letter,
    delivery,
    errors,
    event_rule,
    message,
    publication,
    queue,
    ram,
    receipt,
    resource,
    subscription,
    topic,
)
from chalicelib.model import certificate as certificates
from chalicelib.model.frozen import frozen

T = TypeVar("T")
R = TypeVar("R")


class Clock(Protocol):
    """Time."""

    def now(self) -> int:
        """Milliseconds since the epoch."""

    def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""


class Ids(Protocol):
    """Ids that nobody else makes; `chalicelib.clock` describes their shapes."""

    def message_id(self, now: int) -> str:
        """An id that rises with time."""

    def request_id(self, now: int) -> str:
        """The id of a request."""

    def queue_id(self) -> str:
        """The id of a queue, a topic or a subscription."""

    def stamp(self) -> str:
        """The stamp of a claim."""

    def order_id(self) -> str:
        """The number of an order."""

    def account_id(self) -> str:
        """The number of an account."""

    def entity_id(self) -> str:
        """The number of a user, a group or a role."""

    def access_key_id(self) -> str:
        """The id of an access key."""

    def temporary_key_id(self) -> str:
        """The id of a temporary access key."""

    def secret(self) -> str:
        """The secret of an access key."""

    def pick(self, count: int) -> int:
        """A number from 0 to `count` - 1."""


@frozen
class Claim:
    """What a claim took."""

    messages: tuple[message.Message, ...]
    next_due: int | None  # when the next waiting message becomes visible, as far as the claim saw


@frozen
class Released:
    """What a release did to one partition."""

    count: int  # messages whose time had come
    next_due: int | None  # when the next message of the partition is due; not after now: more are due already


@frozen
class Change:
    """What one record of a table's stream changes in the number of messages by state."""

    partition: str
    sequence: str  # decimal digits, rising within a partition
    delta: queue.Counts


PublicationKey: TypeAlias = tuple[str, int, str]  # topic id, shard, message id


@frozen
class Due:
    """What is due of the deliveries."""

    deliveries: tuple[delivery.Delivery, ...]  # earliest first
    next_due: int | None  # when the next one is due; not after now: more are due already


class Fan(Protocol):
    """How independent calls are made: one after the other, or side by side."""

    def __call__(self, call: Callable[[T], R], arguments: Sequence[T], /) -> Iterable[R]:
        """The results of `call` on each of `arguments`, in their order."""


class Lanes(Protocol):
    """Pushes on their way, in lanes by endpoint, so that none holds up the others."""

    def submit(self, lane: str, call: Callable[[], None]) -> bool:
        """Have `call` made, in this thread or another; False: the lane is full, and it is not made."""

    def wait(self, seconds: float | None) -> bool:
        """Wait until all is done, at most `seconds`; whether it is."""


class Channel(Protocol):
    """A way to one kind of endpoint."""

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        """Hand a message to the subscription's endpoint, within the time that an endpoint has."""


class SealBroken(Exception):  # noqa: N818  # what is the matter, as with the errors of the model
    """What is sealed cannot be opened: by another key, in another context, or it is damaged."""


class Vault(Protocol):
    """Seals what may not lie about in the open, such as secrets of keys."""

    def seal(self, plain: bytes, *, context: str, key_id: str = "") -> bytes:
        """Encrypt `plain`, so that it opens in the same context only.

        Args:
            plain: what to seal.
            context: what it is and whose, such as `key/LTAI…`; it is no secret.
            key_id: the key to do it by; empty: the deployment's own.
        """

    def open(self, sealed: bytes, *, context: str, own: bool = False) -> bytes:
        """What was sealed in this context; raises SealBroken.

        Args:
            sealed: what `seal` made.
            context: what it is and whose.
            own: whether the deployment's own key has to have sealed it. It has to where a client shows what was sealed:
                clients may be able to seal by keys that their queues name.
        """


class Sealing(Protocol):
    """The keys that encrypt what queues and topics hold."""

    def prepare(self, of: str, by: resource.Encryption) -> None:
        """See to it that messages of a queue or topic, given by its id, can be encrypted as `by` says.

        Raises:
            errors.InvalidArgument: they cannot, for want of a library or of the key.
        """

    def delete(self, of: str) -> None:
        """Delete the keys of a queue that is no more: what they encrypted cannot be read again."""


class Queues(Protocol):
    """Queues by namespace and name."""

    def get(self, namespace: account.Namespace, name: str) -> queue.Queue | None:
        """The queue as it is now."""

    def create(self, namespace: account.Namespace, new: queue.Queue) -> queue.Queue | None:
        """Store `new` and return None; if the name is taken, store nothing and return the queue that has it."""

    def change(
        self, namespace: account.Namespace, name: str, change: queue.QueueChange, modified_at: int
    ) -> queue.Queue | None:
        """Change the attributes named and return the queue; None: there is no such queue."""

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        """Delete the queue; its messages are purged later. False: there is no such queue."""

    def list(self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int) -> queue.Page:
        """Up to `limit` queues whose names begin with `prefix` and come after the name `after`, ascending."""

    def count(self, namespace: account.Namespace) -> int:
        """How many queues the namespace has."""

    def everywhere(self) -> Iterator[tuple[account.Namespace, queue.Queue]]:
        """All queues of all namespaces."""


class Messages(Protocol):
    """The messages of queues.

    A message is Active (it has an entry in the index `ready`) or it waits for its visible time (it has one in `timer`),
    never both. `put` makes it either; `release` moves it from waiting to Active when its time has come; `claim` takes
    it from Active to waiting and gives it a new stamp; `postpone` changes the time it waits for and the stamp;
    `delete` ends it, and so does the end of its retention. Every step is one conditional write: of two that race, one
    wins, and the loser changes nothing.

    In a FIFO queue the messages of a group are in the order in which they were put, and whoever claims takes the first
    ones; none of the group is claimed while one of them waits (`model.group`).

    With `dead`, a message that has been received as often as it may be goes to the dead-letter queue instead, in one
    step, as soon as any of these verbs finds it Active or due. If the queue does not take it, it stays, unreceived.
    """

    def put(self, of: queue.Queue, new: message.Message) -> None:
        """Store a message; raises errors.TooManyRequests if its shard takes no more at the moment."""

    def put_once(self, of: queue.Queue, new: message.Message) -> bool:
        """Store a message unless there is one with its id; whether it was stored."""

    def put_all(self, of: queue.Queue, new: Sequence[message.Message]) -> frozenset[str]:
        """Store messages and return the ids of those that could not be stored."""

    def claim(
        self, of: queue.Queue, *, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None = None
    ) -> Claim:
        """Take up to `limit` messages, best first, and hide them until `visible_at`; what is due is released first."""

    def peek(
        self, of: queue.Queue, *, limit: int, now: int, dead: dead_letter.Route | None = None
    ) -> tuple[message.Message, ...]:
        """Up to `limit` Active messages, best first, as they are."""

    def postpone(self, receipt: receipt.Receipt, *, now: int, visible_at: int, stamp: str) -> bool:
        """Let a waiting message wait until `visible_at`, under a new stamp; False: the receipt is no longer valid."""

    def delete(self, receipts: Sequence[receipt.Receipt], *, now: int) -> tuple[errors.MnsError | None, ...]:
        """Delete messages; at each receipt None or what went wrong, MessageNotExist if it is no longer valid."""

    def release(
        self, of: queue.Queue, partition: str, *, now: int, limit: int, dead: dead_letter.Route | None = None
    ) -> Released:
        """Make up to `limit` messages of a partition Active whose time has come."""

    def purge(self, partition: str) -> bool:
        """Delete some messages of a partition, whatever their state; False: there were none."""


class Topics(Protocol):
    """Topics by namespace and name."""

    def get(self, namespace: account.Namespace, name: str) -> topic.Topic | None:
        """The topic as it is now."""

    def create(self, namespace: account.Namespace, new: topic.Topic) -> topic.Topic | None:
        """Store `new` and return None; if the name is taken, store nothing and return the topic that has it."""

    def change(
        self, namespace: account.Namespace, name: str, change: topic.TopicChange, modified_at: int
    ) -> topic.Topic | None:
        """Change the attributes named and return the topic; None: there is no such topic."""

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        """Delete the topic; its subscriptions are purged later. False: there is no such topic."""

    def list(self, namespace: account.Namespace, *, prefix: str, after: str | None, limit: int) -> topic.Page:
        """Up to `limit` topics whose names begin with `prefix` and come after the name `after`, ascending."""

    def count(self, namespace: account.Namespace) -> int:
        """How many topics the namespace has."""

    def everywhere(self) -> Iterator[tuple[account.Namespace, topic.Topic]]:
        """All topics of all namespaces."""


class Subscriptions(Protocol):
    """Subscriptions by namespace, id of the topic, and name."""

    def get(self, namespace: account.Namespace, topic_id: str, name: str) -> subscription.Subscription | None:
        """The subscription as it is now."""

    def create(self, new: subscription.Subscription) -> subscription.Subscription | None:
        """Store `new` and return None; if the name is taken, store nothing and return the one that has it."""

    def change(
        self, of: subscription.Subscription, change: subscription.SubscriptionChange, modified_at: int
    ) -> subscription.Subscription | None:
        """Change the attributes named and return the subscription; None: it is no more."""

    def delete(self, namespace: account.Namespace, topic_id: str, name: str) -> bool:
        """Delete the subscription; False: there is none."""

    def list(
        self, namespace: account.Namespace, topic_id: str, *, prefix: str, after: str | None, limit: int
    ) -> subscription.Page:
        """Up to `limit` subscriptions whose names begin with `prefix` and come after the name `after`, ascending."""

    def all(self, namespace: account.Namespace, topic_id: str) -> tuple[subscription.Subscription, ...]:
        """All subscriptions of a topic, as they are now."""

    def purge(self, namespace: account.Namespace, of: topic.Topic) -> None:
        """Delete all subscriptions of a topic."""


class EventRules(Protocol):
    """Event rules by namespace and name."""

    def get(self, namespace: account.Namespace, name: str) -> event_rule.EventRule | None:
        """The rule."""

    def create(self, namespace: account.Namespace, new: event_rule.EventRule) -> event_rule.EventRule | None:
        """Store `new` and return None; if the name is taken, store nothing and return the rule that has it."""

    def delete(self, namespace: account.Namespace, name: str) -> bool:
        """Delete the rule; False: there is none."""

    def all(self, namespace: account.Namespace) -> Iterator[event_rule.EventRule]:
        """All rules of a namespace, ascending by name."""


class Publications(Protocol):
    """The messages of topics."""

    def put(self, new: publication.Publication) -> None:
        """Store a message; raises errors.TooManyRequests if its shard takes no more at the moment."""

    def put_once(self, new: publication.Publication) -> bool:
        """Store a message unless there is one with its id; whether it was stored."""

    def get_all(self, keys: Sequence[PublicationKey]) -> Mapping[PublicationKey, publication.Publication]:
        """Those of these messages that are still held; of one that cannot be decrypted, what is known besides."""


class Deliveries(Protocol):
    """Messages on their way to push endpoints, and the log of them; `model.delivery` tells how one lives."""

    def put(self, new: delivery.Delivery) -> bool:
        """Store a delivery unless it is there already; whether it was stored."""

    def record(self, before: delivery.Delivery, after: delivery.Delivery) -> bool:
        """Store what became of a pending delivery; False: somebody else recorded its newest attempt before."""

    def due(self, now: int, *, limit: int, besides: frozenset[tuple[str, str]] = frozenset()) -> Due:
        """Pending deliveries that are due, some of them if there are many more than `limit`.

        Args:
            now: at which they are due (ms).
            limit: how many are wanted.
            besides: subscription and message ids of those that are left out, however many they are.
        """

    def newest(self, subscription_id: str, *, limit: int) -> Sequence[delivery.Delivery]:
        """The `limit` newest deliveries of a subscription that are still kept, and maybe others, in any order."""


class Counted(Protocol):
    """How many messages each partition holds."""

    def counts(self, partitions: Sequence[str]) -> Mapping[str, queue.Counts]:
        """The counts of those partitions that have any."""


class Tallies(Counted, Protocol):
    """The same, kept from the stream of changes."""

    def apply(self, partition: str, deltas: Sequence[tuple[str, queue.Counts]]) -> None:
        """Add deltas, each once however often it comes; each with its sequence, ascending."""

    def retire(self, partition: str, *, now: int) -> None:
        """Let the tally of a deleted queue's or topic's partition go when the last changes have surely arrived."""


class Identities(Protocol):
    """Access keys, and the certificate of the deployment; what is secret of them is sealed."""

    def key(self, access_key_id: str) -> account.AccessKey | None:
        """The key with this id."""

    def put_key(self, key: account.AccessKey) -> None:
        """Store a key, in place of one with its id."""

    def enable_key(self, access_key_id: str, *, enabled: bool) -> bool:
        """Let a key be used, or not; False: there is none."""

    def delete_key(self, access_key_id: str) -> None:
        """Delete a key, if there is one."""

    def certificate(self) -> certificates.Certificate | None:
        """The certificate that pushes are signed with, and its key."""

    def put_certificate(self, new: certificates.Certificate) -> None:
        """Store the certificate."""


class Directory(Protocol):
    """Users, groups, roles and policies of accounts, by kind and name; and the accounts themselves.

    An entity is changed as a whole: whoever stores it says, by its revision, what it was made of.
    """

    def get(self, account_id: str, kind: str, name: str) -> ram.Entity | None:
        """The entity as it is now."""

    def get_all(self, account_id: str, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], ram.Entity]:
        """Those of these entities that there are, by kind and name."""

    def put(self, account_id: str, entity: ram.Entity) -> bool:
        """Store an entity in place of its revision, 0 being none; False: it has another one by now."""

    def delete(self, account_id: str, entity: ram.Entity) -> bool:
        """Delete an entity of this revision; False: it has another one by now."""

    def list(self, account_id: str, kind: str, *, after: str | None, limit: int | None) -> ram.Page:
        """Up to `limit` entities of a kind whose names come after `after`, ascending; None: all of them."""


@frozen
class Taken:
    """What has a token."""

    digest: str  # of what it was taken for
    outcome: str | None  # None: there is none yet


class Tokens(Protocol):
    """Names that are taken for a while."""

    def take(self, token: str, digest: str, *, now: int, until: int) -> Taken | None:
        """Take a token until a moment; None: it is taken now, else by whom it has been taken."""

    def settle(self, token: str, digest: str, outcome: str, *, until: int) -> None:
        """Keep the outcome of what a token was taken for, until a moment."""

    def give_back(self, token: str) -> None:
        """Let a token be taken again."""


class Acls(Protocol):
    """Who is let in at an account's endpoint of a region."""

    def rules(self, namespace: account.Namespace) -> acl.Acl:
        """The rules as they are now."""

    def put_rules(self, namespace: account.Namespace, before: acl.Acl, after: acl.Acl) -> bool:
        """Put rules in the place of those that are there; False: others are there, and nothing is changed."""


class Accounts(Protocol):
    """Attributes of an account in a region."""

    def attributes(self, namespace: account.Namespace) -> account.AccountAttributes:
        """The account's attributes."""

    def change(self, namespace: account.Namespace, change: account.AccountChange) -> None:
        """Change the attributes named."""

    def open(self, namespace: account.Namespace, order_id: str) -> str:
        """Keep the order that opens the service; return the order of the first time."""
