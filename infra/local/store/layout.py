"""The tables, and what a transaction gathers about each queue while it writes to them.

`queue_messages` holds a row for each message of every queue. `place` in the life of a message (`State`) decides which
index it is in; of what is in an index a verb reads the first entries and nothing else, whatever the backlog:

    READY     by priority, then since when it is visible, then by id
    WAITING   by the moment when it becomes visible: Delayed, or Inactive
    GROUPED   of a FIFO queue: by group and order in it; `queue_groups` says whether the group is held

`queue_counts` is changed once in a transaction by all that it did. `queue_bodies` has the payloads that are too large
to be written again at every claim; a row goes with that of its message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from infra.local.store import bounds

if TYPE_CHECKING:
    from infra.embedded import database

INLINE = 2048  # characters or bytes of a payload that stands with its message: up to there a second row costs more
RELEASES = 500  # messages that are due, made Active before a verb looks for the best one: all, as good as always
BURIALS = 500  # messages too old or dead that a verb clears away, before it answers with what it has

# Is told after a commit, by a queue's id, how many of its messages have become visible, and when (ms) the first one
# does of those that wait now and did not before.
Announce: TypeAlias = Callable[[str, int, int | None], None]
# Body, properties, what is sealed of both, and by which key; the first three are None where they stand apart.
Columns: TypeAlias = tuple[str | None, str | None, bytes | None, str | None]
# A message to be stored: queue, id, shard, priority, enqueued_at, expires_at, visible_at, stamp, body, group_id,
# properties, what is sealed, by which key.
New: TypeAlias = tuple[Any, ...]
# A message that was received: queue, id, stamp, and the key of its group in a FIFO queue.
Held: TypeAlias = tuple[str, str, str, str | None]
# A message that is there: its number, id, shard, priority, enqueued_at, expires_at, visible_at, stamp, dequeues,
# first_at, group_id, payload's columns.
Row: TypeAlias = tuple[Any, ...]


class State(IntEnum):
    """Where a message is in its life."""

    READY = 0
    WAITING = 1
    GROUPED = 2


COLUMNS = (  # of a message but its number
    "queue",
    "id",
    "shard",
    "state",
    "priority",
    "enqueued_at",
    "expires_at",
    "visible_at",
    "stamp",
    "dequeues",
    "first_at",
    "group_id",
    "group_key",
    "place",
    "body",
    "properties",
    "sealed",
    "sealed_by",
)
FIELDS = (  # of a `Row` of an ordinary queue
    "n, id, shard, priority, enqueued_at, expires_at, visible_at, stamp, dequeues, first_at, group_id,"
    " body, properties, sealed, sealed_by"
)
STATEMENTS = (
    """
    CREATE TABLE IF NOT EXISTS queue_messages (
        n INTEGER PRIMARY KEY,
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        shard INTEGER NOT NULL,
        state INTEGER NOT NULL,
        priority INTEGER NOT NULL,
        enqueued_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        visible_at INTEGER NOT NULL,
        stamp TEXT NOT NULL,
        dequeues INTEGER NOT NULL,
        first_at INTEGER,
        group_id TEXT,
        group_key TEXT,
        place TEXT,
        body TEXT,
        properties TEXT,
        sealed BLOB,
        sealed_by TEXT
    )
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS queue_messages_id ON queue_messages (queue, id)",
    f"""
    CREATE INDEX IF NOT EXISTS queue_messages_ready ON queue_messages (queue, priority, visible_at, id)
    WHERE state = {State.READY:d}
    """,
    f"""
    CREATE INDEX IF NOT EXISTS queue_messages_waiting ON queue_messages (queue, visible_at)
    WHERE state = {State.WAITING:d}
    """,
    f"""
    CREATE UNIQUE INDEX IF NOT EXISTS queue_messages_grouped ON queue_messages (queue, group_key, place)
    WHERE state = {State.GROUPED:d}
    """,
    "CREATE INDEX IF NOT EXISTS queue_messages_end ON queue_messages (expires_at)",
    "CREATE TABLE IF NOT EXISTS queue_bodies (n INTEGER PRIMARY KEY, body TEXT, properties TEXT, sealed BLOB)",
    """
    CREATE TRIGGER IF NOT EXISTS queue_bodies_go AFTER DELETE ON queue_messages
    WHEN old.body IS NULL AND old.sealed IS NULL
    BEGIN
        DELETE FROM queue_bodies WHERE n = old.n;
    END
    """,
    """
    CREATE TABLE IF NOT EXISTS queue_groups (
        queue TEXT NOT NULL,
        group_key TEXT NOT NULL,
        tail TEXT NOT NULL,
        since INTEGER NOT NULL,
        first TEXT NOT NULL,
        held_until INTEGER,
        seen TEXT NOT NULL,
        heads TEXT NOT NULL,
        PRIMARY KEY (queue, group_key)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS queue_groups_free ON queue_groups (queue, since, first) WHERE held_until IS NULL",
    "CREATE INDEX IF NOT EXISTS queue_groups_held ON queue_groups (queue, held_until) WHERE held_until IS NOT NULL",
    """
    CREATE TABLE IF NOT EXISTS queue_marks (
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (queue, id)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX IF NOT EXISTS queue_marks_until ON queue_marks (until)",
    """
    CREATE TABLE IF NOT EXISTS queue_counts (
        queue TEXT PRIMARY KEY,
        active INTEGER NOT NULL,
        inactive INTEGER NOT NULL,
        delayed INTEGER NOT NULL
    ) WITHOUT ROWID
    """,
)
COUNT = (
    "INSERT INTO queue_counts VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET active = active + excluded.active,"
    " inactive = inactive + excluded.inactive, delayed = delayed + excluded.delayed"
)


@dataclass(slots=True)
class Gathered:
    """What a transaction did to one queue."""

    active: int = 0
    inactive: int = 0
    delayed: int = 0
    visible: int = 0  # messages or groups that can be received now, and could not before
    next_due: int | None = None  # ms, the earliest moment of those that wait now, and did not before
    first: int = bounds.NOTHING  # the rank of the first of the Active messages, as far as was seen or put
    due: int = bounds.NOTHING  # ms, the earliest moment of those that waited before, as far as was seen
    saw_first: bool = False  # whether `first` is all there is ...
    saw_due: bool = False  # ... and `due`

    def put(self, rank: int) -> None:
        """There is one more Active message."""
        self.active += 1
        self.visible += 1
        self.first = min(self.first, rank)

    def see_first(self, rank: int) -> None:
        """The Active messages begin here now."""
        self.first, self.saw_first = rank, True

    def see_due(self, moment: int | None) -> None:
        """So do those that have waited before; who was told of an earlier one, which has gone, is told of this one."""
        self.due, self.saw_due = bounds.NOTHING if moment is None else moment, True
        if moment is not None:
            self.wait_until(moment)

    def wait_until(self, moment: int) -> None:
        """Something waits until a moment (ms)."""
        if self.next_due is None or moment < self.next_due:
            self.next_due = moment

    def count(self, state: int, dequeues: int, by: int) -> None:
        """There are more messages in a state, or less."""
        if state != State.WAITING:
            self.active += by
        elif dequeues:
            self.inactive += by
        else:
            self.delayed += by


def gathered(db: "database.Database", queue_id: str) -> Gathered:
    """What the transaction in hand has done to a queue, to be added to."""
    found: Gathered | None = db.gathered.get(queue_id)
    if found is None:
        found = db.gathered[queue_id] = Gathered()
    return found
