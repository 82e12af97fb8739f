"""Where long polls wait, and what wakes them.

Whatever makes a message visible rings for its queue, and a ring wakes one waiter. A waiter that then finds messages
rings again, since there may be more; one that finds none waits on. So a thousand waiters cost nothing until a message
comes, and a message wakes one or two of them.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable

from chalicelib.api import operations
from chalicelib.broker import ports

_REMEMBERED = 10_000  # queues whose newest ring is remembered


class ParkingLot:
    """Waiters by queue; safe for threads."""

    def __init__(self, count: Callable[[int], None] = lambda waiters: None) -> None:  # noqa: ARG005
        """Set up; `count` is told how many wait whenever that changes."""
        self._count = count
        self._waiting = 0
        self._lock = threading.Lock()
        self._heard = 0
        self._newest: OrderedDict[str, int] = OrderedDict()  # queue id -> count of rings when it last rang
        self._waiters: dict[str, OrderedDict[int, Callable[[], None]]] = {}
        self._tickets = 0
        self._closed = False
        self.elsewhere: Callable[[str, str | None, int], None] = lambda what, queue_id, count: None  # noqa: ARG005

    @property
    def closed(self) -> bool:
        """Whether nobody should wait any more."""
        return self._closed

    def mark(self) -> int:
        """What has been heard of so far; taken before a look, given to `park` after it."""
        return self._heard

    def park(self, queue_id: str, mark: int, wake: Callable[[], None]) -> int:
        """Have `wake` called once when it is time to look again; maybe at once. Return a ticket for `leave`."""
        with self._lock:
            self._tickets += 1
            if not self._closed and self._newest.get(queue_id, 0) <= mark:
                self._waiters.setdefault(queue_id, OrderedDict())[self._tickets] = wake
                self._add(1)
                return self._tickets
            ticket = self._tickets
        wake()
        return ticket

    def leave(self, queue_id: str, ticket: int) -> bool:
        """Take a waiter out; False: it was called already, so whoever leaves without looking must ring for another."""
        with self._lock:
            waiters = self._waiters.get(queue_id, OrderedDict())
            parked = waiters.pop(ticket, None) is not None
            if not waiters:
                self._waiters.pop(queue_id, None)
            if parked:
                self._add(-1)
            return parked

    def announce(self, queue_id: str, messages: int = 1) -> None:
        """Ring here, and for the messages that nobody waits for here in the lots of the server's other processes."""
        rest = messages - self.ring(queue_id, messages)
        if rest:
            self.elsewhere("ring", queue_id, rest)

    def ring(self, queue_id: str, messages: int = 1) -> int:
        """So many messages of the queue may have become visible: wake as many waiters, and return how many."""
        with self._lock:
            self._heard += 1
            self._newest[queue_id] = self._heard
            self._newest.move_to_end(queue_id)
            if len(self._newest) > _REMEMBERED:
                self._newest.popitem(last=False)
            waiters = self._waiters.get(queue_id)
            if not waiters:
                return 0
            woken = [waiters.popitem(last=False)[1] for _ in range(min(messages, len(waiters)))]
            self._add(-len(woken))
        for wake in woken:
            wake()
        return len(woken)

    def close(self) -> None:
        """Wake everybody, now and from now on."""
        self._closed = True
        self.stir()

    def stir(self, queue_id: str | None = None) -> None:
        """Wake everybody who waits, at one queue or at all, to look again or to see that the time is over.

        Here only; `stir_everywhere` wakes those of the server's other processes, too.
        """
        with self._lock:
            queue_ids = list(self._waiters) if queue_id is None else [queue_id]
            waiting = [wake for each in queue_ids for wake in self._waiters.pop(each, {}).values()]
            self._add(-len(waiting))
        for wake in waiting:
            wake()

    def stir_everywhere(self, queue_id: str | None = None) -> None:
        """See `stir`."""
        self.stir(queue_id)
        self.elsewhere("stir", queue_id, 1)

    def __len__(self) -> int:
        return self._waiting

    def _add(self, waiters: int) -> None:
        self._waiting += waiters
        self._count(self._waiting)


class ParkedWaiter:
    """Lets the threads of `chalice local` wait in the lot."""

    def __init__(self, lot: ParkingLot, clock: ports.Clock) -> None:
        self._lot = lot
        self._clock = clock

    def mark(self) -> int:
        """See `ParkingLot.mark`."""
        return self._lot.mark()

    def wait(self, step: operations.Waiting, *, mark: int, looks: int) -> None:  # noqa: ARG002  # the lot needs no rhythm
        """Wait until a ring, the deadline, or when the queue's rate lets a look find something."""
        woken = threading.Event()
        ticket = self._lot.park(step.queue_id, mark, woken.set)
        woken.wait(max(0, step.ends_at - self._clock.now()) / 1000)
        self._lot.leave(step.queue_id, ticket)

    def pass_on(self, queue_id: str) -> None:
        """Let another one look."""
        self._lot.ring(queue_id)
