"""What stands between connections and the door: it runs what is in hand together, and lets polls wait.

The embedded engine answers so quickly that requests run on the event loop itself, those that are in hand together in
one transaction; with moto they run in a few threads. A long poll waits without a thread or task of its own. A client
that hangs up while it waits is not given a message.
"""

import asyncio
import dataclasses
import functools
import operator
import re
import threading
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass
from functools import partial
from typing import Any

from chalicelib import telemetry
from chalicelib.api import operations
from chalicelib.model import errors
from chalicelib.wire import http
from infra.local import connection, helpers, parking, runtime
from infra.local.store import shards

_THREADS = 16
_REMEMBERED, _LONGEST_REMEMBERED = 10_000, 512  # paths, and the characters of one
Relay = Callable[[connection.Exchange, http.Request, bool], None]  # and whether a poll waits there
Asker = Callable[[Any], None]  # is given the answer to a question of the first process
_MESSAGES = re.compile(r"/health|/(queues|topics)/[^/]+/messages/?")
_TOGETHER = 64  # requests in one transaction, so that none waits long for the others


@dataclass(slots=True)
class _Visit:
    """A request whose turn it is to look."""

    exchange: connection.Exchange
    request: http.Request
    look: Callable[[], operations.Step]  # raises nothing but `Elsewhere`
    is_receive: bool  # or another one that is not run if its client is gone
    is_change: bool = False  # of what processes remember, perhaps
    woken_at: str = ""  # the id of the queue where it waited, empty at the first look
    # What had been heard before another process looked, which found nothing, so that this look is here only; what was
    # heard since may be there.
    stays_since: int | None = None


class _Elsewhere:
    """A request that another process runs, since it has what is asked for: an `Exchange`."""

    def __init__(
        self,
        visit: _Visit,
        mark: int,
        settle: Callable[[_Visit, http.Response], None],
        look_again: Callable[[_Visit], None],
    ) -> None:
        self._visit = visit
        self._mark = mark
        self._settle = settle
        self._look_again = look_again

    @property
    def gone(self) -> bool:
        """See `Exchange`."""
        return self._visit.exchange.gone

    def answer(self, response: http.Response) -> None:
        """Give the answer."""
        self._settle(self._visit, response)

    def nothing(self) -> None:
        """A poll that has found nothing there goes on here."""
        self._look_again(dataclasses.replace(self._visit, stays_since=self._mark))

    def when_gone(self, tell: Callable[[], None] | None) -> None:
        """See `Exchange`."""
        self._visit.exchange.when_gone(tell)


def _is_own(path: str) -> bool:
    """Whether a worker serves it itself."""
    return _is_steady(path) and not path.startswith("/topics/")


def _is_steady(path: str) -> bool:
    """Whether it changes nothing that processes remember."""
    return _is_of_messages(path) if len(path) <= _LONGEST_REMEMBERED else _MESSAGES.fullmatch(path) is not None


@functools.lru_cache(maxsize=_REMEMBERED)
def _is_of_messages(path: str) -> bool:
    return _MESSAGES.fullmatch(path) is not None


_SENDS_FIRST = operator.attrgetter("is_receive")


