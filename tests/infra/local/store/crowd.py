"""The processes of one server, all in this one: each verb goes to another of them, as clients' requests do."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from chalicelib.broker import ports
from chalicelib.storage import sealing
from infra.embedded.engine import EmbeddedEngine
from infra.local.store import bounds, layout, messages, rows, shards


class Others:
    """What the first process asks the others, answered at once."""

    def __init__(self, crowd: "Crowd") -> None:
        self._crowd = crowd
        self.in_reach = False

    def ask(self, process: int, verb: str, *given: Any, **named: Any) -> Any:
        answer = shards.answer(self._crowd.rows[process], (verb, given, named))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tell(self, verb: str, *given: Any) -> None:
        for kept in self._crowd.rows[1:]:
            while shards.answer(kept, (verb, given, {})):
                pass


class Crowd:
    """The ports `Messages` and `Counted` of several processes, as one server."""

    def __init__(
        self,
        folder: Path | None,
        *,
        now: Callable[[], int],
        seal: sealing.Sealing,
        queues: ports.Queues,
        ids: ports.Ids,
        announce: layout.Announce = lambda queue_id, visible, due: None,
        processes: int = 3,
    ) -> None:
        self.engines = [
            EmbeddedEngine(
                None if folder is None else folder / f"messages-{process}.db",
                now=now,
                journal=None if folder is None else folder / f"messages-{process}.journal",
            )
            for process in range(processes)
        ]
        self.rows: list[rows.Rows] = []
        self.others = Others(self)
        self._told = told = [[0] * bounds.NUMBERS for _ in range(processes)]
        self.processes = [
            messages.here(
                engine,
                seal=seal,
                queues=queues,
                ids=ids,
                announce=announce,
                tells=bounds.Bounds(told[process]),
                among=self._among(process, told, announce),
            )
            for process, engine in enumerate(self.engines)
        ]
        self._turns = itertools.cycle(range(processes))
        self.elsewhere = 0  # verbs that one process could not do alone

    def _among(
        self, process: int, told: Sequence[list[int]], announce: layout.Announce
    ) -> Callable[[rows.Rows], shards.Shards]:
        def among(mine: rows.Rows) -> shards.Shards:
            self.rows.append(mine)
            others = self.others if process == 0 else None
            of = [bounds.Bounds(numbers) for numbers in told]
            return shards.Shards(mine, of, own=process, others=others, announce=announce)

        return among

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        if verb in ("release", "purge", "put_once"):  # the first process's triggers
            return getattr(self.processes[0], verb)

        def run(*given: Any, **named: Any) -> Any:
            first, *_ = self.processes
            while self.expire(100):  # as all of them do every second
                pass
            for process in (self.processes[next(self._turns)], first):
                try:
                    return getattr(process, verb)(*given, **named)
                except shards.Elsewhere:
                    self.elsewhere += 1
            self.others.in_reach = True
            try:
                return getattr(first, verb)(*given, **named)
            finally:
                self.others.in_reach = False

        return run

    def told(self) -> Iterator[tuple[rows.Rows, bounds.Bounds]]:
        """What each process keeps, and tells of it."""
        return zip(self.rows, map(bounds.Bounds, self._told), strict=True)

    def expire(self, limit: int) -> int:
        return max(engine.expire(limit) for engine in self.engines)

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        return [row for kept in self.rows for row in kept.db.execute(statement).fetchall()]

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
