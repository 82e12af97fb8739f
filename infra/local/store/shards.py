"""The messages of a server of several processes: each keeps those that come in through it, in a file of its own.

A process claims its own messages first, and those of others only

    if they should come before: by their priority, or because they have been visible for much longer where nobody
    receives
    if its own are too few

The messages of FIFO queues are all kept by the first process: there is one order in a group. Those of queues with a
rate are all received through it: there is one meter.

What a process cannot do with its own messages it leaves undone, without having changed anything, and raises
`Elsewhere`: a worker then has the first process run the whole request, and the first process runs it again where it may
ask the others and wait for their answers, which takes a greenlet (`line`).
"""

from collections.abc import Iterator, Sequence
from typing import Any, Protocol, TypeAlias

from chalicelib import telemetry
from chalicelib.broker import ports
from chalicelib.model import dead_letter, errors, queue
from infra.local.store import bounds, layout, rows
from infra.local.store.layout import Announce, Held, New, Row

LATE_MS = 5000  # that messages are older than a process's own, and nobody has claimed any there, to come before these
_GROUP = 3  # of `Held`
Asked: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]  # a verb of `rows.Rows`, and its arguments


class Elsewhere(BaseException):  # a way to go on, which no handler of errors should see
    """This needs the messages of other processes.

    Attributes:
        always: whether it is so with all that this queue is asked, so that polls wait there, too.
    """

    def __init__(self, *, always: bool = False) -> None:
        super().__init__()
        self.always = always


class Others(Protocol):
    """The other processes, as the first one reaches them."""

    @property
    def in_reach(self) -> bool:
        """Whether they can be asked here and now."""

    def ask(self, process: int, verb: str, *given: Any, **named: Any) -> Any:
        """Have a process run a verb of `rows.Rows` on its messages; raises what the verb raises."""

    def tell(self, verb: str, *given: Any) -> None:
        """Have all run a verb, some time."""


