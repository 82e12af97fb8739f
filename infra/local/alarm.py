"""A call that is made at the earliest of the moments it was asked for."""

import asyncio
from collections.abc import Callable


class Alarm:
    """On an event loop; one that has rung waits to be set again."""

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._handle: asyncio.TimerHandle | None = None
        self._moment = 0.0  # of the handle

    def set(self, moment: float) -> None:
        """Ring at a moment by the loop's clock, unless it rings before anyway."""
        if self._handle is not None:
            if self._moment <= moment:
                return
            self._handle.cancel()
        self._moment = moment
        self._handle = self._loop.call_at(moment, self._go_off)

    def _go_off(self) -> None:
        self._handle = None
        self._ring()
