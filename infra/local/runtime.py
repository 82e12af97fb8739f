"""The composition of a local server's parts: engine, application, parking lot, driver."""

import contextlib
import dataclasses
import fcntl
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from chalicelib import bootstrap, clock, settings, telemetry
from chalicelib.broker import ports
from chalicelib.model import account, errors, limits, object_event
from chalicelib.storage import sealing
from infra.local import certificates, config, driver, engine, outbox, parking, runners, vault
from infra.local import clock as clocks
from infra.local.shared import Shared
from infra.local.store.layout import Announce

if TYPE_CHECKING:
    from infra.embedded.engine import EmbeddedEngine
    from infra.local import line as lines
    from infra.local.store import rows, shards

FILE = "openmns.db"
MESSAGES = "messages-{}.db"
_LOCK = "openmns.lock"
_INLINE_BYTES = 16_384  # of an item: no engine here charges by the kilobyte, and a second write costs more


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A running OpenMNS without an HTTP server, or a worker process's part of one."""

    application: bootstrap.Application
    driver: driver.Driver | None  # a worker has none
    lot: parking.ParkingLot
    clock: clocks.LocalClock
    shared: Shared
    held: contextlib.ExitStack  # the engine, and the data folder
    together: engine.Together  # has the engine's calls share one transaction
    outbox: outbox.Outbox
    blocking: bool  # whether a call of the engine takes so long that it should not be made on an event loop
    rows: "rows.Rows | None" = None  # the messages that this one keeps, unless they are in the engine's tables
    shards: "shards.Shards | None" = None  # those of all processes, if there are several
    line: "lines.Line | None" = None  # on which the first one asks the others
    refresh: Callable[[], bool] = lambda: False  # forget what another process may have changed; whether it has

    def moving_clock(self, target: int, *, frozen: bool) -> Iterator[None]:
        """Move the time to `target` (ms); what comes due on the way has happened at the end.

        Yields whenever `finish_pushes` has to be called before it can go on: on an event loop that takes a thread, for
        who is pushed to may ask something of this very server.
        """
        assert self.driver is not None  # noqa: S101  # workers relay this
        due = self.driver.next_due
        yield from self.driver.catch_up()  # what was just published is not known to be due otherwise
        yield from clocks.move(self.clock, target, frozen=frozen, next_due=due, settle=self.driver.catch_up)
        self.lot.stir_everywhere()

    def move_clock(self, target: int, *, frozen: bool) -> None:
        """The same at once."""
        for _ in self.moving_clock(target, frozen=frozen):
            self.finish_pushes()

    def finish_pushes(self) -> None:
        """Return when the pushes under way have been answered."""
        self.application.deliver.wait(None)

    def stop(self) -> None:
        """Let nobody wait any more, finish what is in hand, let go of the engine."""
        with self.held:
            self.lot.close()
            if self.driver is not None:
                self.driver.stop()
            self.application.close()

    def recover(self) -> None:
        """Take nothing for done that the engine has lost with a transaction."""
        self.application.forget()
        try:
            if self.driver is not None:
                self.driver.rewind()
        except Exception:  # noqa: BLE001  # the engine is still broken; the next failure comes here again
            telemetry.logger.exception("the driver could not be rewound")


def start(
    told: config.LocalConfig,
    base: settings.Settings | None = None,
    run: runners.Run = runners.ThreadRunner,
) -> Runtime:
    """Make everything, with the accounts and queues that the configuration declares.

    Args:
        told: how to run.
        base: settings of the application, if it brings its own.
        run: how the driver's work on messages is run.

    Raises:
        config.ConfigError: the data folder cannot be used, or a declared queue exists with other attributes.
    """
    shared = Shared(processes=max(1, told.workers))
    moved = clocks.LocalClock(numbers=shared.time)
    given = certificates.supply(told)
    decided = _settings(told, base)
    with contextlib.ExitStack() as held:
        lot = parking.ParkingLot(count=functools.partial(shared.park, 0))
        sent = held.enter_context(contextlib.closing(outbox.Outbox()))
        made = _open(told, moved, held)
        engine.make_tables(made, decided.table_prefix)
        key = _vault(told)
        if told.data is not None:
            vault.check(key, made, decided.table_prefix, told.data)

        def heard(queue_id: str, visible: int, next_due: int | None) -> None:
            if visible:
                lot.announce(queue_id, visible)
            if next_due is not None:
                runner.expect(queue_id, next_due)

        apart = _messages(told, moved, held, 0)
        line = _line() if told.workers > 1 else None
        keep = None if told.engine == "moto" else _Keep(apart or made, heard, shared, max(1, told.workers), others=line)
        application = _application(
            decided,
            made,
            moved,
            lot,
            settle=lambda: runner.settle(),  # noqa: PLW0108  # made below
            services=sent.client,
            vault=key,
            make_certificate=certificates.make,
            read_key=certificates.read_key,
            keep_messages=keep,
        )
        bootstrap.install(application)
        runner: driver.Driver = driver.Driver(
            engine=made,
            prefix=decided.table_prefix,
            clock=moved,
            lot=lot,
            run=run,
            messages=apart,
        )
        if keep is not None and keep.mine is not None:
            _take_over(keep.mine, told, moved)
        if given is not None:
            application.verbs.identities.set_certificate(given)
        _declare(application, told, made, decided.table_prefix)
        runner.start()
        return Runtime(
            application=application,
            driver=runner,
            lot=lot,
            clock=moved,
            shared=shared,
            held=held.pop_all(),
            together=engine.together(made, apart),
            outbox=sent,
            rows=keep.mine if keep is not None else None,
            shards=keep.shards if keep is not None else None,
            line=line,
            blocking=told.engine == "moto",
        )
    raise AssertionError  # never: the stack swallows no exception


