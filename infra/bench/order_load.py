"""The load of `order`: numbered messages to many groups, and consumers that are careless now and then."""

import contextlib
import itertools
import re
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from infra.bench import dialects, exchange, jobs, order

_OK = 300  # statuses below it say yes
_BATCH = 4  # messages that every other consumer asks for
_OUTSTANDING = 2000  # messages sent and not deleted, above which the producers hold back
_GIVE_BACK_SECONDS = 1
_BODY = re.compile(rb"<MessageBody>(group-[0-9]+):([0-9]+)</MessageBody>")


@dataclass(kw_only=True)
class _Seen:
    limit: int
    idle_seconds: float
    counters: dict[str, int]  # the next number of each group
    sent: list[tuple[str, int]] = field(default_factory=list)
    receives: list[order.Receive] = field(default_factory=list)
    deletes: list[order.Delete] = field(default_factory=list)
    known: set[tuple[str, int]] = field(default_factory=set)  # what was received before
    gone: int = 0
    newest: float = field(default_factory=time.perf_counter)
    failures: int = 0


def ordered(job: jobs.Job) -> dict[str, Any]:
    """Send, receive and delete, keeping what was seen, until the server ends or nothing is left."""
    dialect = dialects.Fifo(job.endpoint, job.queue)
    seen = _Seen(limit=job.messages, idle_seconds=job.until_empty, counters=dict(job.counters))
    names = [f"group-{number}" for number in range(job.groups)]
    groups = sorted(names, key=lambda name: seen.counters.get(name, 0))  # those first that have fewest messages
    broken = 0
    try:
        with contextlib.closing(exchange.Client(job.endpoint.address, job.producers + job.consumers)) as client:
            scripts = [_producer(dialect, seen, groups[place :: job.producers]) for place in range(job.producers)]
            scripts += [_consumer(dialect, seen, 1 if place % 2 else _BATCH) for place in range(job.consumers)]
            client.run(scripts, time.perf_counter() + job.seconds)
    except (OSError, exchange.BrokenError):
        broken = 1
    return {
        "sent": seen.sent,
        "receives": [asdict(receive) for receive in seen.receives],
        "deletes": [asdict(delete) for delete in seen.deletes],
        "counters": seen.counters,
        "broken": broken,
        "failures": seen.failures,
    }


def _clock() -> int:
    """Now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _producer(dialect: dialects.Fifo, seen: _Seen, groups: list[str]) -> exchange.Script:
    for group in itertools.cycle(groups):
        if len(seen.sent) >= seen.limit:
            return
        while len(seen.sent) - seen.gone > _OUTSTANDING:
            yield 0.01
        number = seen.counters.get(group, 0)
        seen.counters[group] = number + 1  # whatever comes of it: it may be there
        answer = yield dialect.put(group, f"{group}:{number}")
        if answer.status < _OK:
            seen.sent.append((group, number))
        else:
            seen.failures += 1


def _consumer(dialect: dialects.Fifo, seen: _Seen, count: int) -> exchange.Script:
    request = dialect.receive(count, 1)
    while True:
        asked = _clock()
        answer = yield request
        handles = dialects.handles(answer.payload)
        if not handles:
            seen.failures += not dialects.is_empty(*answer)
            if seen.idle_seconds and time.perf_counter() - seen.newest > seen.idle_seconds:
                return
            continue
        seen.newest = time.perf_counter()
        done: list[tuple[str, int, bytes]] = []
        for receive, handle in zip(_received(answer.payload, asked, _clock()), handles, strict=True):
            is_first = (receive.group, receive.number) not in seen.known
            seen.known.add((receive.group, receive.number))
            seen.receives.append(receive)
            if is_first and receive.number % order.GIVEN_BACK == order.GIVEN_BACK - 1:
                given = yield dialect.change(handle, _GIVE_BACK_SECONDS)
                seen.failures += given.status >= _OK
            elif not (is_first and receive.number % order.LEFT == order.LEFT - 1):
                done.append((receive.group, receive.number, handle))
        if done:
            yield from _delete(dialect, seen, done)


def _delete(dialect: dialects.Fifo, seen: _Seen, done: list[tuple[str, int, bytes]]) -> exchange.Script:
    """Delete messages; what was asked for is kept before the answer, which may never come."""
    asked, start = _clock(), len(seen.deletes)
    seen.deletes += [
        order.Delete(group=group, number=number, asked_at=asked, answered_at=None) for group, number, _ in done
    ]
    answer = yield dialect.delete([handle for _, _, handle in done])
    if answer.status < _OK:
        answered = _clock()
        seen.gone += len(done)
        for place, (group, number, _) in enumerate(done, start):
            seen.deletes[place] = order.Delete(group=group, number=number, asked_at=asked, answered_at=answered)
    else:
        seen.failures += 1


def _received(payload: bytes, asked: int, answered: int) -> list[order.Receive]:
    found = zip(
        dialects.message_ids(payload), _BODY.findall(payload), dialects.next_visible_times(payload), strict=True
    )
    return [
        order.Receive(
            message_id=message_id,
            group=group.decode(),
            number=int(number),
            place=place,
            asked_at=asked,
            answered_at=answered,
            next_visible_at=visible,
        )
        for place, (message_id, (group, number), visible) in enumerate(found)
    ]
