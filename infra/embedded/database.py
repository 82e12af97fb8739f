"""The SQLite file: checked before it is touched, written in WAL mode, one connection per engine.

The header's application id says that the file is ours, its user version which layout it has. A file is created with a
rollback journal and then switched to WAL, so both are in the file itself from the first moment and can be checked
without opening it. A commit in WAL mode is in the operating system's hands when the call returns: it survives the
process. With durability `full` it is on the disk: it survives the power.

SQLite has one writer at a time, and a process that finds another one writing sleeps for milliseconds before it looks
again. Therefore writers queue at a lock of their own, beside the file, from the begin to the end of their transaction:
the next one is woken at once, and the lock of a process that dies is free. The queue is for speed only; SQLite's own
lock, its sleeps and its time limit remain behind it.
"""

from __future__ import annotations

import contextlib
import fcntl
import operator
import os
import pathlib
import sqlite3
import struct
import threading
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias

from infra.embedded import checkpoints, errors, journal

if TYPE_CHECKING:
    from collections.abc import Callable

Durability: TypeAlias = Literal["normal", "full"]

APPLICATION_ID = 0x4F4D4E53  # "OMNS"
VERSION = 4
BUSY_SECONDS = 30.0
CACHE_KIB = 16 * 1024  # of each file
JOURNAL_BYTES = 512 * 1024  # of records until SQLite commits what they say
CHECKPOINT_PAGES = 8000  # in the log until a commit carries over what `checkpoints` has left
_JOURNAL_LIMIT = 64 * 1024 * 1024
_STATEMENTS = 512
_MAGIC = b"SQLite format 3\0"
_HEADER_BYTES = 100
_LAYOUT = """
CREATE TABLE catalog (
    serial INTEGER PRIMARY KEY AUTOINCREMENT,
    generation INTEGER NOT NULL,
    name TEXT NOT NULL UNIQUE,
    definition TEXT NOT NULL
);
CREATE TABLE tokens (token TEXT PRIMARY KEY, at INTEGER NOT NULL, digest BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX tokens_at ON tokens (at);
CREATE TABLE journal (number INTEGER NOT NULL);
INSERT INTO journal VALUES (0);
"""
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


# The driver asks every value but strings and numbers what it should be stored as; these two know.
sqlite3.register_adapter(bytes, bytes)
sqlite3.register_adapter(type(None), lambda none: none)


class Guest(Protocol):
    """Who keeps tables of its own in the file, and takes part in the transactions of the engine.

    What it gathers in `Database.gathered` while it writes is the transaction's: gone with it if it comes to nothing.
    """

    def sum_up(self, gathered: dict[str, Any]) -> None:
        """Write what is to be written once in a transaction, before its commit."""

    def tell(self, gathered: dict[str, Any]) -> None:
        """Note what has been committed, in the order of commits: within the engine's lock."""

    def announce(self, gathered: dict[str, Any]) -> None:
        """Tell what has been committed; in the thread that wrote and outside the engine's lock."""

    def expire(self, now: int, limit: int) -> int:
        """Remove up to `limit` rows whose time is over, within a transaction; how many there were."""


