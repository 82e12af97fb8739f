"""Pushes under way, in lanes by server: a dead endpoint must not hold up the others.

A lane has a few pushes under way at most, and a bounded number waiting. One that was slow is from then on served by
other threads than the good ones, one push at a time, until it is quick again.
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
        self._changed = threading.Condition()
        self._in_hand = 0

    def submit(self, lane: str, call: Callable[[], None]) -> bool:
        """Have `call` made in a thread; False: the lane is full, and it is not made."""
        with self._changed:
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

    def close(self) -> None:
        """Let go of what waits, and end when what is under way has."""
        self._good.shutdown(wait=False, cancel_futures=True)
        self._slow.shutdown(wait=False, cancel_futures=True)

    def _pool(self, name: str) -> futures.ThreadPoolExecutor:
        return futures.ThreadPoolExecutor(self._workers, thread_name_prefix=name)

    def _fill(self, name: str, lane: _Lane) -> None:
        """Start as many pushes as the lane may have under way."""
        pool = self._slow if lane.is_slow else self._good
        while lane.running < min(1 if lane.is_slow else limits.PUSH_LANE, lane.running + len(lane.waiting)):
            lane.running += 1
            call = lane.waiting.popleft()
            pool.submit(self._run, name, lane, call)

    def _run(self, name: str, lane: _Lane, call: Callable[[], None]) -> None:
        started = self._clock.now()
        try:
            call()
        finally:
            with self._changed:
                lane.running -= 1
                lane.is_slow = self._clock.now() - started > limits.PUSH_SLOW_SECONDS * 1000
                self._fill(name, lane)
                if not (lane.running or lane.waiting or lane.is_slow):
                    del self._lanes[name]
                self._in_hand -= 1
                if not self._in_hand:
                    self._changed.notify_all()
