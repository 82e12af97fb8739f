"""What the verbs need from outside: storage, time and ids.

Each port has two sides: `storage` (on every engine) and the in-memory store of the broker's tests for the tables, the
machine and the tests' hand-moved clock for time. Moments are milliseconds since the epoch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from chalicelib.model import account, errors, message, queue, receipt


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
        """The id of a queue."""

    def stamp(self) -> str:
        """The stamp of a claim."""

    def order_id(self) -> str:
        """The number of an order."""

    def pick(self, count: int) -> int:
        """A number from 0 to `count` - 1."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a claim took."""

    messages: tuple[message.Message, ...]
    next_due: int | None  # when the next waiting message becomes visible, as far as the claim saw


@dataclass(frozen=True, kw_only=True)
class Released:
    """What a release did to one partition."""

    count: int  # messages whose time had come
    next_due: int | None  # when the next message of the partition is due; not after now: more are due already


@dataclass(frozen=True, kw_only=True)
class Change:
    """One message's change of state, as the stream of the messages table tells it."""

    partition: str
    sequence: str  # decimal digits, rising within a partition
    before: message.State | None  # None: the message is new
    after: message.State | None  # None: the message is gone


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

    def everywhere(self) -> Iterator[queue.Queue]:
        """All queues of all namespaces."""


class Messages(Protocol):
    """The messages of queues.

    A message is Active (it has an entry in the index `ready`) or it waits for its visible time (it has one in `timer`),
    never both. `put` makes it either; `release` moves it from waiting to Active when its time has come; `claim` takes
    it from Active to waiting and gives it a new stamp; `postpone` changes the time it waits for and the stamp;
    `delete` ends it, and so does the end of its retention. Every step is one conditional write: of two that race, one
    wins, and the loser changes nothing.
    """

    def put(self, of: queue.Queue, new: message.Message) -> None:
        """Store a message; raises errors.TooManyRequests if its shard takes no more at the moment."""

    def put_all(self, of: queue.Queue, new: Sequence[message.Message]) -> frozenset[str]:
        """Store messages and return the ids of those that could not be stored."""

    def claim(self, of: queue.Queue, *, limit: int, now: int, visible_at: int) -> Claim:
        """Take up to `limit` messages, best first, and hide them until `visible_at`; what is due is released first."""

    def peek(self, of: queue.Queue, *, limit: int, now: int) -> tuple[message.Message, ...]:
        """Up to `limit` Active messages, best first, as they are."""

    def postpone(self, receipt: receipt.Receipt, *, now: int, visible_at: int, stamp: str) -> bool:
        """Let a waiting message wait until `visible_at`, under a new stamp; False: the receipt is no longer valid."""

    def delete(self, receipts: Sequence[receipt.Receipt], *, now: int) -> tuple[errors.MnsError | None, ...]:
        """Delete messages; at each receipt None or what went wrong, MessageNotExist if it is no longer valid."""

    def release(self, partition: str, *, now: int, limit: int) -> Released:
        """Make up to `limit` messages Active whose time has come."""

    def purge(self, partition: str) -> bool:
        """Delete some messages of a partition, whatever their state; False: there were none."""


class Tallies(Protocol):
    """How many messages each partition holds, kept from the stream of changes."""

    def counts(self, partitions: Sequence[str]) -> Mapping[str, queue.Counts]:
        """The counts of those partitions that have any."""

    def apply(self, partition: str, deltas: Sequence[tuple[str, queue.Counts]]) -> None:
        """Add deltas, each once however often it comes; each with its sequence, ascending."""

    def retire(self, partition: str, *, now: int) -> None:
        """Let the tally of a deleted queue's partition go when the last changes have surely arrived."""


class Identities(Protocol):
    """Access keys."""

    def key(self, access_key_id: str) -> account.AccessKey | None:
        """The key with this id."""

    def put_key(self, key: account.AccessKey) -> None:
        """Store a key, in place of one with its id."""


class Accounts(Protocol):
    """Attributes of an account in a region."""

    def attributes(self, namespace: account.Namespace) -> account.AccountAttributes:
        """The account's attributes."""

    def change(self, namespace: account.Namespace, change: account.AccountChange) -> None:
        """Change the attributes named."""

    def open(self, namespace: account.Namespace, order_id: str) -> str:
        """Keep the order that opens the service; return the order of the first time."""
