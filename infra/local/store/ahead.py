"""The Active messages of ordinary queues that come first, read before they are claimed.

Nobody else writes to the file, so what was read of a queue stays the beginning of its Active messages until a message
becomes Active that comes before the last one of them. Reading several at a time costs little more than reading one; how
many are read grows while they are claimed as they were read, and begins anew when they are not.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from infra.local.store import bounds, layout
from infra.local.store.layout import Row, State

if TYPE_CHECKING:
    from infra.embedded import database

Place: TypeAlias = tuple[int, int, str]  # among the Active messages of a queue: priority, visible_at, id

_WIDEST = 16  # rows that are read at once
_MOST = 256  # queues of which something is kept
_BEGINNING: Place = (0, 0, "")  # comes before every place
_READY = (
    f"SELECT {layout.FIELDS} FROM queue_messages WHERE queue = ? AND state = {State.READY:d}"  # noqa: S608  # our own names
    " AND (priority, visible_at, id) > (?, ?, ?) ORDER BY priority, visible_at, id LIMIT ?"
)


@dataclass(slots=True)
class _Window:
    """What was read of a queue and not taken yet."""

    rows: deque[Row] = field(default_factory=deque)
    last: Place = _BEGINNING  # of what was read
    width: int = 1  # rows to read the next time
    whole: bool = False  # whether there is nothing after `last`


class Ahead:
    """What is kept, of all queues of a file."""

    def __init__(self, db: "database.Database") -> None:
        self._db = db
        self._windows: dict[str, _Window] = {}
        self._undone = db.undone

    def take(self, queue_id: str, limit: int) -> tuple[list[Row], int]:
        """Up to `limit` Active messages, best first, each of them once, and what the first one ranks of those left.

        They are Active still: until that has been written nothing may be read of the queue but by `take`. Whoever
        leaves one of them Active has to `forget` the queue afterwards, and so if he fails.
        """
        window = self._of(queue_id)
        rows = window.rows
        taken: list[Row] = []
        while rows or self._read(queue_id, window, limit + 1 - len(taken)):
            if len(taken) == limit:
                first = rows[0]
                return taken, bounds.rank(first[3], first[6])
            taken.append(rows.popleft())
        return taken, bounds.NOTHING

    def first(self, queue_id: str) -> int:
        """What the first one ranks."""
        return self.take(queue_id, 0)[1]

    def put(self, queue_id: str, place: Place) -> None:
        """One more has become Active."""
        window = self._windows.get(queue_id)
        if window is None:
            return
        if place <= window.last:
            del self._windows[queue_id]
        else:
            window.whole = False

    def forget(self, queue_id: str) -> None:
        """Something else has become of Active messages of this queue."""
        self._windows.pop(queue_id, None)

    def _of(self, queue_id: str) -> _Window:
        if self._undone != self._db.undone:
            self._undone = self._db.undone
            self._windows.clear()
        window = self._windows.get(queue_id)
        if window is None:
            if len(self._windows) >= _MOST:
                self._windows.clear()
            window = self._windows[queue_id] = _Window()
        return window

    def _read(self, queue_id: str, window: _Window, least: int) -> bool:
        """Read on; whether there was anything."""
        if window.whole:
            return False
        width = max(least, window.width)
        page = self._db.execute(_READY, (queue_id, *window.last, width)).fetchall()
        window.whole = len(page) < width
        window.width = min(2 * width, _WIDEST)
        if page:
            window.rows.extend(page)
            last = page[-1]
            window.last = (last[3], last[6], last[1])
        return bool(page)