def join(told: config.LocalConfig, decided: settings.Settings, shared: Shared, number: int, heard: Announce) -> Runtime:
    """Make what a worker process needs beside the server's first process, which has called `start`.

    Args:
        told: how the server runs; its state is in a folder.
        decided: settings of the application, as the first process uses them.
        shared: the numbers of the server.
        number: of the worker, from 0 on.
        heard: is called after it has written messages of queues.
    """
    assert told.data is not None  # noqa: S101  # what is in memory has one process
    moved = clocks.LocalClock(numbers=shared.time)
    lot = parking.ParkingLot(count=functools.partial(shared.park, number + 1))
    held = contextlib.ExitStack()
    made = _embedded(told, moved, held, told.data / FILE)
    messages = _messages(told, moved, held, number + 1)
    assert messages is not None  # noqa: S101  # there is a folder
    keep = _Keep(messages, heard, shared, told.workers, own=number + 1)
    application = _application(decided, made, moved, lot, vault=vault.in_folder(told.data), keep_messages=keep)
    epoch = shared.epoch

    def refresh() -> bool:
        nonlocal epoch
        if epoch == shared.epoch:
            return False
        epoch = shared.epoch
        application.forget()
        return True

    return Runtime(
        application=application,
        driver=None,
        lot=lot,
        clock=moved,
        shared=shared,
        held=held,
        together=engine.together(messages),
        outbox=outbox.Outbox(),
        rows=keep.mine,
        shards=keep.shards,
        blocking=False,
        refresh=refresh,
    )


def _application(
    decided: settings.Settings,
    made: engine.LocalEngine,
    moved: clocks.LocalClock,
    lot: parking.ParkingLot,
    **more: Any,
) -> bootstrap.Application:
    return bootstrap.build(
        decided,
        engine=made,
        clock=moved,
        wall=clock.SystemClock(),
        waiter=parking.ParkedWaiter(lot, moved),
        purge_seconds=0,  # a page at a time, between requests
        **more,
    )


class _Keep:
    """Messages of queues in a file of the embedded engine, but not in its tables: `bootstrap.KeepMessages`."""

    def __init__(
        self,
        made: engine.LocalEngine,
        heard: Announce,
        shared: Shared,
        processes: int,
        own: int = 0,
        others: "shards.Others | None" = None,
    ) -> None:
        """Set up; `others` reaches the messages of other processes from the first one, if there are several."""
        self._engine = cast("EmbeddedEngine", made)
        self._heard = heard
        self._shared = shared
        self._processes = processes
        self._own = own
        self._others = others
        self.mine: rows.Rows | None = None
        self.shards: shards.Shards | None = None

    def __call__(
        self, seal: sealing.Sealing, queues: ports.Queues, ids: ports.Ids
    ) -> tuple[ports.Messages, ports.Counted]:
        from infra.local.store import bounds, messages, rows, shards  # noqa: PLC0415  # as the engine is

        told = [bounds.Bounds(self._shared.told(process)) for process in range(self._processes)]

        def among(mine: rows.Rows) -> messages.Rows:
            self.mine = mine
            if self._processes == 1:
                return mine
            self.shards = shards.Shards(mine, told, own=self._own, others=self._others, announce=self._heard)
            return self.shards

        kept = messages.here(
            self._engine,
            seal=seal,
            queues=queues,
            ids=ids,
            announce=self._heard,
            tells=told[self._own],
            among=among,
        )
        return kept, kept


def _settings(told: config.LocalConfig, base: settings.Settings | None) -> settings.Settings:
    """What the application decides by; pushes are waited for by nobody, since the process goes on."""
    return dataclasses.replace(
        base
        or settings.Settings(
            region=told.region,
            longest_wait=limits.WAIT_SECONDS.high,
            explain_signatures=True,
            inline_bytes=_INLINE_BYTES,
        ),
        bucket_owners=told.bucket_owners or f"{object_event.ANY_BUCKET}={told.keys[0].account_id}",
        account_rate=told.account_rate,
        metadata_rate=told.metadata_rate,
        public_url=told.url,
        push_allow=told.push_allow,
        push_ca_file=told.push_ca_file,
        smtp_url=told.smtp_url,
        mail_sender=told.mail_sender,
        push_patience=0.0,
    )


