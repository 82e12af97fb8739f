"""Time and ids that a test hands in, and the verbs put together on the ports in memory."""

import itertools
from dataclasses import dataclass, field

from chalicelib.broker import accounts, identities, messages, ports, queues, upkeep
from chalicelib.model import account, message, queue
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

    def pick(self, count: int) -> int:
        return min(self.picked, count - 1)


@dataclass
class Tables:
    """What all processes share."""

    clock: Clock = field(default_factory=Clock)
    ids: Ids = field(default_factory=Ids)
    queues: memory.Queues = field(default_factory=memory.Queues)
    tallies: memory.Tallies = field(default_factory=memory.Tallies)
    identities: memory.Identities = field(default_factory=memory.Identities)
    accounts: memory.Accounts = field(default_factory=memory.Accounts)
    messages: memory.Messages = field(init=False)

    def __post_init__(self) -> None:
        self.messages = memory.Messages(stamps=self.ids)


class Process:
    """One process: every verb, with caches of its own, on tables that others may share."""

    def __init__(self, tables: Tables | None = None, *, shards: int = 1, longest_wait: float = 30) -> None:
        self.tables = tables or Tables()
        self.clock, self.ids = self.tables.clock, self.tables.ids
        shared: ports.Queues = self.tables.queues
        self.queues = queues.Queues(
            store=shared, tallies=self.tables.tallies, clock=self.clock, ids=self.ids, shards=shards
        )
        self.messages = messages.Messages(
            queues=self.queues, store=self.tables.messages, clock=self.clock, ids=self.ids, longest_wait=longest_wait
        )
        self.identities = identities.Identities(store=self.tables.identities, clock=self.clock)
        self.accounts = accounts.Accounts(store=self.tables.accounts, ids=self.ids)
        self.release = upkeep.Release(queues=shared, messages=self.tables.messages, clock=self.clock)
        self.count = upkeep.Count(tallies=self.tables.tallies)
        self.purge = upkeep.Purge(messages=self.tables.messages, tallies=self.tables.tallies, clock=self.clock)

    def another(self) -> "Process":
        """Another process on the same tables."""
        return Process(self.tables)

    def create(self, name: str = "demo", **attributes: int | bool) -> queue.Queue:
        """A queue with these attributes."""
        made, _ = self.queues.create(HERE, name, queue.QueueChange(**attributes))
        return made

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