class Front:
    """Takes requests of all connections; lives on one event loop."""

    def __init__(self, running: runtime.Runtime, loop: asyncio.AbstractEventLoop, relay: Relay | None = None) -> None:
        """Set up; `relay` has another process answer what is no operation on messages of queues."""
        self._relay = relay
        self._running = running
        self._lot = running.lot
        self._shards = running.shards
        self._door = running.application.door
        self._loop = loop
        self._in_hand: list[_Visit] = []
        self._asked: list[tuple[Asker, Callable[[], Any]]] = []
        self._elsewhere: set[str] = set()  # paths whose requests another process runs, all of them
        self._helping = asyncio.Lock()
        self._helps: set[asyncio.Task[None]] = set()
        self._threads = futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="openmns")
        self.now = running.clock.now

    def take(self, exchange: connection.Exchange, request: http.Request) -> None:
        """Answer the request, now or later."""
        if self._relay is not None:
            if self._running.refresh():
                self._elsewhere.clear()
            is_elsewhere = request.path in self._elsewhere
            if is_elsewhere or not _is_own(request.path):
                self._relay(exchange, request, is_elsewhere and request.method == "GET")
                return
        is_change = not _is_steady(request.path)
        if is_change and request.path.startswith(helpers.PREFIX):
            task = self._loop.create_task(self._help(exchange, request))
            self._helps.add(task)
            task.add_done_callback(self._helps.discard)
            return
        admitted = self._door.admit(request)
        if isinstance(admitted, http.Response):
            exchange.answer(admitted)
            return
        visit = _Visit(exchange, request, admitted, request.method == "GET", is_change)
        if is_change and self._running.line is not None:
            # It may want to know of all messages, and cannot be begun again: its nonce is used up by then.
            self._loop.call_soon(self._running.line.run, partial(self._look_far, visit))
        else:
            self._visit(visit)

    def refuse(self, request: http.Request, reason: str) -> http.Response:
        """The answer to a request that cannot be taken."""
        return self._door.refuse(request, errors.InvalidArgument(reason))

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(cancel_futures=True)

    def _visit(self, visit: _Visit) -> None:
        """Have it look where it disturbs nobody."""
        if self._running.blocking:
            mark = self._lot.mark()
            self._threads.submit(visit.look).add_done_callback(
                lambda done: self._loop.call_soon_threadsafe(self._settle, visit, done.result(), mark)
            )
            return
        if not self._in_hand:
            # After one more look at the sockets: requests that come one by one are still taken together.
            self._loop.call_soon(self._loop.call_soon, self._flush)
        self._in_hand.append(visit)

    def _flush(self) -> None:
        """Run the looks in hand in one transaction, and let them answer after its commit."""
        visits, self._in_hand = self._in_hand[:_TOGETHER], self._in_hand[_TOGETHER:]
        if self._in_hand:
            self._loop.call_soon(self._flush)
        if len(visits) > 1:
            visits.sort(key=_SENDS_FIRST)  # a receive then finds what is sent beside it, and need not wait
        mark = self._lot.mark()
        try:
            steps = self._running.together(lambda: [self._look(visit) for visit in visits])
        except Exception:  # noqa: BLE001  # nothing of the batch is stored: nobody may be told otherwise
            telemetry.logger.exception("requests failed together")
            self._running.recover()
            failure = self._door.refuse(http.Request(method="GET", path="/"), errors.InternalError())
            steps = [failure] * len(visits)
        for visit, step in zip(visits, steps, strict=True):
            self._settle(visit, step, mark)

    def _look(self, visit: _Visit) -> operations.Step | shards.Elsewhere | None:
        """Run a look; None: nobody wants an answer any more."""
        if visit.is_receive and self._is_unwanted(visit):
            return None
        if self._shards is None:
            return visit.look()
        self._shards.stays = visit.stays_since is not None
        try:
            return visit.look()
        except shards.Elsewhere as elsewhere:
            return elsewhere

    def _hand_on(self, visit: _Visit, elsewhere: shards.Elsewhere, mark: int) -> None:
        """Have a request run that needs the messages of other processes."""
        if self._running.line is None:
            assert self._relay is not None  # noqa: S101  # a worker has one or the other
            if elsewhere.always and len(self._elsewhere) < _REMEMBERED:
                self._elsewhere.add(visit.request.path)
            waits = elsewhere.always and visit.is_receive
            self._relay(_Elsewhere(visit, mark, self._settle, self._visit), visit.request, waits)
        else:
            self._loop.call_soon(self._running.line.run, partial(self._look_far, visit))

    def _look_far(self, visit: _Visit) -> None:
        """Look where other processes can be asked, outside of the transaction of the requests in hand."""
        mark = self._lot.mark()
        self._settle(visit, None if self._is_unwanted(visit) else visit.look(), mark)

    def _is_unwanted(self, visit: _Visit) -> bool:
        """Whether nobody wants an answer any more; what it was woken for is then for another one, in any process."""
        unwanted = visit.is_receive and visit.exchange.gone
        if unwanted and visit.woken_at:
            self._lot.announce(visit.woken_at)
        return unwanted

    def ask(self, asker: Asker, asked: shards.Asked) -> None:
        """Answer a question of the first process, together with the requests in hand."""
        rows = self._running.rows
        assert rows is not None  # noqa: S101  # workers keep messages
        self._asked.append((asker, partial(shards.answer, rows, asked)))
        if len(self._asked) == 1:
            self._loop.call_soon(self._answer)

    def _answer(self) -> None:
        asked, self._asked = self._asked, []
        try:
            answers = self._running.together(lambda: [answer() for _, answer in asked])
        except Exception:  # noqa: BLE001  # nothing of the batch is stored
            telemetry.logger.exception("questions failed together")
            self._running.recover()
            answers = [errors.InternalError()] * len(asked)
        for (asker, _), answer in zip(asked, answers, strict=True):
            asker(answer)

    async def _help(self, exchange: connection.Exchange, request: http.Request) -> None:
        """Run a local helper, one at a time; while it waits for pushes, requests are served."""
        async with self._helping:
            work = helpers.answer(self._running, request)
            try:
                while True:
                    if self._running.blocking:
                        response = await self._loop.run_in_executor(self._threads, _next, work)
                    else:
                        response = _next(work)
                    if response is not None:
                        break
                    await self._loop.run_in_executor(self._threads, self._running.finish_pushes)
            except Exception:  # noqa: BLE001  # whatever happened, the client gets an answer
                telemetry.logger.exception("a local helper failed")
                self._running.recover()
                response = self._door.refuse(request, errors.InternalError())
        self._running.shared.turn()
        exchange.answer(response)

    def _settle(self, visit: _Visit, step: operations.Step | shards.Elsewhere | None, mark: int = 0) -> None:
        """Do what a look has come to; `mark` is from before it."""
        try:
            if isinstance(step, http.Response):
                if visit.woken_at:
                    self._lot.ring(visit.woken_at)  # there may be more, for the next one who waits
                if visit.is_change:
                    self._running.shared.turn()
                visit.exchange.answer(step)
            elif isinstance(step, operations.Waiting):
                self._wait(visit, step, mark if visit.stays_since is None else visit.stays_since)
            elif step is not None:
                self._hand_on(visit, step, mark)
        except Exception:  # noqa: BLE001  # one broken connection is no reason not to answer the others
            telemetry.logger.exception("an answer could not be given")

    def _wait(self, visit: _Visit, step: operations.Waiting, mark: int) -> None:
        if visit.exchange.nothing is not None:
            visit.exchange.nothing()
        elif not visit.exchange.gone:
            seconds = max(0, step.ends_at - self.now()) / 1000
            _Wait(
                exchange=visit.exchange,
                request=visit.request,
                step=step,
                mark=mark,
                lot=self._lot,
                seconds=seconds,
                visit=self._visit,
                loop=self._loop,
            )


