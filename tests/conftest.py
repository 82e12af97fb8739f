"""Fixtures that all tiers share: engines, each with tables of its own per test, and a clock moved by hand."""

import dataclasses
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from chalicelib import bootstrap
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
from infra.bench.costs import meter
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault
from infra.local.store import messages as local_messages

NOW = 1_704_164_645_000  # Tue, 02 Jan 2024 03:04:05 GMT, the moment of the protocol document's examples

os.environ.setdefault("POWERTOOLS_LOG_LEVEL", "CRITICAL")  # what fails on purpose need not be read

_TRACES = ("PYTEST_CURRENT_TEST", "AWS_EXECUTION_ENV")  # pytest's own, and where Chalice names itself
_prefixes = (f"t{number}-" for number in itertools.count())


@pytest.fixture(autouse=True)
def _leaves_no_trace() -> Iterator[None]:
    """No test sees in its process what another one has left there, so that none depends on the order."""
    before = _environment()
    yield
    bootstrap._installed.clear()
    bootstrap.application.cache_clear()
    bootstrap._aws.cache_clear()
    assert _environment() == before


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _TRACES}


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


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Every table of one test, and what its calls cost."""

    queues: queues.Queues
    messages: messages.Messages | local_messages.Messages
    topics: topics.Topics
    subscriptions: subscriptions.Subscriptions
    publications: publications.Publications
    deliveries: deliveries.Deliveries
    tallies: tallies.Tallies | local_messages.Messages
    identities: identities.Identities
    directory: directory.Directory
    accounts: accounts.Accounts
    sealing: sealing.Sealing
    tokens: tokens.Tokens
    recorder: meter.Meter
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
    return make_stores(engine, prefix, clock)


@pytest.fixture
def in_tables(engine: engines.LocalEngine, prefix: str, clock: HandClock) -> Stores:
    """The same, for modules in which `stores` is every way to keep messages (`kept`)."""
    return make_stores(engine, prefix, clock)


@pytest.fixture(params=["moto", "embedded", "local"])
def kept(request: pytest.FixtureRequest, prefix: str, clock: HandClock) -> Stores:
    """The same, and the local server's own way to keep messages."""
    is_local = request.param == "local"
    made: engines.LocalEngine = request.getfixturevalue(f"{'embedded' if is_local else request.param}_engine")
    engines.make_tables(made, prefix)
    stores = make_stores(made, prefix, clock)
    if not is_local:
        return stores
    own = local_messages.here(
        made,
        seal=stores.sealing,
        queues=stores.queues,
        ids=clocks.RandomIds(),
        announce=lambda queue_id, visible, next_due: None,
    )
    return dataclasses.replace(stores, messages=own, tallies=own)


def make_stores(engine: engines.LocalEngine, prefix: str, clock: HandClock) -> Stores:
    """Everything in tables of an engine, as it is deployed."""
    recorder = meter.Meter(engine)
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
