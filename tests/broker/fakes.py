"""Time and ids that a test hands in, and the verbs put together on the ports in memory."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

from chalicelib.broker import (
    accounts,
    deliveries,
    directory,
    identities,
    messages,
    permissions,
    ports,
    publications,
    queues,
    sessions,
    subscriptions,
    topics,
    upkeep,
)
from chalicelib.model import account, delivery, endpoint, message, publication, queue, subscription, topic
from chalicelib.push import queue as queue_channel
from chalicelib.storage import client
from tests.broker import memory

NOW = 1_704_164_645_000  # Tue, 02 Jan 2024 03:04:05 GMT
HERE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
ELSEWHERE = account.Namespace(account_id="6543210987654321", region="cn-hangzhou")


@dataclass
class Clock:
    """A clock that stands still until it is moved; who sleeps moves it."""

    moment: int = NOW
    slept: list[float] = field(default_factory=list)

    def now(self) -> int:
        return self.moment

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self.moment += round(seconds * 1000)


@dataclass
class Ids:
    """Ids in their order: the first is number 1. Every pick is `picked`, as far as there are so many."""

    picked: int = 0
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def message_id(self, now: int) -> str:
        return f"{now:012X}{next(self._numbers):020X}"

    def request_id(self, now: int) -> str:
        return f"{now // 1000:08X}{next(self._numbers):016X}"

    def queue_id(self) -> str:
        return f"{next(self._numbers):016x}"

    def stamp(self) -> str:
        return f"{next(self._numbers):012x}"

    def order_id(self) -> str:
        return str(200_000_000_000_000 + next(self._numbers))

    def account_id(self) -> str:
        return str(1_000_000_000_000_000 + next(self._numbers))

    def entity_id(self) -> str:
        return str(200_000_000_000_000_000 + next(self._numbers))

    def access_key_id(self) -> str:
        return f"LTAI{next(self._numbers):020}"

    def temporary_key_id(self) -> str:
        return f"STS.{next(self._numbers):024}"

    def secret(self) -> str:
        return f"{next(self._numbers):030}"

    def pick(self, count: int) -> int:
        return min(self.picked, count - 1)


@dataclass
class Tables:
    """What all processes share."""

    clock: Clock = field(default_factory=Clock)
    ids: Ids = field(default_factory=Ids)
    queues: memory.Queues = field(default_factory=memory.Queues)
    sealing: memory.Sealing = field(default_factory=memory.Sealing)
    tallies: memory.Tallies = field(default_factory=memory.Tallies)
    identities: memory.Identities = field(default_factory=memory.Identities)
    directory: memory.Directory = field(default_factory=memory.Directory)
    vault: memory.Vault = field(default_factory=memory.Vault)
    accounts: memory.Accounts = field(default_factory=memory.Accounts)
    tokens: memory.Tokens = field(default_factory=memory.Tokens)
    acls: memory.Acls = field(default_factory=memory.Acls)
    topics: memory.Topics = field(default_factory=memory.Topics)
    subscriptions: memory.Subscriptions = field(default_factory=memory.Subscriptions)
    publications: memory.Publications = field(default_factory=memory.Publications)
    deliveries: memory.Deliveries = field(default_factory=memory.Deliveries)
    messages: memory.Messages = field(init=False)

    def __post_init__(self) -> None:
        self.messages = memory.Messages(stamps=self.ids)


@dataclass
class Lanes:
    """Lanes in which a push is made at once; those in `full` take none, in those in `slow` it waits."""

    full: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    waiting: list[Callable[[], None]] = field(default_factory=list)

    def submit(self, lane: str, call: Callable[[], None]) -> bool:
        if lane in self.full:
            return False
        if lane in self.slow:
            self.waiting.append(call)
        else:
            call()
        return True

    def go_on(self) -> None:
        """Make what waits."""
        while self.waiting:
            self.waiting.pop(0)()

    def wait(self, seconds: float | None) -> bool:
        return True


@dataclass
class Channel:
    """A channel that notes what it is given, and answers what it is told to."""

    clock: Clock
    answers: list[str | Exception] = field(default_factory=list)  # in their order; then the last one for ever
    pushed: list[publication.Notification] = field(default_factory=list)
    takes_seconds: float = 0

    def push(self, notification: publication.Notification) -> delivery.Outcome:
        self.pushed.append(notification)
        self.clock.advance(self.takes_seconds)
        answer = "204" if not self.answers else self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return delivery.Outcome(status=answer, detail=f"was {answer}")


class Process:
    """One process: every verb, with caches of its own, on tables that others may share."""

    def __init__(self, tables: Tables | None = None, *, shards: int = 1, longest_wait: float = 30) -> None:
        self.tables = tables or Tables()
        self.clock, self.ids = self.tables.clock, self.tables.ids
        shared: ports.Queues = self.tables.queues
        self.queues = queues.Queues(
            store=shared,
            tallies=self.tables.tallies,
            sealing=self.tables.sealing,
            clock=self.clock,
            ids=self.ids,
            shards=shards,
        )
        self.messages = messages.Messages(
            queues=self.queues, store=self.tables.messages, clock=self.clock, ids=self.ids, longest_wait=longest_wait
        )
        self.sessions = sessions.Sessions(
            store=self.tables.directory, vault=self.tables.vault, clock=self.clock, ids=self.ids
        )
        self.identities = identities.Identities(store=self.tables.identities, temporary=self.sessions, clock=self.clock)
        self.permissions = permissions.Permissions(store=self.tables.directory, clock=self.clock)
        self.directory = directory.Directory(
            store=self.tables.directory,
            keys=self.tables.identities,
            clock=self.clock,
            ids=self.ids,
            changed=self._forget_identities,
        )
        self.accounts = accounts.Accounts(store=self.tables.accounts, clock=self.clock, ids=self.ids)
        self.release = upkeep.Release(store=shared, queues=self.queues, messages=self.tables.messages, clock=self.clock)
        self.count = upkeep.Count(tallies=self.tables.tallies)
        self.purge = upkeep.Purge(
            messages=self.tables.messages,
            subscriptions=self.tables.subscriptions,
            tallies=self.tables.tallies,
            sealing=self.tables.sealing,
            clock=self.clock,
        )
        self.topics = topics.Topics(
            store=self.tables.topics,
            tallies=self.tables.tallies,
            sealing=self.tables.sealing,
            clock=self.clock,
            ids=self.ids,
            shards=shards,
        )
        self.subscriptions = subscriptions.Subscriptions(
            topics=self.topics,
            store=self.tables.subscriptions,
            find_queue=self.queues.find,
            clock=self.clock,
            ids=self.ids,
        )
        self.publications = publications.Publications(
            topics=self.topics, store=self.tables.publications, clock=self.clock, ids=self.ids
        )
        self.channel, self.lanes = Channel(self.clock), Lanes()
        channels: dict[endpoint.Kind, ports.Channel] = dict.fromkeys(endpoint.Kind, self.channel)
        channels[endpoint.Kind.QUEUE] = queue_channel.QueueChannel(
            find=self.queues.find,
            messages=self.tables.messages,
            render=lambda of: f"<{of.publication.draft.body}>",
            clock=self.clock,
        )
        dead_letters = deliveries.DeadLetters(find_queue=self.queues.find, messages=self.tables.messages)
        self.fan_out = publications.FanOut(
            store=self.tables.publications,
            dead_letters=dead_letters,
            subscriptions=self.subscriptions,
            deliveries=self.tables.deliveries,
            channels=channels,
            fan=client.one_by_one,
            clock=self.clock,
        )
        self.deliver = deliveries.Deliver(
            subscriptions=self.subscriptions,
            publications=self.tables.publications,
            deliveries=self.tables.deliveries,
            channels=channels,
            dead_letters=dead_letters,
            lanes=self.lanes,
            clock=self.clock,
            ids=self.ids,
        )
        self.redeliver = deliveries.Redeliver(deliver=self.deliver, clock=self.clock)
        self.log = deliveries.Log(
            topics=self.tables.topics, subscriptions=self.tables.subscriptions, deliveries=self.tables.deliveries
        )

    def _forget_identities(self) -> None:
        self.identities.forget()
        self.permissions.forget()

    def another(self) -> "Process":
        """Another process on the same tables."""
        return Process(self.tables)

    def create(self, name: str = "demo", **attributes: object) -> queue.Queue:
        """A queue with these attributes."""
        made, _ = self.queues.create(HERE, name, queue.QueueChange(**attributes))
        return made

    def create_topic(self, name: str = "news", **attributes: object) -> topic.Topic:
        """A topic with these attributes."""
        made, _ = self.topics.create(HERE, name, topic.TopicChange(**attributes))
        return made

    def subscribe(self, name: str = "sub", to: str = "http://example.test/", **attributes) -> subscription.Subscription:
        """A subscription to the topic `news`."""
        wanted = subscription.SubscriptionAttributes(endpoint=to, **attributes)
        made, _ = self.subscriptions.subscribe(HERE, "news", name, wanted)
        return made

    def publish(self, body: str = "x", **fields) -> publication.Publication:
        """Publish to the topic `news`."""
        return self.publications.publish(HERE, "news", publication.Draft(body=body, **fields))

    def deliveries(self) -> list[delivery.Delivery]:
        """All deliveries, in the order they were made."""
        return list(self.tables.deliveries.stored.values())

    def send(self, body: str = "x", **fields: int | str | None) -> message.Sent:
        """Send to the queue `demo`."""
        return self.messages.send(HERE, "demo", message.Draft(body=body, **fields))

    def receive(self, limit: int = 1) -> tuple[message.Received, ...]:
        """Receive from the queue `demo` what is there now."""
        _, received, _ = self.messages.receive(HERE, "demo", limit)
        return received

    def bodies(self, limit: int = 16) -> list[str]:
        """The bodies of what is received now, in their order."""
        return [item.message.body for item in self.receive(limit)]