class Shards:
    """All of these messages: `messages.Rows`.

    Attributes:
        stays: whether nothing is claimed elsewhere, because the first process has just found nothing there.
    """

    def __init__(
        self, mine: rows.Rows, of: Sequence[bounds.Bounds], *, own: int, others: Others | None, announce: Announce
    ) -> None:
        """Set up.

        Args:
            mine: this process's messages.
            of: what is known of the messages of each process.
            own: the number of this one.
            others: how they are asked; None: this is not the first process.
            announce: is told of what has become visible in other processes.
        """
        self._mine = mine
        self._bounds = of[own]
        self._of = of
        self._own = own
        self._others = others
        self._elsewhere = [bound for bound in of if bound is not of[own]]
        self._announce = announce
        self.stays = False

    def put(self, new: Sequence[New], *, fifo: bool) -> None:
        """See `rows.Rows`."""
        (self._first() if fifo else self._mine).put(new, fifo=fifo)

    def put_once(self, new: New, *, fifo: bool) -> bool:
        """See `rows.Rows`; what may put a message twice does so in the first process."""
        return self._first().put_once(new, fifo=fifo)

    def claim(
        self, queue_id: str, limit: int, now: int, visible_at: int, dead: dead_letter.Route | None, *, fifo: bool
    ) -> tuple[list[Row], int | None]:
        """See `rows.Rows`; of other processes it is not known when their next message is due."""
        if fifo:
            return self._first().claim(queue_id, limit, now, visible_at, dead, fifo=True)
        if self._others is not None and self._others.in_reach:
            taken: list[Row] = []
            for process in self._in_order(queue_id, now, dead):
                if len(taken) < limit:
                    given = (queue_id, limit - len(taken), now, visible_at, dead)
                    try:
                        taken += self._run(process, "claim", *given, fifo=False)[0]
                    except errors.InternalError:  # it has just died, say: what others gave is not lost for that
                        if not taken:
                            raise
            return taken, None
        if not self.stays and self._comes_elsewhere(queue_id, limit, now):
            raise Elsewhere
        self._bounds.claim(queue_id, now)
        taken, next_due = self._mine.claim(queue_id, limit, now, visible_at, dead, fifo=False)
        if not taken and not self.stays and self._is_elsewhere(queue_id, now):
            raise Elsewhere
        return taken, next_due

    def peek(self, queue_id: str, limit: int, now: int, dead: dead_letter.Route | None, *, fifo: bool) -> list[Row]:
        """See `rows.Rows`."""
        if fifo:
            return self._first().peek(queue_id, limit, now, dead, fifo=True)
        if not self._is_elsewhere(queue_id, now):
            return self._mine.peek(queue_id, limit, now, dead, fifo=False)
        found = [
            row for process in self._all() for row in self._run(process, "peek", queue_id, limit, now, dead, fifo=False)
        ]
        return sorted(found, key=lambda row: bounds.rank(row[3], row[6]))[:limit]

    def postpone(self, of: Held, now: int, visible_at: int, stamp: str) -> bool:
        """See `rows.Rows`."""
        if of[_GROUP] is not None:
            return self._first().postpone(of, now, visible_at, stamp)
        if self._mine.postpone(of, now, visible_at, stamp):
            return True
        return not self._mine.holds(of) and any(
            self._run(process, "postpone", of, now, visible_at, stamp) for process in self._all()
        )

    def delete(self, of: Sequence[Held], now: int) -> list[bool]:
        """See `rows.Rows`."""
        if of[0][_GROUP] is not None:
            return self._first().delete(of, now)
        if len(of) == 1:
            deleted = self._mine.delete(of, now)
            if deleted[0] or self._mine.holds(of[0]):
                return deleted
        elif all(self._mine.holds(each) for each in of):
            return self._mine.delete(of, now)
        deleted = [False] * len(of)
        for process in self._all():
            missing = [place for place, done in enumerate(deleted) if not done]
            if missing:
                there = self._run(process, "delete", [of[place] for place in missing], now)
                for place, done in zip(missing, there, strict=True):
                    deleted[place] = done
        return deleted

    def release(
        self, queue_id: str, now: int, limit: int, dead: dead_letter.Route | None, *, fifo: bool
    ) -> ports.Released:
        """See `rows.Rows`; what is due elsewhere is released there when somebody looks, who is told here."""
        if not fifo and self._is_elsewhere(queue_id, now):
            self._announce(queue_id, 1, None)
        return self._mine.release(queue_id, now, limit, dead, fifo=fifo)

    def purge(self, queue_id: str) -> bool:
        """See `rows.Rows`."""
        if self._mine.purge(queue_id):
            return True
        if self._others is not None:
            self._others.tell("purge", queue_id)
        return False

    def hold(self, of: queue.Queue) -> None:
        """See `messages.Rows`."""
        if self._own and of.attributes.rate_limit.enabled:
            raise Elsewhere(always=True)

    def counts(self, queue_ids: Sequence[str]) -> dict[str, queue.Counts]:
        """See `rows.Rows`."""
        counted: dict[str, queue.Counts] = {}
        for process in self._all():
            verb = "counts" if process == self._own else "settled_counts"  # the driver has settled what is here
            for queue_id, of in self._run(process, verb, queue_ids).items():
                counted[queue_id] = counted.get(queue_id, queue.Counts()) + of
        return counted

    def _first(self) -> rows.Rows:
        """The messages of the first process, for what it alone does."""
        if self._own:
            raise Elsewhere(always=True)
        return self._mine

    def _all(self) -> Iterator[int]:
        """The numbers of all processes, where they can be asked."""
        if self._others is None or not self._others.in_reach:
            raise Elsewhere
        return iter(range(len(self._of)))

    def _run(self, process: int, verb: str, *given: Any, **named: Any) -> Any:
        if process == self._own:
            return getattr(self._mine, verb)(*given, **named)
        assert self._others is not None  # noqa: S101  # `_all` has seen to it
        return self._others.ask(process, verb, *given, **named)

    def _in_order(self, queue_id: str, now: int, dead: dead_letter.Route | None) -> list[int]:
        """The processes that have messages to claim, those first whose messages should come first."""
        found = [process for process, of in enumerate(self._of) if of.may_have(queue_id, now)]
        if len(found) == 1:
            return found
        for process in found:
            if self._of[process].is_due(queue_id, now):  # what is due finds its place among the others
                self._run(process, "release", queue_id, now, layout.RELEASES, dead, fifo=False)
        return sorted(found, key=lambda process: self._of[process].first(queue_id) - LATE_MS * (process == self._own))

    def _comes_elsewhere(self, queue_id: str, limit: int, now: int) -> bool:
        """Whether others should have their turn before this process claims its own messages."""
        mine = self._bounds.first(queue_id)
        for of in self._elsewhere:
            theirs = of.first(queue_id)
            if theirs + LATE_MS < mine and (
                bounds.priority_of(theirs) < bounds.priority_of(mine) or of.claimed_at(queue_id) + LATE_MS < now
            ):
                return True
            if of.is_due(queue_id, now):
                return True
        return limit > 1 and self._mine.ready(queue_id, limit) < limit and self._is_elsewhere(queue_id, now)

    def _is_elsewhere(self, queue_id: str, now: int) -> bool:
        return any(of.may_have(queue_id, now) for of in self._elsewhere)


def answer(mine: rows.Rows, asked: Asked) -> Any:
    """What a verb returns, or the error that it raises instead."""
    verb, given, named = asked
    try:
        return getattr(mine, verb)(*given, **named)
    except errors.MnsError as error:
        return error
    except Exception:  # noqa: BLE001  # whoever asks shall not wait for ever
        telemetry.logger.exception("a question could not be answered", verb=verb)
        return errors.InternalError()
