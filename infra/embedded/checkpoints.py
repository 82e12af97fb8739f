"""Carrying what was committed from the write-ahead log into the database file, beside the work of the engine.

SQLite does so within a commit, which then takes as long as the disk does. Here a thread with a connection of its own
does most of it, while the engine goes on; its calls into SQLite do not hold the interpreter. A log that is never at
rest can only begin anew after a checkpoint within a commit: those come seldom, and find little left to do.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

COMMITS = 128  # from one checkpoint to the next


class Checkpointer:
    """Makes a checkpoint of one file every `COMMITS` commits; its thread is started when it is first needed."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Set up; `connect` opens the file, in the thread."""
        self._connect = connect
        self._commits = 0
        self._due = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def count(self) -> None:
        """Note a commit."""
        self._commits += 1
        if self._commits >= COMMITS:
            self._commits = 0
            self._due.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="openmns-checkpoints", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Finish the checkpoint in hand and end."""
        self._closed = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        # What the file is to be blamed for the engine meets by itself, and can tell somebody.
        with contextlib.suppress(sqlite3.Error), contextlib.closing(self._connect()) as connection:
            while self._due.wait() and not self._closed:
                self._due.clear()
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
