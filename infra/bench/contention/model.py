"""The model: so many producers or consumers, each a process of its own, on one queue of so many shards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from chalicelib import bootstrap, settings
from chalicelib.model import account, errors, message, queue, resource
from infra.bench.contention import world
from infra.embedded import throttling
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines

T = TypeVar("T")

NAMESPACE = account.Namespace(account_id="1234567890123456", region="cn-hangzhou")
QUEUE = "contended"
_UNITS_OF_A_DRAIN = 5  # claim and delete; more in a FIFO queue
_CYCLE = 0.02  # seconds that a consumer takes for a message at best: three round trips to receive, one to delete
_REFUSED_PAUSE = 0.1  # seconds, at most, before a client that was refused comes again
_WARM = 1.5  # seconds before anything is counted: the partitions begin with a second's units to spare
_AHEAD = 1.5  # times as many messages are there as could be taken at best


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is modelled."""

    clients: int
    shards: int
    batch: int = 1
    body_bytes: int = 512
    groups: int = 0  # in which messages are, of a FIFO queue; 0: the queue is an ordinary one
    seconds: float = 3.0  # of virtual time
    inline_bytes: int = settings.Settings.inline_bytes
    write_units: float = throttling.WRITE_UNITS
    retries: int = world.RETRIES  # of the DynamoDB client, after it was throttled
    seed: int = 1


