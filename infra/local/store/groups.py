"""What is different in FIFO queues: the rules are `model.group`'s, here a group is read, changed and written back.

A row of `queue_groups` says all there is to know of a group that has messages, but for these themselves: they are
written once, behind the last one of their group, and deleted once. Free groups are in line since when they are free, of
new ones those first whose first message was; held ones by when they will be free at the latest.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import orjson

from chalicelib.broker import ports
from chalicelib.model import dead_letter, group, limits
from infra.embedded import database
from infra.local.store import layout, payloads
from infra.local.store.layout import Held, New, Row, State

_ORDER_LENGTH = 16  # characters of a message id that carry time and sequence ...
_MOMENT_LENGTH = 12  # ... and those of them that carry the milliseconds
_PAGE = 25  # messages read at once where the first ones are too old
_HEAD = tuple(field.name for field in dataclasses.fields(group.Head))
_GROUP = "SELECT tail, since, seen, heads FROM queue_groups WHERE queue = ? AND group_key = ?"
_BEGIN = "INSERT INTO queue_groups (queue, group_key, tail, since, first, seen, heads) VALUES (?, ?, ?, ?, ?, '', '[]')"
_TAIL = "SELECT tail FROM queue_groups WHERE queue = ? AND group_key = ?"
_APPEND = "UPDATE queue_groups SET tail = ? WHERE queue = ? AND group_key = ? AND tail < ?"
_WRITE = (
    "UPDATE queue_groups SET since = ?, first = '', held_until = ?, seen = ?, heads = ?"
    " WHERE queue = ? AND group_key = ?"
)
_FREE = (
    "SELECT since, first, group_key FROM queue_groups WHERE queue = ? AND held_until IS NULL"
    " AND (since, first, group_key) > (?, ?, ?) ORDER BY since, first, group_key LIMIT ?"
)
_DUE = (
    "SELECT held_until, '', group_key FROM queue_groups WHERE queue = ? AND held_until <= ? ORDER BY held_until LIMIT ?"
)
_NEXT = "SELECT held_until FROM queue_groups WHERE queue = ? AND held_until IS NOT NULL ORDER BY held_until LIMIT 1"
_FIRST = (
    "SELECT n, id, shard, priority, enqueued_at, expires_at, visible_at, stamp, dequeues, first_at, group_id,"  # noqa: S608  # our own names
    " body, properties, sealed, sealed_by, place FROM queue_messages"
    f" WHERE queue = ? AND group_key = ? AND state = {State.GROUPED:d} ORDER BY place LIMIT ?"
)
_DELETE = f"DELETE FROM queue_messages WHERE queue = ? AND group_key = ? AND state = {State.GROUPED:d} AND place = ?"  # noqa: S608  # our own names
_START = (0, "", "")  # comes before every place among the groups that are free
_PLACE = -1  # the column of `_FIRST` behind those of a message


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Seen:
    """A group as it is stored."""

    queue_id: str
    key: str
    state: group.Group


class Groups:
    """What `Rows` does at FIFO queues, within its transactions."""

    def __init__(
        self,
        *,
        db: database.Database,
        payloads: payloads.Payloads,
        ids: ports.Ids,
        move: Callable[[Sequence[Row], int, dead_letter.Route], bool],
    ) -> None:
        """Set up; `move` puts dead messages into the dead-letter queue, or says that there is none."""
        self._db = db
        self._payloads = payloads
        self._ids = ids
        self._move = move

    def append(self, new: New) -> None:
        """Put a message behind the last one of its group."""
        queue_id, message_id, group_id = new[0], new[1], new[9]
        assert group_id is not None  # noqa: S101  # `message.accept` has seen to it
        key = group.key(group_id)
        order = self._next(queue_id, key, message_id[:_ORDER_LENGTH])
        self._payloads.insert(new, State.GROUPED, (key, order))
        layout.gathered(self._db, queue_id).active += 1

    def _next(self, queue_id: str, key: str, order: str) -> str:
        """Make `order` the place of a group's newest message, or one behind its last one; the group begins with it."""
        where = (queue_id, key)
        if self._db.write(_APPEND, (order, *where, order)).rowcount:
            return order
        tail = self._db.execute(_TAIL, where).fetchone()
        if tail is None:
            self._db.write(_BEGIN, (*where, order, int(order[:_MOMENT_LENGTH], 16), order))
            layout.gathered(self._db, queue_id).visible += 1
            return order
        order = _after(tail[0])
        self._db.write(_APPEND, (order, *where, order))
        return order

    def put_once(self, new: New) -> bool:
        """The same, unless the message has been there before, though it is no more."""
        queue_id, message_id, _, _, _, expires_at, *_ = new
        until = expires_at + limits.TTL_SLACK_SECONDS * 1000
        marked = self._db.write(
            "INSERT OR IGNORE INTO queue_marks (queue, id, until) VALUES (?, ?, ?)",
            (queue_id, message_id, until),
        ).rowcount
        if marked:
            self.append(new)
        return marked == 1

    def claim(
        self, queue_id: str, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None
    ) -> tuple[list[Row], int | None]:
        """Take the first messages of free groups: consecutive ones, as many of each group as of the others."""
        next_due = self._release_before(queue_id, now, dead)
        taken: list[Row] = []
        for seen, rows in self._free(queue_id, limit, now, dead):
            stamp = self._ids.stamp()
            places = [group.Place(order=row[_PLACE], message_id=row[1], expires_at=row[5]) for row in rows]
            changed = seen.state.receive(places, now=now, visible_at=visible_at, stamp=stamp)
            self._write(seen, changed)
            taken += self._complete(rows, changed)
        return taken, next_due

    def peek(self, queue_id: str, limit: int, now: int, dead: dead_letter.Route | None) -> list[Row]:
        """The first messages of free groups, as they are."""
        found: list[Row] = []
        visited: set[str] = set()
        while (missing := limit - len(found)) and len(visited) < layout.BURIALS:
            in_line = [key for key in self._in_line(queue_id, missing + len(visited), now) if key not in visited]
            if not in_line:
                break
            visited.update(in_line[:missing])
            for seen, rows in self._firsts(queue_id, in_line[:missing], missing, now, dead):
                found += self._complete(rows, seen.state)
        return found

    def postpone(self, of: Held, now: int, visible_at: int, stamp: str) -> bool:
        """Hold the group of a message on, or free it."""
        held = self._held(of, now)
        if held is None:
            return False
        seen, head = held
        self._write(seen, seen.state.postpone(head.order, now=now, visible_at=visible_at, stamp=stamp))
        return True

    def delete(self, of: Held, now: int) -> bool:
        """Delete a message; its group is free if it was the last one of those in hand."""
        held = self._held(of, now)
        if held is None:
            return False
        seen, head = held
        self._leave(seen, [head.order], now)
        return True

    def release(self, queue_id: str, now: int, limit: int, dead: dead_letter.Route | None) -> ports.Released:
        """Free groups that are due; what is counted are groups."""
        due = self._db.execute(_DUE, (queue_id, now, limit)).fetchall()
        for _, _, key in due:
            seen = self._read(queue_id, key)
            if seen is not None:
                self._write(seen, seen.state.release(now))
                if dead is not None:
                    self._first(queue_id, key, limits.BATCH_SIZE.high, now, dead)
        row = self._db.execute(_NEXT, (queue_id,)).fetchone()
        return ports.Released(count=len(due), next_due=None if row is None else row[0])

    def miss(self, queue_id: str, key: str, now: int) -> None:
        """A message of a group is no more, for its retention is over."""
        seen = self._read(queue_id, key)
        if seen is None:
            return
        old = [head.order for head in seen.state.heads if head.expires_at <= now]
        if self._db.execute(_FIRST, (queue_id, key, 1)).fetchone() is None:
            self._end(seen)
        elif old:
            self._write(seen, seen.state.delete(old, now))

    # ------------------------------------------------------------------------------------------------------------------

    def _release_before(self, queue_id: str, now: int, dead: dead_letter.Route | None) -> int | None:
        """Free what is due; when the next one is."""
        row = self._db.execute(_NEXT, (queue_id,)).fetchone()
        if row is None or row[0] > now:
            return None if row is None else int(row[0])
        return self.release(queue_id, now, layout.RELEASES, dead).next_due

    def _free(
        self, queue_id: str, limit: int, now: int, dead: dead_letter.Route | None
    ) -> Iterator[tuple[_Seen, list[Row]]]:
        """Groups that are free, each with its first messages, up to `limit` in all."""
        after: tuple[int, str, str] = _START
        missing = limit
        while missing:
            width = missing
            page = self._db.execute(_FREE, (queue_id, *after, width)).fetchall()
            for seen, rows in self._firsts(queue_id, [key for _, _, key in page], missing, now, dead):
                missing -= len(rows)
                yield seen, rows
            if len(page) < width:
                break
            after = page[-1]

    def _in_line(self, queue_id: str, limit: int, now: int) -> list[str]:
        """The groups that are free or due, those first that are so longest."""
        free = self._db.execute(_FREE, (queue_id, *_START, limit)).fetchall()
        due = self._db.execute(_DUE, (queue_id, now, limit)).fetchall()
        return [key for _, _, key in sorted([*free, *due])]

    def _firsts(
        self, queue_id: str, keys: Sequence[str], limit: int, now: int, dead: dead_letter.Route | None
    ) -> Iterator[tuple[_Seen, list[Row]]]:
        """The first messages of these groups, up to `limit` in all, as many of one as of the others."""
        for place, key in enumerate(keys):
            share = -(-limit // (len(keys) - place))
            found = self._first(queue_id, key, share, now, dead)
            if found is not None:
                limit -= len(found[1])
                yield found

    def _first(
        self, queue_id: str, key: str, share: int, now: int, dead: dead_letter.Route | None
    ) -> tuple[_Seen, list[Row]] | None:
        """A free group and its first messages, up to `share`; None: there are none that may be received.

        What is too old is deleted, what is dead goes to its queue, and a group without messages goes, too. If a dead
        message cannot go, none is received: it would be passed over.
        """
        width, gone = share, 0
        while gone < layout.BURIALS:
            seen = self._read(queue_id, key)
            if seen is None:
                break
            rows = self._db.execute(_FIRST, (queue_id, key, width)).fetchall()
            fresh = [row for row in rows if row[5] > now]
            if len(fresh) < len(rows):
                seen = self._lose(seen, [row for row in rows if row[5] <= now], now)
                gone += len(rows) - len(fresh)
            if dead is not None and (letters := [row for row in fresh if dead.takes(seen.state.count(row[_PLACE]))]):
                if not self._move(self._complete(letters, seen.state), now, dead):
                    break
                self._leave(seen, [row[_PLACE] for row in letters], now)
                gone += len(letters)
            elif fresh:
                return seen, fresh[:share]
            elif len(rows) < width:
                self._end(seen)
                break
            else:
                width = max(share, _PAGE)
        return None

    def _lose(self, seen: _Seen, old: Sequence[Row], now: int) -> _Seen:
        """Delete messages whose retention is over; the group without them."""
        for row in old:
            self._db.write("DELETE FROM queue_messages WHERE n = ?", (row[0],))
        layout.gathered(self._db, seen.queue_id).active -= len(old)
        orders = {row[_PLACE] for row in old}
        if orders.isdisjoint([head.order for head in seen.state.heads]):
            return seen
        changed = seen.state.delete(orders, now)
        self._write(seen, changed)
        return dataclasses.replace(seen, state=changed)

    def _leave(self, seen: _Seen, orders: Sequence[str], now: int) -> None:
        """Delete messages of a group."""
        for order in orders:
            self._db.write(_DELETE, (seen.queue_id, seen.key, order))
        layout.gathered(self._db, seen.queue_id).active -= len(orders)
        changed = seen.state.delete(orders, now)
        if changed.is_empty:
            self._end(seen)
        else:
            self._write(seen, changed)

    def _held(self, of: Held, now: int) -> tuple[_Seen, group.Head] | None:
        """The group and the message that a receipt is for; None: it is no longer valid."""
        queue_id, message_id, stamp, key = of
        assert key is not None  # noqa: S101  # `Rows` asks for those of FIFO queues only
        seen = self._read(queue_id, key)
        head = None if seen is None else seen.state.held(message_id, stamp, now)
        return None if seen is None or head is None else (seen, head)

    def _read(self, queue_id: str, key: str) -> _Seen | None:
        row = self._db.execute(_GROUP, (queue_id, key)).fetchone()
        if row is None:
            return None
        tail, since, seen, heads = row
        known = tuple([group.Head(**dict(zip(_HEAD, head, strict=True))) for head in orjson.loads(heads)])
        state = group.Group(tail=tail, since=since, seen=seen, heads=known)
        return _Seen(queue_id=queue_id, key=key, state=state)

    def _write(self, seen: _Seen, changed: group.Group) -> None:
        """Write a group back; count, and tell when it becomes free."""
        until = changed.held_until
        heads = orjson.dumps([list(vars(head).values()) for head in changed.heads]).decode()
        self._db.write(_WRITE, (changed.since, until, changed.seen, heads, seen.queue_id, seen.key))
        gathered = layout.gathered(self._db, seen.queue_id)
        held = changed.inactive - seen.state.inactive
        gathered.inactive += held
        gathered.active -= held
        if until is not None:
            gathered.wait_until(until)
        elif seen.state.held_until is not None:
            gathered.visible += 1

    def _end(self, seen: _Seen) -> None:
        """Forget a group that has no messages any more."""
        self._db.write("DELETE FROM queue_groups WHERE queue = ? AND group_key = ?", (seen.queue_id, seen.key))
        gathered = layout.gathered(self._db, seen.queue_id)
        gathered.inactive -= seen.state.inactive
        gathered.active += seen.state.inactive

    def _complete(self, rows: Sequence[Row], state: group.Group) -> list[Row]:
        """Messages of a group, each as what became of it says, with its payload."""
        heads = {head.order: head for head in state.heads}
        return [self._row(row, heads.get(row[_PLACE])) for row in rows]

    def _row(self, row: Row, head: group.Head | None) -> Row:
        whole = self._payloads.read(row[0], row[11:_PLACE])
        if head is None:
            return (*row[:6], row[4], "", 0, None, row[10], *whole)
        moments = (head.visible_at, head.stamp, head.dequeue_count, head.first_dequeued_at)
        return (*row[:6], *moments, row[10], *whole)


def _after(order: str) -> str:
    """The order that comes next."""
    return f"{int(order, 16) + 1:0{_ORDER_LENGTH}X}"
