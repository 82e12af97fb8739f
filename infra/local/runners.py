"""Where the driver's work is done: in a thread of its own, or on the server's event loop between requests."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Protocol

from chalicelib import telemetry
from infra.local import alarm

RETRY_SECONDS = 0.1  # after work that failed
_LAZY_SECONDS = 0.1  # the work is put off by this while nobody waits for a message: much at once costs less


class Runner(Protocol):
    """Something that works when it is woken or when its time has come."""

    def start(self) -> None:
        """Begin."""

    def wake(self, *, soon: bool = False) -> None:
        """There is something to do, `soon` if somebody waits for it; from any thread."""

    def stop(self) -> None:
        """End, with what is in hand done."""


Run = Callable[[str, Callable[[], None], Callable[[], float | None]], Runner]  # name, work, seconds to the next work


class ThreadRunner:
    """Works in a thread of its own."""

    def __init__(self, name: str, work: Callable[[], None], pause: Callable[[], float | None]) -> None:
        self._work = work
        self._pause = pause
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self, *, soon: bool = False) -> None:  # noqa: ARG002  # it is always soon
        """Have it work."""
        self._wake.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopped = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._pause())
            self._wake.clear()
            try:
                self._work()
            except Exception:  # noqa: BLE001  # without the driver nothing is counted or released
                telemetry.logger.exception("the driver failed and goes on")
                time.sleep(RETRY_SECONDS)


class OnLoop:
    """Has work done on the event loop, between requests: no thread is waited for, no lock is fought over."""

    def __init__(self) -> None:
        self._runners: list[_LoopRunner] = []

    def __call__(self, _name: str, work: Callable[[], None], pause: Callable[[], float | None]) -> Runner:
        """See `Run`."""
        made = _LoopRunner(work, pause)
        self._runners.append(made)
        return made

    def attach(self, loop: asyncio.AbstractEventLoop, waited_for: Callable[[], bool]) -> None:
        """Work on this loop from now on; called on it. `waited_for` tells whether somebody waits for messages."""
        for runner in self._runners:
            runner.attach(loop, waited_for)


class _LoopRunner:
    """While nobody waits for a message the work may come a moment later, so that more of it is done in one go."""

    def __init__(self, work: Callable[[], None], pause: Callable[[], float | None]) -> None:
        self._work = work
        self._pause = pause
        self._waited_for: Callable[[], bool] = lambda: True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._alarm: alarm.Alarm | None = None  # on the loop

    def attach(self, loop: asyncio.AbstractEventLoop, waited_for: Callable[[], bool]) -> None:
        """See `OnLoop.attach`."""
        self._loop, self._thread, self._waited_for = loop, threading.get_ident(), waited_for
        self._alarm = alarm.Alarm(loop, self._run)
        self._schedule(0)

    def start(self) -> None:
        """Nothing: `OnLoop.attach` begins."""

    def wake(self, *, soon: bool = False) -> None:
        """Have it work."""
        if self._loop is None or self._loop.is_closed():
            return
        if threading.get_ident() == self._thread:
            self._schedule(0 if soon or self._waited_for() else _LAZY_SECONDS)
        else:
            self._loop.call_soon_threadsafe(self._schedule, 0)

    def stop(self) -> None:
        """Do what is left; the loop has ended."""
        self._loop = None
        try:
            self._work()
        except Exception:  # noqa: BLE001  # what is not done now is done at the next start
            telemetry.logger.exception("the driver's last work failed")

    def _schedule(self, seconds: float) -> None:
        if self._loop is not None and self._alarm is not None:
            self._alarm.set(self._loop.time() + seconds)

    def _run(self) -> None:
        try:
            self._work()
        except Exception:  # noqa: BLE001  # without the driver nothing is counted or released
            telemetry.logger.exception("the driver failed and goes on")
            self._schedule(RETRY_SECONDS)
            return
        pause = self._pause()
        if pause is not None:
            self._schedule(pause)
