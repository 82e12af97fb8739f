"""How requests ask the other processes of a server for messages that those keep, see `store.shards`.

Use cases are written as if a store answered at once. So a request that has to ask runs in a greenlet, which stands
still where it asks and goes on with the answer, while the event loop goes on all the time.
"""

import itertools
from collections.abc import Callable
from typing import Any, TypeAlias

import greenlet

from chalicelib.model import errors
from infra.local.store.shards import Asked

Send: TypeAlias = Callable[[int, int, Asked], None]
Tell: TypeAlias = Callable[[str, tuple[Any, ...]], None]


def _nobody(*_: object) -> None:
    """There is nobody yet."""


class Line:
    """The end of who asks, on an event loop: `shards.Others`."""

    def __init__(self) -> None:
        self._send: Send = _nobody
        self._tell: Tell = _nobody
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[int, greenlet.greenlet]] = {}  # by number, with whom is asked

    def connect(self, send: Send, tell: Tell) -> None:
        """Reach the others: `send` brings a numbered question to one, `tell` to all what needs no answer."""
        self._send = send
        self._tell = tell

    def run(self, work: Callable[[], None]) -> None:
        """Do work that may ask; it is done when all that it asked has been answered."""
        greenlet.greenlet(work).switch()

    @property
    def in_reach(self) -> bool:
        """See `shards.Others`."""
        return greenlet.getcurrent().parent is not None

    def ask(self, process: int, verb: str, *given: Any, **named: Any) -> Any:
        """See `shards.Others`."""
        here, number = greenlet.getcurrent(), next(self._numbers)
        self._waiting[number] = process, here
        self._send(process, number, (verb, given, named))
        answer = here.parent.switch()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tell(self, verb: str, *given: Any) -> None:
        """See `shards.Others`."""
        self._tell(verb, given)

    def hear(self, number: int, answer: Any) -> None:
        """Let who asked go on."""
        _, asking = self._waiting.pop(number)
        asking.switch(answer)

    def lose(self, process: int) -> None:
        """A process is gone: what it was asked is not answered any more."""
        for number in [number for number, (asked, _) in self._waiting.items() if asked == process]:
            self.hear(number, errors.InternalError())