def _open(told: config.LocalConfig, moved: clocks.LocalClock, held: contextlib.ExitStack) -> engine.LocalEngine:
    """The engine; only the one that is used is imported, for moto alone takes half a second."""
    if told.engine == "moto":
        from infra.local.moto_engine import MotoEngine  # noqa: PLC0415

        return held.enter_context(contextlib.closing(MotoEngine(now=moved.now)))
    path = None
    try:
        if told.data is not None:
            told.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            _claim(told.data, held)
            path = told.data / FILE
            path.touch(mode=0o600)  # it holds the secrets of keys
        return _embedded(told, moved, held, path)
    except OSError as error:
        raise config.ConfigError(f"cannot keep the state in {told.data}: {error}") from error


def _vault(told: config.LocalConfig) -> vault.KeyVault:
    try:
        return vault.in_memory() if told.data is None else vault.in_folder(told.data)
    except OSError as error:
        raise config.ConfigError(f"cannot keep the key in {told.data}: {error}") from error


def _embedded(
    told: config.LocalConfig,
    moved: clocks.LocalClock,
    held: contextlib.ExitStack,
    path: Path | None,
    journal: Path | None = None,
) -> engine.LocalEngine:
    from infra.embedded.engine import EmbeddedEngine  # noqa: PLC0415  # see `_open`
    from infra.embedded.errors import UnusableFileError  # noqa: PLC0415

    durability = cast("Literal['normal', 'full']", told.durability)
    try:
        made = EmbeddedEngine(path, now=moved.now, durability=durability, journal=journal)
        return held.enter_context(contextlib.closing(made))
    except UnusableFileError as error:
        raise config.ConfigError(f"cannot keep the state in {told.data}: {error}") from error


def _messages(
    told: config.LocalConfig, moved: clocks.LocalClock, held: contextlib.ExitStack, process: int
) -> engine.LocalEngine | None:
    """The file with messages of a process, if there are files."""
    if told.data is None or told.engine == "moto":
        return None
    return _messages_in(told.data / MESSAGES.format(process), told, moved, held)


def _messages_in(
    path: Path, told: config.LocalConfig, moved: clocks.LocalClock, held: contextlib.ExitStack
) -> engine.LocalEngine:
    path.touch(mode=0o600)
    return _embedded(told, moved, held, path, journal=path.with_suffix(".journal"))


def _line() -> "lines.Line":
    from infra.local import line  # noqa: PLC0415  # only servers of several processes need greenlets

    return line.Line()


def _take_over(mine: "rows.Rows", told: config.LocalConfig, moved: clocks.LocalClock) -> None:
    """Take over the messages of workers that there were and are no more; check that the others' can be used."""
    if told.data is None:
        return
    for path in told.data.glob(MESSAGES.format("*[0-9]")):
        process = int(path.stem.rpartition("-")[2])
        if process == 0:
            continue
        with contextlib.ExitStack() as held:
            found = _messages_in(path, told, moved, held)
            if process >= told.workers:
                mine.take_over(cast("EmbeddedEngine", found))
        if process >= told.workers:
            for gone in told.data.glob(f"{path.stem}.*"):
                gone.unlink()


def _claim(folder: Path, held: contextlib.ExitStack) -> None:
    """Keep other servers out of the folder for as long as `held` is; two would run the triggers twice."""
    lock = held.enter_context((folder / _LOCK).open("a"))
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise config.ConfigError(
            f"another server uses {folder}: end it, or choose another folder with --data, or use --memory"
        ) from error


def _declare(
    application: bootstrap.Application, told: config.LocalConfig, made: engine.LocalEngine, prefix: str
) -> None:
    """Store what the configuration declares; keys that a former one declared and this one does not are disabled."""
    table, place = prefix + engine.CHECKPOINTS.name, {"pk": {"S": "declared keys"}}
    item = made.get_item(TableName=table, Key=place, ConsistentRead=True).get("Item", {"ids": {"L": []}})
    ids = [key.access_key_id for key in told.keys]
    for former in (entry["S"] for entry in item["ids"]["L"]):
        if former not in ids:
            with contextlib.suppress(errors.EntityNotExist):  # deleted meanwhile
                application.verbs.directory.disable(former)
    for key in told.keys:
        application.verbs.directory.register(key)
    made.put_item(TableName=table, Item=place | {"ids": {"L": [{"S": name} for name in ids]}})
    for entry in told.queues:
        namespace = account.Namespace(account_id=entry.account_id, region=told.region)
        try:
            application.verbs.queues.create(namespace, entry.name, entry.change)
        except errors.QueueAlreadyExist as error:
            raise config.ConfigError(
                f"the queue {entry.name} of {told.source} is there already, with other attributes: change them"
                " in the file, delete the queue, or use another data folder"
            ) from error
