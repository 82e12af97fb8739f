"""Pushes under way, in lanes by server: a dead endpoint must not hold up the others.

A lane has a bounded number of pushes waiting, and one under way; quick answers let it have more at once. While one push
takes long no other is begun. A lane that was slow is from then on served by other threads than the good ones, one push
at a time, until it is quick again. So an endpoint that dies keeps a few threads busy at most.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent import futures
from dataclasses import dataclass, field

from chalicelib.broker import ports
from chalicelib.model import limits


@dataclass(kw_only=True)
class _Lane:
    waiting: "deque[Callable[[], None]]" = field(default_factory=deque)
    running: int = 0
    width: int = 1  # how many may run at once
    begun: list[int] = field(default_factory=list)  # when those began that run (ms)
    is_slow: bool = False


class Lanes:
    """The port `Lanes` on threads."""

    def __init__(self, *, clock: ports.Clock, workers: int = limits.PUSH_WORKERS) -> None:
        """Set up; `clock` is the machine's, to tell the slow ones."""
        self._clock = clock
        self._workers = workers
        self._good = self._pool("openmns-push")
        self._slow = self._pool("openmns-push-slow")
        self._lanes: dict[str, _Lane] = {}
        self._resting: dict[str, None] = {}  # lanes without pushes that were slow last, the longest at rest first
        self._changed = threading.Condition()
        self._in_hand = 0
        self._is_closed = False

    def submit(self, lane: str, call: Callable[[], None]) -> bool:
        """Have `call` made in a thread; False: the lane is full or closed, and it is not made."""
        with self._changed:
            if self._is_closed:
                return False
            self._resting.pop(lane, None)
            of = self._lanes.setdefault(lane, _Lane())
            if len(of.waiting) >= limits.PUSH_LANE_WAITING:
                return False
            of.waiting.append(call)
            self._in_hand += 1
            self._fill(lane, of)
            return True

    def wait(self, seconds: float | None) -> bool:
        """Wait until all is done, at most `seconds`; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._in_hand, seconds)

    def close(self, seconds: float = limits.PUSH_SECONDS) -> bool:
        """Let go of what waits, and wait at most `seconds` until what is under way has ended; whether it has."""
        with self._changed:
            self._is_closed = True
            for lane in self._lanes.values():
                lane.waiting.clear()
            self._in_hand = sum(len(lane.begun) for lane in self._lanes.values())
            self._changed.notify_all()
        self._good.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)
        return self.wait(seconds)

    def _pool(self, name: str) -> futures.ThreadPoolExecutor:
        return futures.ThreadPoolExecutor(self._workers, thread_name_prefix=name)

    def _fill(self, name: str, lane: _Lane) -> None:
        """Start as many pushes as the lane may have under way."""
        if lane.begun and self._is_long(min(lane.begun)):
            return
        pool = self._slow if lane.is_slow else self._good
        while lane.waiting and lane.running < lane.width:
            lane.running += 1
            pool.submit(self._run, name, lane, lane.waiting.popleft())

    def _run(self, name: str, lane: _Lane, call: Callable[[], None]) -> None:
        with self._changed:
            if self._is_closed:
                return  # it had a thread, but had not begun
            began = self._clock.now()
            lane.begun.append(began)
        try:
            call()
        finally:
            with self._changed:
                lane.begun.remove(began)
                lane.running -= 1
                lane.is_slow = self._is_long(began)
                lane.width = 1 if lane.is_slow else min(2 * lane.width, limits.PUSH_LANE)
                self._fill(name, lane)
                if not (lane.running or lane.waiting):
                    self._rest(name, lane)
                self._in_hand -= 1
                if not self._in_hand:
                    self._changed.notify_all()

    def _rest(self, name: str, lane: _Lane) -> None:
        """Forget a lane without pushes; if it was slow, only when many others have been since."""
        if lane.is_slow:
            self._resting[name] = None
            if len(self._resting) <= limits.PUSH_SLOW_LANES:
                return
            name = next(iter(self._resting))
            del self._resting[name]
        del self._lanes[name]

    def _is_long(self, began: int) -> bool:
        return self._clock.now() - began > limits.PUSH_SLOW_SECONDS * 1000