def _next(work: helpers.Work) -> http.Response | None:
    """The outcome of a helper's next step; None: pushes have to be answered first."""
    try:
        next(work)
    except StopIteration as done:
        response: http.Response = done.value
        return response
    return None


class _Wait:
    """A long poll between two looks. It ends once: woken, at its deadline, or when its client hangs up."""

    def __init__(
        self,
        *,
        exchange: connection.Exchange,
        request: http.Request,
        step: operations.Waiting,
        mark: int,
        lot: parking.ParkingLot,
        seconds: float,
        visit: Callable[[_Visit], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._exchange = exchange
        self._request = request
        self._step = step
        self._lot = lot
        self._visit = visit
        self._loop = loop
        self._thread = threading.get_ident()
        self._over = False
        self._timer = loop.call_later(seconds, self._expire)
        self._ticket = lot.park(step.queue_id, mark, self._wake)
        exchange.when_gone(self._hang_up)

    def _wake(self) -> None:
        """Somebody rang, in whatever thread."""
        on_loop = threading.get_ident() == self._thread
        (self._loop.call_soon if on_loop else self._loop.call_soon_threadsafe)(self._look_again)

    def _look_again(self) -> None:
        if not self._end():
            return
        if self._lot.closed:
            self._exchange.answer(self._step.give_up())
        else:
            self._visit(self._another_look())

    def _expire(self) -> None:
        if not self._end():
            return
        if self._step.ends_at < self._step.deadline:  # it was held back, and is not any more
            self._lot.leave(self._step.queue_id, self._ticket)
            self._visit(self._another_look())
            return
        self._leave()
        self._exchange.answer(self._step.give_up())

    def _another_look(self) -> _Visit:
        at = self._step.queue_id
        return _Visit(self._exchange, self._request, self._step.resume, is_receive=True, woken_at=at)

    def _hang_up(self) -> None:
        if self._end():
            self._leave()

    def _end(self) -> bool:
        """Whether it had not ended before."""
        was_over, self._over = self._over, True
        if not was_over:
            self._timer.cancel()
            self._exchange.when_gone(None)
        return not was_over

    def _leave(self) -> None:
        was_woken = not self._lot.leave(self._step.queue_id, self._ticket)
        if was_woken or self._step.held_until is not None:
            self._lot.announce(self._step.queue_id)  # there may be something, and it does not look: let another one
