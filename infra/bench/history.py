"""What the clients of a server that is killed again and again saw, and what it must have kept to.

A message is known from the moment its 201 arrived, and over from the moment the 204 of its delete arrived. What was
asked for and not answered when the server was killed may have happened or not. All moments are the machine's clock in
milliseconds, which client and server share.
"""

import itertools
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Receive:
    """A message was handed to a client."""

    message_id: str
    asked_at: int  # ms
    answered_at: int  # ms
    next_visible_at: int  # ms, as the answer says


@dataclass(frozen=True, kw_only=True)
class Delete:
    """A client asked for a delete."""

    message_id: str
    answered_at: int | None  # ms of the 204; None: no answer came, or another one


@dataclass(kw_only=True)
class History:
    """What all clients saw, over all lives of the server."""

    sent: list[str] = field(default_factory=list)  # the ids whose 201 arrived
    receives: list[Receive] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)

    def extend(self, document: Mapping[str, Any]) -> None:
        """Append what one load generator saw."""
        self.sent += document["sent"]
        self.receives += [
            Receive(message_id=name, asked_at=asked, answered_at=answered, next_visible_at=visible)
            for name, asked, answered, visible in document["receives"]
        ]
        self.deletes += [Delete(message_id=name, answered_at=answered) for name, answered in document["deletes"]]


def lost(history: History) -> list[str]:
    """Messages that were accepted and that no client has had in hand up to its delete, though all was received."""
    return sorted(set(history.sent) - {delete.message_id for delete in history.deletes})


def delivered_again(history: History) -> list[str]:
    """Messages that a receive asked for after the 204 of their delete has brought back."""
    over = {delete.message_id: delete.answered_at for delete in history.deletes if delete.answered_at is not None}
    return sorted({r.message_id for r in history.receives if r.asked_at > over.get(r.message_id, r.asked_at)})


def shared(history: History) -> list[str]:
    """Messages that were handed out while they were still hidden for whoever had received them before."""
    by_message: dict[str, list[Receive]] = defaultdict(list)
    for receive in history.receives:
        by_message[receive.message_id].append(receive)
    found = []
    for message_id, receives in by_message.items():
        ordered = sorted(receives, key=lambda receive: receive.next_visible_at)
        if any(later.answered_at < former.next_visible_at for former, later in itertools.pairwise(ordered)):
            found.append(message_id)
    return sorted(found)
