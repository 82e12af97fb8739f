"""The composition root: from settings to a working application, the only place that names concrete classes."""

import functools
import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import Any

from chalicelib import clock as clocks
from chalicelib import settings as configuration
from chalicelib.api import door, operations, waiting
from chalicelib.broker import accounts, identities, messages, ports, queues, upkeep
from chalicelib.model import limits, queue
from chalicelib.storage import accounts as account_table
from chalicelib.storage import batches, client, errors
from chalicelib.storage import identities as identity_table
from chalicelib.storage import messages as message_table
from chalicelib.storage import queues as queue_table
from chalicelib.storage import tallies as tally_table

_PARALLEL_CALLS = 16  # a full batch of claims goes out at once


@dataclass(frozen=True, kw_only=True)
class Application:
    """Everything a door can call."""

    settings: configuration.Settings
    clock: ports.Clock
    door: door.Door
    verbs: operations.Verbs
    release: upkeep.Release
    count: upkeep.Count
    purge: upkeep.Purge
    forget: Callable[[], None]  # what is remembered of the engine, for it may have changed otherwise
    read_changes: Callable[[Iterable[Mapping[str, Any]]], Iterable[ports.Change]]
    read_deletions: Callable[[Iterable[Mapping[str, Any]]], Iterable[tuple[str, queue.Queue]]]


def build(  # noqa: PLR0913  # one keyword for each thing that a process may do its own way
    settings: configuration.Settings,
    *,
    engine: client.Client,
    clock: ports.Clock | None = None,
    wall: ports.Clock | None = None,
    ids: ports.Ids | None = None,
    fan: client.Fan = client.one_by_one,
    waiter: waiting.Waiter | None = None,
    settle: Callable[[], None] = lambda: None,
    purge_seconds: float = limits.PURGE_SECONDS,
) -> Application:
    """Put an application together on an engine; time and ids are the machine's unless handed in.

    Args:
        settings: what the deployment decides.
        engine: where everything is kept.
        clock: by which messages live.
        wall: by which the dates of requests are checked; `clock` unless handed in.
        ids: makes ids.
        fan: how independent calls of the engine are made.
        waiter: how a thread waits for a long poll.
        settle: brings counts up to date, where that can be had at once.
        purge_seconds: how long one run of a purge may take.
    """
    clock = clock or clocks.SystemClock()
    ids = ids or clocks.RandomIds()
    gate = errors.Gate(engine)
    batch = batches.Batches(gate=gate, clock=clock)
    prefix = settings.table_prefix
    queue_store = queue_table.Queues(gate=gate, prefix=prefix)
    tally_store = tally_table.Tallies(gate=gate, batches=batch, prefix=prefix)
    message_store = message_table.Messages(
        gate=gate, batches=batch, fan=fan, ids=ids, prefix=prefix, inline=settings.inline_bytes
    )
    queue_verbs = queues.Queues(
        store=queue_store, tallies=tally_store, clock=clock, ids=ids, shards=settings.queue_shards, settle=settle
    )
    verbs = operations.Verbs(
        queues=queue_verbs,
        messages=messages.Messages(
            queues=queue_verbs, store=message_store, clock=clock, ids=ids, longest_wait=settings.longest_wait
        ),
        accounts=accounts.Accounts(store=account_table.Accounts(gate=gate, prefix=prefix), ids=ids),
        identities=identities.Identities(store=identity_table.Identities(gate=gate, prefix=prefix), clock=clock),
    )

    def forget() -> None:
        queue_verbs.forget()
        queue_store.forget()
        verbs.identities.forget()

    return Application(
        settings=settings,
        clock=clock,
        door=door.Door(
            verbs=verbs,
            clock=wall or clock,
            ids=ids,
            waiter=waiter or waiting.SleepingWaiter(clock),
            region=settings.region,
            explain_signatures=settings.explain_signatures,
        ),
        verbs=verbs,
        release=upkeep.Release(queues=queue_store, messages=message_store, clock=clock),
        count=upkeep.Count(tallies=tally_store),
        purge=upkeep.Purge(messages=message_store, tallies=tally_store, clock=clock, seconds=purge_seconds),
        forget=forget,
        read_changes=message_table.read_changes,
        read_deletions=queue_table.read_deletions,
    )


_installed: list[Application] = []


def install(made: Application) -> None:
    """Let `application` answer with one that was made elsewhere; for local servers and tests."""
    _installed[:] = [made]
    application.cache_clear()


@functools.cache
def application() -> Application:
    """The application of this process, made when it is first needed."""
    if _installed:
        return _installed[-1]
    settings = configuration.read()
    if settings.application:
        module, _, function = settings.application.partition(":")
        made: Application = getattr(importlib.import_module(module), function)(settings)
        return made
    import boto3  # noqa: PLC0415  # slow to import, and not needed where an engine is handed in
    from botocore.config import Config  # noqa: PLC0415  # the same

    config = Config(retries={"mode": "standard", "max_attempts": 3}, max_pool_connections=_PARALLEL_CALLS)
    pool = futures.ThreadPoolExecutor(_PARALLEL_CALLS)

    def side_by_side(call: Callable[[Any], Any], arguments: Sequence[Any], /) -> Iterable[Any]:
        return pool.map(call, arguments) if len(arguments) > 1 else map(call, arguments)

    return build(settings, engine=boto3.client("dynamodb", config=config), fan=side_by_side)
