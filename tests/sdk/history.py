"""What producers and consumers saw, and what a queue must have kept to.

Each event has the moments before the request and after the answer, in the server's own unit (ms since the epoch), so
that a rule is broken only where it is broken for every order of events that these moments allow.
"""

import itertools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Receive:
    """A consumer got a message."""

    message_id: str
    consumer: int
    asked_at: int
    answered_at: int
    next_visible_at: int  # as the answer says
    dequeue_count: int


@dataclass(frozen=True, kw_only=True)
class Delete:
    """A consumer's delete was answered with success."""

    message_id: str
    consumer: int
    answered_at: int


def faults(sent: Iterable[str], receives: Iterable[Receive], deletes: Iterable[Delete]) -> list[str]:
    """The rules that were broken, in words; none: the queue kept to all."""
    expected = set(sent)
    by_message: dict[str, list[Receive]] = defaultdict(list)
    for receive in receives:
        by_message[receive.message_id].append(receive)
    deleted_at: dict[str, int] = {}
    found = [f"{message_id} was received, but never sent" for message_id in sorted(set(by_message) - expected)]
    found += [f"{message_id} was never received" for message_id in sorted(expected - set(by_message))]
    for delete in deletes:
        if delete.message_id in deleted_at:
            found.append(f"{delete.message_id} was deleted twice")
        deleted_at[delete.message_id] = delete.answered_at
    found += [f"{message_id} was never deleted" for message_id in sorted(expected - set(deleted_at))]
    for message_id, seen in sorted(by_message.items()):
        found += _visibility_faults(message_id, sorted(seen, key=lambda receive: receive.next_visible_at))
        found += [
            f"{message_id} was received by {receive.consumer} after it was deleted"
            for receive in seen
            if receive.asked_at > deleted_at.get(message_id, receive.asked_at)
        ]
    return found


def _visibility_faults(message_id: str, seen: list[Receive]) -> list[str]:
    found = []
    for former, later in itertools.pairwise(seen):
        if later.answered_at < former.next_visible_at:
            found.append(
                f"{message_id} was received by {later.consumer} while it was still hidden for {former.consumer}"
            )
        if later.dequeue_count <= former.dequeue_count:
            found.append(f"{message_id} was received twice with the same count")
    return found
