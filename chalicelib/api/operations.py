"""The API's table of contents, and what an operation is given.

Every door, local or deployed, finds its operation here. Adding one: its function in the module of its noun, its row in
`table.py`.
"""

import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TypeAlias
from urllib import parse

from chalicelib.broker.verbs import Verbs
from chalicelib.model import account, errors
from chalicelib.model.frozen import frozen
from chalicelib.wire import http

_PATHS_KEPT = 1024  # whose rows are remembered: clients ask the same queues again and again
_LONGEST_KEPT = 512  # characters


@frozen
class Call:
    """One call of an operation, its caller known."""

    request: http.Request
    caller: account.Caller
    namespace: account.Namespace
    verbs: Verbs
    path: Mapping[str, str] = field(default_factory=dict)  # the variables of the path, decoded
    request_id: str = ""


def _only_the_door_can() -> http.Response:
    raise NotImplementedError


@frozen
class Waiting:
    """A long poll that found nothing yet. Whoever runs it waits as it can, then resumes it, until it has a response."""

    queue_id: str
    deadline: int  # ms
    next_due: int | None  # ms, when a message of the queue becomes visible, as far as is known
    resume: "Callable[[], Step]"  # look again
    give_up: Callable[[], http.Response] = _only_the_door_can  # answer that there is nothing, without another look
    held_until: int | None = None  # ms, before when no look finds anything; then one may, though nothing new has come

    @property
    def ends_at(self) -> int:
        """When to look again at the latest, or to give up (ms)."""
        return self.deadline if self.held_until is None else min(self.deadline, self.held_until)


Step: TypeAlias = http.Response | Waiting


@frozen
class Operation:
    """A row of the table: what is called, by which request."""

    name: str
    method: str
    path: str  # with {variables}
    run: Callable[[Call], Step]
    when: Callable[[http.Request], bool] | None = None  # what else the request must have, or a later row may fit

    @functools.cached_property
    def is_metadata(self) -> bool:
        """Whether it is counted at the rate of calls that are not on messages."""
        return not self.path.endswith("/messages")


class Router:
    """Finds the operation that a request means."""

    def __init__(self, table: Sequence[Operation]) -> None:
        self._matched = functools.lru_cache(maxsize=_PATHS_KEPT)(self._match)
        self._paths: dict[str, tuple[re.Pattern[str], list[Operation]]] = {}
        for row in table:
            pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", row.path) + "/?")
            self._paths.setdefault(row.path, (pattern, []))[1].append(row)

    def find(self, request: http.Request) -> tuple[Operation, Mapping[str, str]]:
        """The operation and the variables of its path.

        Raises:
            errors.InvalidRequestURL: there is no such path, or not with this method.
        """
        path, method = request.path, request.method
        short = len(path) <= _LONGEST_KEPT and len(method) <= _LONGEST_KEPT
        rows, variables = self._matched(path, method) if short else self._match(path, method)
        for row in rows:
            if row.when is None or row.when(request):
                return row, variables
        of_path = [row for pattern, rows in self._paths.values() if pattern.fullmatch(path) for row in rows]
        if not of_path:
            raise errors.InvalidRequestURL(f"The path {path[:256]} is not part of the API.")
        names = ", ".join(f"{row.method} ({row.name})" for row in of_path)
        raise errors.InvalidRequestURL(
            f"{method} {request.target[:256]} is no operation; the path takes, with their queries, {names}."
        )

    def _match(self, path: str, method: str) -> tuple[Sequence[Operation], Mapping[str, str]]:
        """The rows that have this path and method, and the variables of the path."""
        for pattern, rows in self._paths.values():
            if found := pattern.fullmatch(path):
                variables = {name: parse.unquote(value) for name, value in found.groupdict().items()}
                return [row for row in rows if row.method == method], variables
        return (), {}