class _Queue:
    """One connection's place in the queue of all that write to a file.

    The lock belongs to the open file, so engines in one process queue like engines in several. Only two in one thread
    cannot, since the second one would wait for itself: it goes past the queue and meets SQLite's own lock.
    """

    _holders: ClassVar[dict[tuple[int, int], int]] = {}  # device and inode of a queue -> our thread that holds it

    def __init__(self, path: pathlib.Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        status = os.fstat(self._file)
        self._identity = status.st_dev, status.st_ino
        self._held = False

    def enter(self) -> None:
        """Wait until nobody else may write."""
        thread = threading.get_ident()
        if self._holders.get(self._identity) != thread:
            self._held = True  # said first, so that an interrupt while we wait leaves nothing locked
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._holders[self._identity] = thread

    def leave(self) -> None:
        """Let the next one in."""
        if self._held:
            if self._holders.get(self._identity) == threading.get_ident():
                del self._holders[self._identity]
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._held = False

    def close(self) -> None:
        """Give up the place."""
        self.leave()
        os.close(self._file)


class Database:
    """One connection, its transactions and batches.

    Outside a batch every call is a transaction. Within one the first call that writes begins it and `finish` commits
    it; a call that is refused has written nothing, because every call decides before it writes. When SQLite itself
    fails, the whole batch is lost: all later calls in it fail, and so does its end.

    Attributes:
        shared: whether other processes may be using the file.
        execute: runs one statement; what it writes is committed to SQLite at once.
        write: runs one statement of the guest, which may be kept in a journal.
        touched: the tables whose streams got records that are not announced yet.
        gathered: what the guest has gathered and not announced yet.
        guest: who else keeps tables in the file.
        undone: how often something was rolled back, which what somebody remembers may be of.
    """

    def __init__(self, path: str | os.PathLike[str] | None, durability: Durability) -> None:
        self.path = None if path is None else pathlib.Path(path)
        self.shared = self.path is not None
        self.touched: set[str] = set()
        self.gathered: dict[str, Any] = {}
        self.guest: Guest | None = None
        self.in_batch = False
        self.undone = 0
        self._writing = False
        self._lost: sqlite3.Error | None = None
        self._journal: journal.Journal | None = None
        self._number = 0  # of the journal's last record
        self._statements: list[journal.Statement] = []  # of the record to come
        self._sums: dict[tuple[str, str], tuple[int, ...]] = {}  # in the journal, and not in SQLite's transaction yet
        self._behind = False  # whether there are records that SQLite does not hold
        self._queue: _Queue | None = None
        if self.path is not None:
            _check_header(self.path)
        self._connection = self._open()
        try:
            self._prepare(durability)
        except sqlite3.Error as error:
            self._connection.close()
            raise self._unusable(error) from error
        except errors.UnusableFileError:
            self._connection.close()
            raise
        self.execute = self._connection.execute
        self.write: Callable[[str, tuple[Any, ...]], sqlite3.Cursor] = self.execute
        self._checkpointer = checkpoints.Checkpointer(self._open) if self.path is not None else None

    def begin(self) -> None:
        """Begin to write, unless that has happened already."""
        if self._writing:
            return
        if self._lost is not None:
            raise self._lost
        if self._behind:
            self._catch_up()
        if self._journal is None:  # with one nobody else uses the file
            self._enter_queue()
        self._writing = True
        if not self._connection.in_transaction:
            self.execute("BEGIN IMMEDIATE")  # where this fails, `fail` leaves the queue

    def snapshot(self) -> None:
        """Begin to read several rows as of one moment."""
        if not self._connection.in_transaction:
            self.execute("BEGIN")

    def commit(self) -> None:
        """End what `begin` or `snapshot` began; within a batch, leave what was written to its end.

        What only reads ends at once: a transaction that has read cannot write once another process has.
        """
        if not (self.in_batch and self._writing):
            self._commit()

    def abandon(self) -> None:
        """End the transaction of a refused call, which has written nothing."""
        if not (self.in_batch and self._writing):
            self._end("ROLLBACK")

    def fail(self, error: sqlite3.Error) -> None:
        """Undo everything after an error of SQLite."""
        try:
            self._end("ROLLBACK")
        finally:
            self._leave_queue()
        self._drop_news()
        if self.in_batch:
            self._lost = error

    def _commit(self) -> None:
        written = self._writing
        if self.gathered and self.guest is not None:
            self.guest.sum_up(self.gathered)
        if self._journal is None:
            self._end("COMMIT")
            if written and self._checkpointer is not None:
                self._checkpointer.count()
        elif written:
            self._record(self._journal)

    # --- The journal --------------------------------------------------------------------------------------------------

    def keep_journal(self, path: pathlib.Path, durability: Durability) -> None:
        """Commit to SQLite what a journal says, and from now on only now and then; nobody else uses the file.

        From now on the guest writes by `write`, and the engine has no tables.
        """
        self._journal = journal.Journal(path, full=durability == "full")
        self.write = self._write
        self._catch_up()

    def settle(self) -> None:
        """Commit to SQLite what has been written up to now."""
        if self._journal is not None and self._connection.in_transaction:
            for (statement, key), amounts in self._sums.items():
                self.execute(statement, (key, *amounts))
            self.execute("UPDATE journal SET number = ?", (self._number,))
            self._end("COMMIT")
            self._sums.clear()
            self._journal.rewind()
            if self._checkpointer is not None:
                self._checkpointer.count()

    def catch_up(self) -> None:
        """See to it that what is read is all that has been written."""
        if self._behind:
            self._catch_up()

    def _write(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        cursor = self.execute(statement, values)
        if cursor.rowcount:
            self._statements.append((statement, values))
        return cursor

    def add(self, statement: str, key: str, amounts: tuple[int, ...]) -> None:
        """Run a statement of the guest that adds amounts to the row of a key; with a journal before SQLite's commit.

        What has been added and is not in the row yet `sums` tells; there are no two statements for one row.
        """
        if self._journal is None:
            self.execute(statement, (key, *amounts))
            return
        self._statements.append((statement, (key, *amounts)))
        before = self._sums.get((statement, key))
        self._sums[statement, key] = amounts if before is None else tuple(map(operator.add, before, amounts))

    def sums(self, statement: str, key: str) -> tuple[int, ...] | None:
        """What is to be added to the row of a key."""
        return self._sums.get((statement, key))

    def drop(self, statement: str, key: str, adding: str) -> bool:
        """Run a statement of the guest that deletes the row of a key, to which another one adds; whether it was there.

        What was to be added goes with it, and comes back with the journal: so does the statement, even if there is no
        row yet.
        """
        sums = self._sums.pop((adding, key), None)
        was_there = self.execute(statement, (key,)).rowcount > 0 or sums is not None
        if was_there and self._journal is not None:
            self._statements.append((statement, (key,)))
        return was_there

    def _record(self, kept: journal.Journal) -> None:
        """Add what has been written to the journal."""
        if self._statements:
            try:
                kept.append(self._number + 1, self._statements)
            except OSError as error:
                raise sqlite3.OperationalError(str(error)) from error
            self._number += 1
            self._statements = []
        self._writing = False
        if kept.size > JOURNAL_BYTES:
            try:
                self.settle()
            except sqlite3.Error:  # what was written is in the journal, so it is stored and may be told
                self._end("ROLLBACK")

    def _catch_up(self) -> None:
        """Run again what SQLite has lost with its transaction."""
        assert self._journal is not None  # noqa: S101  # nothing else falls behind
        if self._connection.in_transaction:
            self.execute("ROLLBACK")
        self.execute("BEGIN IMMEDIATE")
        self._statements = []
        self._sums.clear()
        (self._number,) = self.execute("SELECT number FROM journal").fetchone()
        for number, statements in self._journal.since(self._number):
            for statement, values in statements:
                self.execute(statement, values)
            self._number = number
        self._behind = False
        self.settle()

    def _end(self, how: str) -> None:
        """Commit or roll back what is open, if anything is, and let the next writer in."""
        if how == "ROLLBACK":  # or SQLite has rolled back by itself
            self._behind = self._journal is not None
            self.undone += 1
        if self._connection.in_transaction:
            self.execute(how)
        self._leave_queue()

    def _enter_queue(self) -> None:
        if self.path is not None and self._queue is None:
            with contextlib.suppress(OSError):  # without a place in the queue SQLite's own lock has to do
                self._queue = _Queue(self.path.with_name(self.path.name + "-queue"))
        if self._queue is not None:
            self._queue.enter()

    def _leave_queue(self) -> None:
        self._writing = False
        if self._queue is not None:
            self._queue.leave()

    def start_batch(self) -> None:
        """Let the calls that follow share one transaction."""
        if self.in_batch:
            raise RuntimeError("A batch cannot be started within a batch.")
        self.in_batch = True

    def skip_batch(self) -> bool:
        """End a batch in which nothing was written, if that is so."""
        if self._writing or self._lost is not None or self.gathered:
            return False
        self.in_batch = False
        return True

    def finish_batch(self) -> None:
        """Commit what was written since `start_batch`.

        Raises:
            sqlite3.Error: the batch is lost.
        """
        self.in_batch = False
        lost, self._lost = self._lost, None
        if lost is not None:
            raise lost
        self._commit()

    def drop_batch(self) -> None:
        """Undo what was written since `start_batch`."""
        self.in_batch, self._lost = False, None
        self._drop_news()
        try:
            self._end("ROLLBACK")
        finally:
            self._leave_queue()

    def take_news(self) -> tuple[frozenset[str], dict[str, Any]] | None:
        """The tables and what the guest has to announce now; None: nothing, or it is not committed."""
        if self.in_batch or not (self.touched or self.gathered):
            return None
        news = frozenset(self.touched), self.gathered
        if self.gathered and self.guest is not None:
            self.guest.tell(self.gathered)
        self._drop_news()
        return news

    def _drop_news(self) -> None:
        self.touched.clear()
        self.gathered = {}

    def foreign_commits(self) -> int:
        """A number that changes whenever another connection has committed to the file."""
        (number,) = self.execute("PRAGMA data_version").fetchone()
        return int(number)

    def close(self) -> None:
        """Close the connection."""
        if self._checkpointer is not None:
            self._checkpointer.close()
        if self._journal is not None:
            with contextlib.suppress(sqlite3.Error):  # the journal has it
                self.settle()
            self._journal.close()
        self._connection.close()
        if self._queue is not None:
            self._queue.close()
            self._queue = None

    def _open(self) -> sqlite3.Connection:
        try:
            return sqlite3.connect(
                ":memory:" if self.path is None else self.path,
                timeout=BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=_STATEMENTS,
            )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _prepare(self, durability: Durability) -> None:
        run = self._connection.execute
        if self._application() == 0:
            self._create()
        if self._application() != APPLICATION_ID:
            raise _foreign(self.path)
        (version,) = run("PRAGMA user_version").fetchone()
        _check_version(self.path, version)
        run("PRAGMA journal_mode = WAL").fetchone()
        run(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
        run(f"PRAGMA cache_size = -{CACHE_KIB}")
        run(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}").fetchone()
        run(f"PRAGMA journal_size_limit = {_JOURNAL_LIMIT}").fetchone()
        run("PRAGMA secure_delete = FAST").fetchone()  # overwrites what is deleted, where that writes no more pages
        run("PRAGMA temp_store = MEMORY")
        run("SELECT count(*) FROM catalog").fetchone()

    def _application(self) -> int:
        (found,) = self._connection.execute("PRAGMA application_id").fetchone()
        return int(found)

    def _create(self) -> None:
        run = self._connection.execute
        run("BEGIN EXCLUSIVE")
        (objects,) = run("SELECT count(*) FROM sqlite_master").fetchone()
        if self._application() == 0 and not objects:
            for statement in filter(str.strip, _LAYOUT.split(";")):
                run(statement)
            run(f"PRAGMA application_id = {APPLICATION_ID}")
            run(f"PRAGMA user_version = {VERSION}")
        run("COMMIT")

    def _unusable(self, error: sqlite3.Error) -> errors.UnusableFileError:
        if is_damage(error):
            return damaged(self.path, str(error))
        return errors.UnusableFileError(
            f"The database file {self.path} cannot be opened ({error}); check that its folder exists and is writable."
        )


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the error means that the file is damaged."""
    return _primary(error) in _DAMAGED


def is_busy(error: sqlite3.Error) -> bool:
    """Whether the error means that another process holds the file."""
    return _primary(error) in _LOCKED


def is_stale(error: sqlite3.Error) -> bool:
    """Whether the error means that a table is no longer there."""
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith("no such table")


def damaged(path: pathlib.Path | None, why: str) -> errors.DamagedFileError:
    """The error for a damaged file."""
    return errors.DamagedFileError(
        f"The database file {path} is damaged ({why}) and was left as it is; move it away and restore a backup, "
        "or start with a new file."
    )


def _primary(error: sqlite3.Error) -> int:
    code: Any = getattr(error, "sqlite_errorcode", None)
    return 0 if code is None else code & 0xFF


def _foreign(path: pathlib.Path | None) -> errors.ForeignFileError:
    return errors.ForeignFileError(
        f"{path} is not an OpenMNS database and was left as it is; choose another file name."
    )


def _check_version(path: pathlib.Path | None, version: int) -> None:
    if version > VERSION:
        raise errors.NewerFileError(
            f"The database file {path} has layout version {version}, and this OpenMNS knows up to {VERSION}; it was "
            "left as it is. Upgrade OpenMNS, or choose another file."
        )
    if version < VERSION:
        raise errors.OlderFileError(
            f"The database file {path} has layout version {version}, of an OpenMNS before its first release, and was "
            "left as it is; move it away, or choose another file."
        )


def _check_header(path: pathlib.Path) -> None:
    """Refuse a file that is not ours by its first bytes, before SQLite opens and perhaps changes it."""
    if not path.exists() or not path.stat().st_size or _companion(path, "-journal"):
        return
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if not header.startswith(_MAGIC) or len(header) < _HEADER_BYTES:
        raise damaged(path, "it does not begin like a database") if _companion(path, "-wal") else _foreign(path)
    (size,) = struct.unpack(">H", header[16:18])
    (pages,) = struct.unpack(">I", header[28:32])
    version, application = struct.unpack(">I4xI", header[60:72])
    if application != APPLICATION_ID:
        raise _foreign(path)
    _check_version(path, version)
    if path.stat().st_size < pages * (size if size > 1 else 65536) and not _companion(path, "-wal"):
        raise damaged(path, "it is shorter than its header says")


def _companion(path: pathlib.Path, suffix: str) -> bool:
    companion = path.with_name(path.name + suffix)
    try:
        return companion.stat().st_size > 0
    except FileNotFoundError:  # or gone this very moment, by another process
        return False
