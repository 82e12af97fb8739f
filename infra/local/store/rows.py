"""Messages of queues as rows in SQLite; `layout` has the tables, `groups` what is different in FIFO queues.

What goes in and comes out are plain values, which another process may have sent. Every verb is one transaction, or part
of the one that the requests in hand share. Nobody else writes meanwhile, so a verb reads what is there and then writes,
without conditions and without trying again.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from botocore import exceptions

from chalicelib.broker import ports
from chalicelib.model import dead_letter, errors, queue
from chalicelib.storage import errors as engine_errors
from infra.local.store import ahead, bounds, groups, layout, payloads
from infra.local.store.layout import Announce, Gathered, Held, New, Row, State

if TYPE_CHECKING:
    from infra.embedded import engine

T = TypeVar("T")

_PURGE_ROWS = 500  # of a deleted queue, or whose retention is over, that go in one transaction
_EARLIEST = (
    f"SELECT visible_at FROM queue_messages WHERE queue = ? AND state = {State.WAITING:d} ORDER BY visible_at LIMIT 1"  # noqa: S608  # our own names
)
_DUES = f"SELECT queue, min(visible_at) FROM queue_messages WHERE state = {State.WAITING:d} GROUP BY queue"  # noqa: S608  # the same
_DUE = (
    f"SELECT {layout.FIELDS} FROM queue_messages WHERE queue = ? AND state = {State.WAITING:d} AND visible_at <= ?"  # noqa: S608  # our own names
    " ORDER BY visible_at LIMIT ?"
)
_CLAIM = (
    f"UPDATE queue_messages SET state = {State.WAITING:d}, visible_at = ?, stamp = ?, dequeues = dequeues + 1,"  # noqa: S608  # our own names
    f" first_at = ifnull(first_at, ?) WHERE n = ? AND state = {State.READY:d}"
)
_RELEASE = f"UPDATE queue_messages SET state = {State.READY:d} WHERE n = ?"  # noqa: S608  # our own names
_BURY = "DELETE FROM queue_messages WHERE n = ?"
_HELD = f"WHERE queue = ? AND id = ? AND state = {State.WAITING:d} AND stamp = ? AND visible_at > ? AND expires_at > ?"
_POSTPONE = f"UPDATE queue_messages SET visible_at = ?, stamp = ? {_HELD}"  # noqa: S608  # our own names
_DELETE_INACTIVE = f"DELETE FROM queue_messages {_HELD} AND dequeues > 0"  # noqa: S608  # the same
_DELETE_DELAYED = f"DELETE FROM queue_messages {_HELD} AND dequeues = 0"  # noqa: S608  # the same
_PURGES = tuple(  # in an order, so that the journal brings about the same again
    f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE queue = ? ORDER BY {order} LIMIT ?)"  # noqa: S608  # our own names
    for table, key, order in (
        ("queue_messages", "n", "id"),
        ("queue_groups", "queue, group_key", "group_key"),
        ("queue_marks", "queue, id", "id"),
    )
)
_FORGET = (
    "DELETE FROM queue_marks WHERE (queue, id) IN"
    " (SELECT queue, id FROM queue_marks WHERE until <= ? ORDER BY until, queue, id LIMIT ?)"
)
_COUNT_READY = (
    f"SELECT count(*) FROM (SELECT 1 FROM queue_messages WHERE queue = ? AND state = {State.READY:d} LIMIT ?)"  # noqa: S608  # our own names
)
_PAGE = (
    f"SELECT n, {', '.join(f'm.{column}' for column in layout.COLUMNS)}, b.body, b.properties, b.sealed"  # noqa: S608  # our own names
    f" FROM queue_messages m LEFT JOIN queue_bodies b USING (n) ORDER BY n LIMIT {_PURGE_ROWS}"
)
_COPY = (
    f"INSERT OR IGNORE INTO queue_messages ({', '.join(layout.COLUMNS)})"  # noqa: S608  # the same
    f" VALUES ({', '.join('?' * len(layout.COLUMNS))})"
)
_EXISTS = "SELECT 1 FROM queue_messages WHERE queue = ? AND id = ?"
_NOTHING = Gathered()
_NONE = (0, 0, 0)
_HELD_GROUP = 3  # of `Held`


class Rows:
    """The messages of one file, as rows; `Messages` knows what is in them."""

    def __init__(
        self,
        *,
        engine: "engine.EmbeddedEngine",
        codec: payloads.Codec,
        queues: ports.Queues,
        ids: ports.Ids,
        announce: Announce,
        tells: bounds.Bounds,
    ) -> None:
        """Set up.

        Args:
            engine: whose file it is.
            codec: reads and writes what dead letters hold.
            queues: tells whether a dead-letter queue is still there.
            ids: makes stamps, and the ids of dead letters.
            announce: is told what has changed for who waits.
            tells: what is told of these messages, to other processes and to this one.
        """
        self.tells = tells
        self._engine = engine
        self._codec = codec
        self._queues = queues
        self._ids = ids
        self._announce = announce
        self.db = engine.host(self, layout.STATEMENTS)
        self.payloads = payloads.Payloads(self.db)
        self._ahead = ahead.Ahead(self.db)
        self._groups = groups.Groups(db=self.db, payloads=self.payloads, ids=ids, move=self._move)
        self._read(self._tell_all)

    # --- The verbs ----------------------------------------------------------------------------------------------------

    def put(self, new: Sequence[New], *, fifo: bool) -> None:
        """Store messages: all, or an error is raised."""

        def put() -> None:
            for row in new:
                if fifo:
                    self._groups.append(row)
                else:
                    self._insert(row)

        self._transact(put)

    def put_once(self, new: New, *, fifo: bool) -> bool:
        """Store a message unless there is one with its id; whether it was stored."""

        def once() -> bool:
            if fifo:
                return self._groups.put_once(new)
            if self.db.execute(_EXISTS, new[:2]).fetchone() is not None:
                return False
            self._insert(new)
            return True

        return self._transact(once)

    def claim(
        self, queue_id: str, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None, *, fifo: bool
    ) -> tuple[list[Row], int | None]:
        """Rows that are claimed now, and when the next message is due, see `ports.Messages`."""
        claim = self._groups.claim if fifo else self._claim
        return self._transact(lambda: claim(queue_id, limit, now, visible_at, dead))

    def hold(self, of: queue.Queue) -> None:
        """Nothing: messages of all queues may be claimed here."""

    def peek(self, queue_id: str, limit: int, now: int, dead: dead_letter.Route | None, *, fifo: bool) -> list[Row]:
        """Rows that could be claimed, see `ports.Messages`."""
        peek = self._groups.peek if fifo else self._peek
        return self._transact(lambda: peek(queue_id, limit, now, dead))

    def postpone(self, of: Held, now: int, visible_at: int, stamp: str) -> bool:
        """Let a message wait until another moment, see `ports.Messages`."""
        postpone = self._postpone if of[_HELD_GROUP] is None else self._groups.postpone
        return self._transact(lambda: postpone(of, now, visible_at, stamp))

    def delete(self, of: Sequence[Held], now: int) -> list[bool]:
        """Delete messages; of each whether it was there, see `ports.Messages`."""
        delete = self._delete if of[0][_HELD_GROUP] is None else self._groups.delete
        return self._transact(lambda: [delete(each, now) for each in of])

    def release(
        self, queue_id: str, now: int, limit: int, dead: dead_letter.Route | None, *, fifo: bool
    ) -> ports.Released:
        """Make messages Active that are due, see `ports.Messages`."""
        release = self._groups.release if fifo else self._release
        return self._transact(lambda: release(queue_id, now, limit, dead))

    def purge(self, queue_id: str) -> bool:
        """Delete some messages of a queue, whatever their state; False: there were none."""
        return self._transact(lambda: self._purge(queue_id))

    def counts(self, queue_ids: Sequence[str]) -> dict[str, queue.Counts]:
        """How many messages there are in those queues that have been counted."""
        return self._read(lambda: dict(self._counts(queue_ids)))

    def settled_counts(self, queue_ids: Sequence[str]) -> dict[str, queue.Counts]:
        """The same, after what is due or over by now has been released and deleted."""
        now = self._engine.milliseconds()
        self.sweep()
        for queue_id in queue_ids:
            while self.release(queue_id, now, layout.RELEASES, None, fifo=False).count == layout.RELEASES:
                pass
        return self.counts(queue_ids)

    def sweep(self) -> None:
        """Delete all messages whose retention is over, see `Guest.expire`."""
        while self._engine.expire(_PURGE_ROWS) == _PURGE_ROWS:
            pass

    def dues(self) -> dict[str, int]:
        """When the first one is due of the messages that wait, by queue."""
        return self._read(lambda: dict(self.db.execute(_DUES).fetchall()))

    def ready(self, queue_id: str, limit: int) -> int:
        """How many messages of an ordinary queue are Active, up to `limit`."""
        (count,) = self._read(lambda: self.db.execute(_COUNT_READY, (queue_id, limit)).fetchone())
        return int(count)

    def holds(self, of: Held) -> bool:
        """Whether a message is here, in whatever state."""
        return self._read(lambda: self.db.execute(_EXISTS, of[:2]).fetchone()) is not None

    def take_over(self, file: "engine.EmbeddedEngine") -> None:
        """Take over the messages of ordinary queues that another file holds; those that are here already stay."""
        other = Rows(
            engine=file,
            codec=self._codec,
            queues=self._queues,
            ids=self._ids,
            announce=lambda *_: None,
            tells=bounds.Bounds(),
        )
        while page := other._read(lambda: other.db.execute(_PAGE).fetchall()):
            self._transact(functools.partial(self._take_in, page))
            other._transact(functools.partial(other._let_go, page))

    def _take_in(self, page: Sequence[Row]) -> None:
        for _, *row, body, properties, sealed in page:
            copy = self.db.write(_COPY, tuple(row))
            if not copy.rowcount:
                continue
            queue_id, state, priority, visible_at, dequeues = row[0], row[3], row[4], row[7], row[9]
            if state == State.WAITING:
                gathered = layout.gathered(self.db, queue_id)
                gathered.count(state, dequeues, 1)
                gathered.wait_until(visible_at)
            else:
                self._become_active(queue_id, (priority, visible_at, row[1]))
            if (body, properties, sealed) != payloads.APART:
                self.db.write(payloads.INSERT_APART, (copy.lastrowid, body, properties, sealed))

    def _let_go(self, page: Sequence[Row]) -> None:
        for row in page:
            self.db.write(_BURY, row[:1])

    # --- The engine's guest -------------------------------------------------------------------------------------------

    def sum_up(self, gathered: dict[str, Gathered]) -> None:
        """Count, see `database.Guest`."""
        for queue_id, of in gathered.items():
            if of.active or of.inactive or of.delayed:
                self.db.add(layout.COUNT, queue_id, (of.active, of.inactive, of.delayed))

    def tell(self, gathered: dict[str, Gathered]) -> None:
        """See `database.Guest`."""
        for queue_id, of in gathered.items():
            due = of.due if of.next_due is None else min(of.due, of.next_due)
            self.tells.tell_first(queue_id, of.first, sure=of.saw_first)
            self.tells.tell_due(queue_id, due, sure=of.saw_due)

    def announce(self, gathered: dict[str, Gathered]) -> None:
        """See `database.Guest`."""
        for queue_id, of in gathered.items():
            if of.visible or of.next_due is not None:
                self._announce(queue_id, of.visible, of.next_due)

    def expire(self, now: int, limit: int) -> int:
        """Delete messages whose retention is over, see `database.Guest`."""
        rows = self.db.execute(
            "SELECT n, queue, state, dequeues, group_key FROM queue_messages WHERE expires_at <= ? LIMIT ?",
            (now, limit),
        ).fetchall()
        for n, queue_id, state, dequeues, group_key in rows:
            self.db.write(_BURY, (n,))
            layout.gathered(self.db, queue_id).count(state, dequeues, -1)
            if state == State.GROUPED:
                self._groups.miss(queue_id, group_key, now)
        for queue_id in {queue_id for _, queue_id, *_ in rows}:
            self._ahead.forget(queue_id)
            layout.gathered(self.db, queue_id).see_first(self._ahead.first(queue_id))
        return len(rows) + self.db.write(_FORGET, (now, limit - len(rows))).rowcount

    def _tell_all(self) -> None:
        """Tell of every queue what is here from before."""
        self.tells.clear()
        for (queue_id,) in self.db.execute("SELECT queue FROM queue_counts").fetchall():
            earliest = self.db.execute(_EARLIEST, (queue_id,)).fetchone()
            self.tells.tell_first(queue_id, self._ahead.first(queue_id), sure=False)
            self.tells.tell_due(queue_id, bounds.NOTHING if earliest is None else earliest[0], sure=False)

    def _read(self, work: Callable[[], T]) -> T:
        try:
            return self._engine.read(work)
        except exceptions.ClientError as error:
            raise engine_errors.translate(error) from error

    def _transact(self, work: Callable[[], T]) -> T:
        try:
            return self._engine.transact(work)
        except exceptions.ClientError as error:
            raise engine_errors.translate(error) from error

    # --- Ordinary queues, within a transaction ------------------------------------------------------------------------

    def _insert(self, new: New) -> None:
        queue_id, message_id, _, priority, enqueued_at, _, visible_at = new[:7]
        if visible_at > enqueued_at:
            self.payloads.insert(new, State.WAITING)
            gathered = layout.gathered(self.db, queue_id)
            gathered.delayed += 1
            gathered.wait_until(visible_at)
        else:
            self.payloads.insert(new, State.READY)
            self._become_active(queue_id, (priority, visible_at, message_id))

    def _become_active(self, queue_id: str, place: ahead.Place) -> None:
        """Note that there is one more Active message."""
        layout.gathered(self.db, queue_id).put(bounds.rank(place[0], place[1]))
        self._ahead.put(queue_id, place)

    def _claim(
        self, queue_id: str, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None
    ) -> tuple[list[Row], int | None]:
        gathered = layout.gathered(self.db, queue_id)
        try:
            ready, rest = self._ready(queue_id, limit, now, dead)
            taken = [self._take(row, now, visible_at) for row in ready]
        except BaseException:
            self._ahead.forget(queue_id)
            raise
        gathered.see_first(rest)
        if not taken:
            return taken, self._next_due(queue_id)
        gathered.active -= len(taken)
        gathered.inactive += len(taken)
        gathered.wait_until(visible_at)
        return taken, None

    def _take(self, row: Row, now: int, visible_at: int) -> Row:
        """Claim an Active message; as it is then."""
        n, stamp = row[0], self._ids.stamp()
        if self.db.write(_CLAIM, (visible_at, stamp, now, n)).rowcount != 1:
            raise errors.InternalError("A message that was read ahead is not Active any more.")
        dequeues, first_at, group_id = row[8:11]
        since = now if first_at is None else first_at
        return (*row[:6], visible_at, stamp, dequeues + 1, since, group_id, *self.payloads.read(n, row[11:]))

    def _peek(self, queue_id: str, limit: int, now: int, dead: dead_letter.Route | None) -> list[Row]:
        self._ahead.forget(queue_id)
        try:
            ready, _ = self._ready(queue_id, limit, now, dead)
            return [(*row[:11], *self.payloads.read(row[0], row[11:])) for row in ready]
        finally:
            self._ahead.forget(queue_id)  # they have been taken, and stay

    def _ready(self, queue_id: str, limit: int, now: int, dead: dead_letter.Route | None) -> tuple[list[Row], int]:
        """Up to `limit` Active messages, best first, and what those rank that are left.

        What is due becomes Active before. What is too old or dead goes on the way; more than is cleared away at once is
        left for the next time.
        """
        if self.tells.is_due(queue_id, now):
            self._release(queue_id, now, layout.RELEASES, dead)
        found: list[Row] = []
        gone, stuck = 0, bounds.NOTHING
        while True:
            page, rest = self._ahead.take(queue_id, limit - len(found))
            for row in page:
                if row[5] <= now:
                    self._bury(queue_id, row, State.READY)
                elif dead is not None and dead.takes(row[8]):
                    if not self._bring(row, State.READY, now, dead):
                        stuck = min(stuck, bounds.rank(row[3], row[6]))
                else:
                    found.append(row)
                    continue
                gone += 1
            if not page or len(found) == limit or gone >= layout.BURIALS:
                break
        if stuck < bounds.NOTHING:
            self._ahead.forget(queue_id)
        return found, min(rest, stuck)

    def _next_due(self, queue_id: str) -> int | None:
        """When the first one is due of the messages that wait."""
        earliest = self.db.execute(_EARLIEST, (queue_id,)).fetchone()
        next_due = None if earliest is None else int(earliest[0])
        layout.gathered(self.db, queue_id).see_due(next_due)
        return next_due

    def _release(self, queue_id: str, now: int, limit: int, dead: dead_letter.Route | None) -> ports.Released:
        due = self.db.execute(_DUE, (queue_id, now, limit)).fetchall()
        for row in due:
            if row[5] <= now:
                self._bury(queue_id, row, State.WAITING)
            elif dead is None or not dead.takes(row[8]) or not self._bring(row, State.WAITING, now, dead):
                self.db.write(_RELEASE, (row[0],))
                layout.gathered(self.db, queue_id).count(State.WAITING, row[8], -1)
                self._become_active(queue_id, (row[3], row[6], row[1]))
        return ports.Released(count=len(due), next_due=self._next_due(queue_id))

    def _bury(self, queue_id: str, row: Row, state: State) -> None:
        """Delete a message."""
        self.db.write(_BURY, (row[0],))
        layout.gathered(self.db, queue_id).count(state, row[8], -1)

    def _bring(self, row: Row, state: State, now: int, dead: dead_letter.Route) -> bool:
        """Move a message to the dead-letter queue; False: it cannot go, and stays."""
        moved = self._move([(*row[:11], *self.payloads.read(row[0], row[11:]))], now, dead)
        if moved:
            self._bury(dead.source.queue_id, row, state)
        return moved

    def _move(self, rows: Sequence[Row], now: int, dead: dead_letter.Route) -> bool:
        """Put the letters that dead messages become into the dead-letter queue.

        False: there is none any more, or a message cannot be read or encrypted; nothing has been written.
        """
        there = self._queues.get(dead.namespace, dead.target.name)
        if there is None or there.queue_id != dead.target.queue_id:
            return False
        letters = []
        try:
            for row in rows:
                found = self._codec.read(dead.source.queue_id, row)
                letter = dead.letter(found, message_id=self._ids.message_id(now), stamp=self._ids.stamp())
                letters.append(self._codec.write(dead.target, letter))
        except errors.MnsError:  # a key that cannot be used, say: the message stays, and others come on
            return False
        for letter_row in letters:
            if dead.target.is_fifo:
                self._groups.append(letter_row)
            else:
                self._insert(letter_row)
        return True

    def _postpone(self, of: Held, now: int, visible_at: int, stamp: str) -> bool:
        done = self.db.write(_POSTPONE, (visible_at, stamp, *of[:3], now, now)).rowcount == 1
        if done:
            layout.gathered(self.db, of[0]).wait_until(visible_at)
        return done

    def _delete(self, of: Held, now: int) -> bool:
        held = (*of[:3], now, now)
        if self.db.write(_DELETE_INACTIVE, held).rowcount:
            layout.gathered(self.db, of[0]).inactive -= 1
        elif self.db.write(_DELETE_DELAYED, held).rowcount:
            layout.gathered(self.db, of[0]).delayed -= 1
        else:
            return False
        return True

    # --- All queues, within a transaction -----------------------------------------------------------------------------

    def _purge(self, queue_id: str) -> bool:
        self._ahead.forget(queue_id)
        for statement in _PURGES:
            if self.db.write(statement, (queue_id, _PURGE_ROWS)).rowcount:
                return True
        return self.db.drop("DELETE FROM queue_counts WHERE queue = ?", queue_id, layout.COUNT)

    def _counts(self, queue_ids: Sequence[str]) -> Iterable[tuple[str, queue.Counts]]:
        for queue_id in queue_ids:
            pending = self.db.gathered.get(queue_id, _NOTHING)
            row = self.db.execute(
                "SELECT active, inactive, delayed FROM queue_counts WHERE queue = ?", (queue_id,)
            ).fetchone()
            sums = self.db.sums(layout.COUNT, queue_id)
            if row is not None or sums is not None or pending is not _NOTHING:
                active, inactive, delayed = map(sum, zip(row or _NONE, sums or _NONE, strict=True))
                yield (
                    queue_id,
                    queue.Counts(
                        active=active + pending.active,
                        inactive=inactive + pending.inactive,
                        delayed=delayed + pending.delayed,
                    ),
                )
