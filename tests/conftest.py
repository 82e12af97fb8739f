"""Fixtures that all tiers share: engines, each with tables of its own per test, and a clock moved by hand."""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chalicelib import clock as clocks
from chalicelib.storage import (
    accounts,
    batches,
    deliveries,
    directory,
    errors,
    identities,
    messages,
    payloads,
    publications,
    queues,
    resources,
    sealing,
    subscriptions,
    tallies,
    tokens,
    topics,
)
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault

NOW = 1_704_164_645_000  # Tue, 02 Jan 2024 03:04:05 GMT, the moment of the protocol document's examples

os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")  # what fails on purpose need not be read

_prefixes = (f"t{number}-" for number in itertools.count())


class HandClock:
    """A clock that stands still unless moved; sleeping moves it."""

    def __init__(self, now: int = NOW) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> int:
        self._now += round(seconds * 1000)
        return self._now


@dataclass
class Recorder:
    """Counts what passes through to an engine: calls, rounds (calls made side by side are one) and capacity units."""

    engine: engines.LocalEngine
    calls: list[str] = field(default_factory=list)
    rounds: int = 0
    write_units: float = 0
    read_units: float = 0
    _together: bool = False

    def __getattr__(self, name: str) -> Callable[..., dict[str, Any]]:
        method = getattr(self.engine, name)

        def call(**arguments: Any) -> dict[str, Any]:
            self.calls.append(name)
            self.rounds += not self._together
            answer = method(**arguments, ReturnConsumedCapacity="TOTAL")
            capacity = answer.get("ConsumedCapacity", [])
            units = sum(entry["CapacityUnits"] for entry in (capacity if isinstance(capacity, list) else [capacity]))
            if name in ("get_item", "query", "batch_get_item"):
                self.read_units += units
            else:
                self.write_units += units
            return answer

        return call

    def fan(self, call: Callable[[Any], Any], arguments: Sequence[Any], /) -> Iterable[Any]:
        """One round of calls made side by side."""
        if not arguments:
            return []
        self.rounds += 1
        self._together = True
        try:
            return [call(argument) for argument in arguments]
        finally:
            self._together = False

    def reset(self) -> None:
        self.calls.clear()
        self.rounds, self.write_units, self.read_units = 0, 0, 0


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Every table of one test, and what its calls cost."""

    queues: queues.Queues
    messages: messages.Messages
    topics: topics.Topics
    subscriptions: subscriptions.Subscriptions
    publications: publications.Publications
    deliveries: deliveries.Deliveries
    tallies: tallies.Tallies
    identities: identities.Identities
    directory: directory.Directory
    accounts: accounts.Accounts
    sealing: sealing.Sealing
    tokens: tokens.Tokens
    recorder: Recorder
    engine: engines.LocalEngine
    prefix: str


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def prefix() -> str:
    return next(_prefixes)


@pytest.fixture(scope="session")
def moto_engine() -> Iterator[engines.LocalEngine]:
    from infra.local.moto_engine import MotoEngine  # noqa: PLC0415  # half a second that other tiers need not wait

    made = MotoEngine(now=lambda: NOW)
    yield made
    made.close()


@pytest.fixture
def embedded_engine() -> Iterator[EmbeddedEngine]:
    """A fresh one takes milliseconds; one that many tests share takes longer with each of them."""
    made = EmbeddedEngine(None, now=lambda: NOW)
    yield made
    made.close()


@pytest.fixture(params=["moto", "embedded"])
def engine(request: pytest.FixtureRequest, prefix: str) -> engines.LocalEngine:
    """Each engine in turn, with the tables made."""
    made: engines.LocalEngine = request.getfixturevalue(f"{request.param}_engine")
    engines.make_tables(made, prefix)
    return made


@pytest.fixture
def stores(engine: engines.LocalEngine, prefix: str, clock: HandClock) -> Stores:
    recorder = Recorder(engine)
    gate = errors.Gate(recorder)
    batch = batches.Batches(gate=gate, clock=clock)
    resource = resources.Resources(gate=gate, prefix=prefix)
    seal = sealing.Sealing(gate=gate, prefix=prefix, vault=vault.in_memory(), draw=os.urandom)
    return Stores(
        queues=queues.Queues(resources=resource),
        topics=topics.Topics(resources=resource),
        subscriptions=subscriptions.Subscriptions(resources=resource),
        publications=publications.Publications(gate=gate, batches=batch, sealing=seal, prefix=prefix),
        deliveries=deliveries.Deliveries(gate=gate, batches=batch, prefix=prefix),
        messages=messages.Messages(
            gate=gate,
            batches=batch,
            payloads=payloads.Payloads(gate=gate, batches=batch, sealing=seal, prefix=prefix, inline=1024),
            fan=recorder.fan,
            ids=clocks.RandomIds(),
            prefix=prefix,
        ),
        tallies=tallies.Tallies(gate=gate, batches=batch, prefix=prefix),
        identities=identities.Identities(gate=gate, prefix=prefix, vault=vault.in_memory()),
        directory=directory.Directory(gate=gate, batches=batch, prefix=prefix),
        accounts=accounts.Accounts(gate=gate, prefix=prefix),
        sealing=seal,
        tokens=tokens.Tokens(gate=gate, prefix=prefix),
        recorder=recorder,
        engine=engine,
        prefix=prefix,
    )
