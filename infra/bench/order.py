"""kill -9 under a FIFO queue: is anything lost, and is anything received before what was sent to its group earlier.

Each message says its group and its number in the group. One producer sends to a group, one message after the other, so
the numbers are the order of sending, whether an answer came or not. Consumers let some messages time out, give some
back early, and receive some in batches. A message may be received only when each earlier one of its group is over: its
delete was asked for, or it is in the same answer before it.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infra.bench import history, jobs, load, stage, subjects

CASE = "order"
OURS = "openmns"
_QUEUE = "order"
_CONNECTIONS = 8
_VISIBILITY_SECONDS = 2
# What a consumer does with a message is told by its number, so that it happens in each run.
LEFT = 7  # every seventh message of a group is left to its time-out when it is received for the first time ...
GIVEN_BACK = 11  # ... and every eleventh is given back early
_SHORTEST, _STEP, _LONGEST = 1.0, 0.7, 4.0  # seconds of load before a kill: another one each time
_DRAIN_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Receive:
    """A message was handed to a client."""

    message_id: str
    group: str
    number: int  # from 0, in the order of sending
    place: int  # in the answer
    asked_at: int  # ms
    answered_at: int  # ms
    next_visible_at: int  # ms

    @property
    def answer(self) -> tuple[str, int, int]:
        """What it shares with the others of its group in the same answer."""
        return self.group, self.asked_at, self.next_visible_at


@dataclass(frozen=True, kw_only=True)
class Delete:
    """A client asked for a delete."""

    group: str
    number: int
    asked_at: int  # ms
    answered_at: int | None  # ms of the 204; None: no answer came, or another one


@dataclass(kw_only=True)
class Order:
    """What all clients saw, over all lives of the server."""

    sent: list[tuple[str, int]] = field(default_factory=list)  # groups and numbers whose 201 arrived
    receives: list[Receive] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)

    def extend(self, document: Mapping[str, Any]) -> None:
        """Append what one load generator saw."""
        self.sent += [(group, number) for group, number in document["sent"]]
        self.receives += [Receive(**entry) for entry in document["receives"]]
        self.deletes += [Delete(**entry) for entry in document["deletes"]]


def lost(seen: Order) -> list[tuple[str, int]]:
    """Messages that were accepted and whose delete nobody has asked for, though all was received."""
    return sorted(set(seen.sent) - {(delete.group, delete.number) for delete in seen.deletes})


def overtaking(seen: Order) -> list[Receive]:
    """Receives of messages before each earlier one of their group was over."""
    there: dict[str, dict[int, int | None]] = defaultdict(dict)  # group -> number -> when its delete was asked for
    for group, number in seen.sent:
        there[group][number] = None
    for receive in seen.receives:
        there[receive.group].setdefault(receive.number, None)
    for delete in seen.deletes:
        first = there[delete.group].get(delete.number)
        there[delete.group][delete.number] = delete.asked_at if first is None else min(first, delete.asked_at)
    together: dict[tuple[str, int, int], dict[int, int]] = defaultdict(dict)  # answer -> number -> place
    for receive in seen.receives:
        together[receive.answer][receive.number] = receive.place
    found = []
    for receive in seen.receives:
        for number, over in there[receive.group].items():
            if number >= receive.number or (over is not None and over <= receive.answered_at):
                continue
            if together[receive.answer].get(number, receive.place) >= receive.place:
                found.append(receive)
                break
    return found


def delivered_again(seen: Order) -> list[Receive]:
    """Receives that were asked for after the 204 of the message's delete."""
    over = {(gone.group, gone.number): gone.answered_at for gone in seen.deletes if gone.answered_at is not None}
    return [one for one in seen.receives if one.asked_at > over.get((one.group, one.number), one.asked_at)]


def shared(seen: Order) -> list[str]:
    """Messages that were handed out while they were still hidden for whoever had received them before.

    One that was given back early is left out: its answer said when it would come back without that.
    """
    given_back = {receive.message_id for receive in seen.receives if receive.number % GIVEN_BACK == GIVEN_BACK - 1}
    judged = history.History(
        receives=[
            history.Receive(
                message_id=receive.message_id,
                asked_at=receive.asked_at,
                answered_at=receive.answered_at,
                next_visible_at=receive.next_visible_at,
            )
            for receive in seen.receives
            if receive.message_id not in given_back
        ]
    )
    return history.shared(judged)


def run(on: stage.Stage) -> None:
    """Kill, restart, and check what all clients saw."""
    if OURS not in on.plan.names:
        return
    with on.reporting(OURS, CASE):
        seen, failures, in_time, number = Order(), 0, 0, 0
        counters: dict[str, int] = {}
        while len(seen.sent) < on.plan.ordered:
            found = _one_life(on, number, counters)
            counters = found["counters"]
            seen.extend(found)
            failures += found["failures"]
            in_time += found["broken"]
            number += 1
            on.say(f"{number} kills: {len(seen.sent):,} messages accepted, {len(seen.deletes):,} deletes asked")
        seen.extend(_last_life(on, counters))
        on.results.add(CASE, OURS, 0, judged(seen) | {"kills": in_time, "failures": failures})
        on.say(f"lost: {len(lost(seen))}, overtaking: {len(overtaking(seen))}")


def judged(seen: Order) -> dict[str, float]:
    """The figures of a history."""
    return {
        "sent": len(seen.sent),
        "groups": len({group for group, _ in seen.sent}),
        "received": len(seen.receives),
        "deleted": sum(delete.answered_at is not None for delete in seen.deletes),
        "lost": len(lost(seen)),
        "overtaking": len(overtaking(seen)),
        "delivered_again": len(delivered_again(seen)),
        "shared": len(shared(seen)),
    }


def _start(on: stage.Stage) -> subjects.Subject:
    subject = on.start(OURS, CASE)
    return replace(subject, endpoint=replace(subject.endpoint, dialect="mns-fifo"))


def _one_life(on: stage.Stage, number: int, counters: dict[str, int]) -> dict[str, Any]:
    """Start, load, kill in the middle of it; what the clients saw."""
    subject = _start(on)
    try:
        if not number:
            subject.create_queue(_QUEUE, _VISIBILITY_SECONDS)
        job = _job(subject, producers=_CONNECTIONS, seconds=60, counters=counters)
        generator = load.start(job)
        time.sleep(_SHORTEST + number * _STEP % (_LONGEST - _SHORTEST))
    finally:
        subject.process.kill()
    return load.finish(generator, job)


def _last_life(on: stage.Stage, counters: dict[str, int]) -> dict[str, Any]:
    """Start once more and receive all that is left."""
    subject = _start(on)
    try:
        patience = 2 * _VISIBILITY_SECONDS + 2
        return load.run(_job(subject, producers=0, seconds=_DRAIN_SECONDS, until_empty=patience, counters=counters))
    finally:
        subject.process.stop()


def _job(subject: subjects.Subject, **fields: Any) -> jobs.Job:
    return jobs.Job(kind="ordered", endpoint=subject.endpoint, queue=_QUEUE, consumers=_CONNECTIONS, **fields)