@dataclass(kw_only=True)
class Outcome:
    """What came of it, summed over the clients."""

    seconds: float
    calls: int = 0
    messages: int = 0
    empty: int = 0  # receives that got nothing though there was plenty
    refused: int = 0  # calls that ended with 429
    trips: int = 0
    lost: int = 0  # claims that others were faster at
    throttled: int = 0  # calls that DynamoDB refused, the client's repetitions included
    write_units: float = 0
    read_units: float = 0
    waits: list[float] = field(default_factory=list)  # ms that each call took

    @property
    def rate(self) -> float:
        """Messages per second."""
        return self.messages / self.seconds

    @property
    def lost_per_won(self) -> float:
        """Claims lost for each one that was won."""
        return self.lost / self.messages if self.messages else 0.0

    @property
    def trips_per_call(self) -> float:
        """Round trips per call of a client."""
        return self.trips / self.calls if self.calls else 0.0

    @property
    def empty_share(self) -> float:
        """The part of the receives that got nothing."""
        return self.empty / self.calls if self.calls else 0.0

    @property
    def write_units_per_message(self) -> float:
        """Write units paid for each message."""
        return self.write_units / self.messages if self.messages else 0.0

    def wait(self, share: float) -> float:
        """The time (ms) within which this share of the calls was answered."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def receive(case: Case) -> Outcome:
    """Consumers that receive and delete, one after the other, from a queue that has more than they can take."""
    best = min(case.clients * case.batch / _CYCLE, case.shards * case.write_units / _UNITS_OF_A_DRAIN)
    stage = _Stage(case)
    stage.fill(int(_AHEAD * best * (case.seconds + _WARM + 1)) + 16 * case.shards + 16 * case.clients)

    def consume(client: "_Client") -> None:
        _, received, _ = client.call(lambda: client.messages.receive(NAMESPACE, QUEUE, case.batch))
        stage.outcome.empty += not received
        if not received:
            return
        client.delete([item.receipt_handle for item in received])

    return stage.run(consume)


def send(case: Case) -> Outcome:
    """Producers that send one message, or batch, after the other."""
    stage = _Stage(case)

    def produce(client: "_Client") -> None:
        drafts = [stage.draft()] * case.batch
        answers = client.call(lambda: client.messages.send_batch(NAMESPACE, QUEUE, drafts))
        failed = sum(isinstance(answer, errors.MnsError) for answer in answers)
        stage.outcome.messages += len(answers) - failed
        stage.outcome.refused += failed

    def produce_one(client: "_Client") -> None:
        client.call(lambda: client.messages.send(NAMESPACE, QUEUE, stage.draft()))
        stage.outcome.messages += 1

    return stage.run(produce if case.batch > 1 else produce_one)


class _Stage:
    """A world with an engine, a queue in it, and clients."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.outcome = Outcome(seconds=case.seconds)
        self.world = world.World(case.seed)
        self.settings = settings.Settings(queue_shards=case.shards, inline_bytes=case.inline_bytes)
        self._engine = EmbeddedEngine(None, now=self.world.now)
        engines.make_tables(self._engine, self.settings.table_prefix)
        self.throttled = throttling.ThrottledEngine(self._engine, now=self.world.exact, write_units=case.write_units)
        self._near = bootstrap.build(
            self.settings, engine=self._engine, clock=self.world, ids=world.Ids(self.world)
        ).verbs
        kind = resource.Type.FIFO if case.groups else resource.Type.NORMAL
        self._near.queues.create(NAMESPACE, QUEUE, queue.QueueChange(), kind=kind)

    def draft(self, number: int | None = None) -> message.Draft:
        """A message; of a FIFO queue in the group of that number, or in any."""
        body, groups = "x" * self.case.body_bytes, self.case.groups
        if not groups:
            return message.Draft(body=body)
        place = self.world.random.randrange(groups) if number is None else number % groups
        return message.Draft(body=body, group_id=f"g{place}")

    def fill(self, count: int) -> None:
        """Have messages in the queue, without a price."""
        with self._engine.batch():
            for number in range(-(-count // 16)):
                self._near.messages.send_batch(NAMESPACE, QUEUE, [self.draft(number)] * 16)

    def run(self, act: Callable[["_Client"], None]) -> Outcome:
        """Let each client act again and again."""
        clients = [_Client(self) for _ in range(self.case.clients)]
        for client in clients:
            self.world.start(lambda client=client: client.go_on(act), self.world.random.random() * _CYCLE)  # type: ignore[misc]
        with self._engine.batch():
            self.world.run(_WARM)
            before = self._figures(clients)
            self.outcome = Outcome(seconds=self.case.seconds)
            self.world.run(self.case.seconds)
        for name, value in self._figures(clients).items():
            setattr(self.outcome, name, value - before[name])
        self._engine.close()
        return self.outcome

    def _figures(self, clients: Sequence["_Client"]) -> dict[str, float]:
        """What is counted at the engine, since the beginning."""
        return {
            "trips": sum(client.remote.trips for client in clients),
            "lost": sum(client.remote.lost for client in clients),
            "throttled": self.throttled.throttled,
            "write_units": self.throttled.written,
            "read_units": self.throttled.read,
        }


class _Client:
    """One client with a process of the application to itself, as on Lambda."""

    def __init__(self, stage: _Stage) -> None:
        self._stage = stage
        self._world = stage.world
        self.remote = world.Remote(stage.throttled, stage.world, stage.case.retries)
        self.messages = bootstrap.build(
            stage.settings,
            engine=self.remote,
            clock=stage.world,
            ids=world.Ids(stage.world),
            fan=stage.world.side_by_side,
        ).verbs.messages

    def go_on(self, act: Callable[["_Client"], None]) -> None:
        """Act until the world ends."""
        while True:
            try:
                act(self)
            except errors.TooManyRequests:
                self.be_refused()

    def call(self, ask: Callable[[], T]) -> T:
        """One call of the API, timed."""
        self._stage.outcome.calls += 1
        began = self._world.exact()
        try:
            return ask()
        finally:
            self._stage.outcome.waits.append(self._world.exact() - began)

    def be_refused(self) -> None:
        """Take a breath before the next try."""
        self._stage.outcome.refused += 1
        self._world.sleep(self._world.random.random() * _REFUSED_PAUSE)

    def delete(self, handles: Sequence[str]) -> None:
        """Delete messages, however often it takes."""
        left = list(handles)
        while left:
            failures = self.messages.delete_batch(NAMESPACE, QUEUE, left)
            left = [handle for handle, failure in failures if isinstance(failure, errors.TooManyRequests)]
            self._stage.outcome.messages += len(handles) - len(failures)
            if left:
                self.be_refused()
            handles = left
