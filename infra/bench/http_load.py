"""The jobs of the load generator for the subjects that speak HTTP."""

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from infra.bench import dialects, exchange, figures, jobs, machine, tally

_OK = 300  # statuses below it say yes
_PATIENCE_SECONDS = 30  # for answers in hand at the end
_ROUND_OPERATIONS = 160  # requests of each kind in a round through the message operations
_BATCHES = 20  # requests of each kind of batch in a round
_OUTSTANDING = 2000  # messages sent and not deleted, above which the producers of a history hold back


# --- Rates -----------------------------------------------------------------------------------------------------------


def flow(job: jobs.Job) -> dict[str, float]:
    """Producers, consumers or both; a pipeline is counted at its end, from its first send to its last delete."""
    dialect = dialects.of(job.endpoint, job.queue)
    count = dialect.batch if job.batch else 1
    client = exchange.Client(job.endpoint.address, job.producers + job.consumers)
    window = tally.Window.opening(warm=job.warm, seconds=job.seconds, limit=job.messages)
    sent = tally.Tally(window=window)
    pipeline = bool(job.producers and job.consumers)
    taking = tally.Window(counts_from=window.counts_from, ends=window.ends + job.drain, limit=job.messages)
    deleted = tally.Tally(window=taking)

    def finished() -> bool:
        return not pipeline or (not sent.wants_more and deleted.done >= sent.done == sent.started)

    scripts = [_producer(dialect, sent, count) for _ in range(job.producers)]
    scripts += [_consumer(dialect, deleted, count, 1 if pipeline else 0, finished) for _ in range(job.consumers)]
    client.run(scripts, taking.ends + _PATIENCE_SECONDS)
    client.close()
    found = tally.summary([deleted if job.consumers else sent])
    return found | {"failures": float(sent.failures + deleted.failures)}


def _producer(dialect: dialects.Dialect, counts: tally.Tally, count: int) -> exchange.Script:
    requests = dialect.sends(count)
    while counts.wants_more:
        began = counts.start(count)
        answer = yield next(requests)
        if answer.status < _OK:
            counts.add(count, began)
        else:
            counts.failures += 1
            counts.started -= count


def _consumer(
    dialect: dialects.Dialect, counts: tally.Tally, count: int, wait: int, finished: Callable[[], bool]
) -> exchange.Script:
    request = dialect.receive(count, wait)
    while counts.wants_more:
        began = time.perf_counter()
        answer = yield request
        handles = dialects.handles(answer.payload)
        if not handles:
            counts.failures += not dialects.is_empty(*answer)
            if finished():
                return
            continue
        answer = yield dialect.delete(handles)
        if answer.status < _OK:
            counts.add(len(handles), began)
        else:
            counts.failures += 1


# --- Backlogs --------------------------------------------------------------------------------------------------------


def fill(job: jobs.Job) -> dict[str, float]:
    """Send `messages` in batches, for no longer than `seconds`."""
    dialect = dialects.of(job.endpoint, job.queue)
    window = tally.Window.opening(warm=0, seconds=job.seconds, limit=job.messages)
    sent = tally.Tally(window=window)
    client = exchange.Client(job.endpoint.address, job.producers)
    client.run([_producer(dialect, sent, dialect.batch) for _ in range(job.producers)], window.ends + _PATIENCE_SECONDS)
    client.close()
    return tally.summary([sent])


def phases(job: jobs.Job) -> dict[str, float]:
    """Every message operation in rounds that leave the backlog as it was; requests per second of each."""
    dialect = dialects.of(job.endpoint, job.queue)
    client = exchange.Client(job.endpoint.address, job.producers)
    rounds = _Rounds(dialect=dialect, client=client, connections=job.producers)
    ends = time.perf_counter() + job.seconds
    while not rounds.operations or time.perf_counter() < ends:
        rounds.once(ends + job.drain)
    client.close()
    return {name: operation.rate for name, operation in rounds.operations.items()} | {"failures": rounds.failures}


@dataclass(kw_only=True)
class Operation:
    """One message operation so far."""

    requests: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds if self.seconds else 0.0


@dataclass(kw_only=True)
class _Rounds:
    dialect: dialects.Dialect
    client: exchange.Client
    connections: int
    operations: dict[str, Operation] = field(default_factory=dict)
    failures: float = 0

    def once(self, until: float) -> None:
        """A round; each operation ends early when its time is over."""
        for suffix, count, size in (("", 1, _ROUND_OPERATIONS), (" batch", self.dialect.batch, _BATCHES)):
            self._run(f"send{suffix}", itertools.repeat(self.dialect.send(count), size), until)
            peek = self.dialect.peek(count)
            if peek is not None:
                self._run(f"peek{suffix}", itertools.repeat(peek, size), until)
            received = self._run(f"receive{suffix}", itertools.repeat(self.dialect.receive(count), size), until)
            groups = [found for answer in received if (found := dialects.handles(answer.payload))]
            if count == 1:
                changes = (self.dialect.change(group[0], 60) for group in groups)
                changed = self._run("change visibility", changes, until)
                # MNS answers with a new handle, SQS keeps the old one.
                groups = [found for answer in changed if (found := dialects.handles(answer.payload))] or groups
            self._run(f"delete{suffix}", (self.dialect.delete(group) for group in groups), until)

    def _run(self, name: str, requests: Iterator[bytes], until: float) -> list[exchange.Response]:
        answers: list[exchange.Response] = []
        began = time.perf_counter()
        before = itertools.takewhile(lambda _: time.perf_counter() < until, requests)
        self.client.run(exchange.scripts(before, answers, self.connections), until + _PATIENCE_SECONDS)
        if answers:
            operation = self.operations.setdefault(name, Operation())
            operation.requests += len(answers)
            operation.seconds += time.perf_counter() - began
        self.failures += sum(answer.status >= _OK for answer in answers)
        return answers


# --- Long polls ------------------------------------------------------------------------------------------------------


def parked(job: jobs.Job) -> dict[str, float]:
    """Park long polls, measure the server's CPU while nothing happens, then how fast a send reaches one of them."""
    dialect = dialects.of(job.endpoint, job.queue)
    state = _Parked(ends=time.perf_counter() + job.wait + _PATIENCE_SECONDS)
    client = exchange.Client(job.endpoint.address, job.waiters + 1)
    conductor = _conductor(dialect, state, job)
    scripts = [*(_waiter(dialect, state, job.wait) for _ in range(job.waiters)), conductor]
    finished = client.run(scripts, state.ends)
    client.close()
    return {
        "parked": float(state.parked),
        "failures": float(state.failures + (not finished)),
        "idle_cpu": state.idle_cpu,
        "delivered": float(len(state.latencies)),
        "p50_ms": figures.milliseconds(figures.percentile(state.latencies, 0.5)),
        "p99_ms": figures.milliseconds(figures.percentile(state.latencies, 0.99)),
    }


@dataclass(kw_only=True)
class _Parked:
    ends: float
    parked: int = 0  # waiters that waited through the idle window
    failures: int = 0
    waiting: int = 0
    answered: int = 0  # answers so far, of any kind
    idle_cpu: float = 0.0  # share of a core
    sent_at: float | None = None  # of the message that is on its way
    closing: bool = False
    latencies: list[float] = field(default_factory=list)  # seconds

    @property
    def on_its_way(self) -> bool:
        """Whether a message was sent and not yet received."""
        return self.sent_at is not None


def _waiter(dialect: dialects.Dialect, state: _Parked, wait: int) -> exchange.Script:
    request = dialect.receive(1, wait)
    while not state.closing:
        state.waiting += 1
        answer = yield request
        now = time.perf_counter()
        state.waiting -= 1
        state.answered += 1
        handles = dialects.handles(answer.payload)
        if handles:
            if state.sent_at is not None:
                state.latencies.append(now - state.sent_at)
                state.sent_at = None
            yield dialect.delete(handles)
        elif not dialects.is_empty(*answer):
            state.failures += 1


def _conductor(dialect: dialects.Dialect, state: _Parked, job: jobs.Job) -> exchange.Script:
    yield job.warm  # until all are parked
    answered, cpu, began = state.answered, machine.run_seconds(job.server_pid), time.perf_counter()
    yield job.seconds
    state.idle_cpu = (machine.run_seconds(job.server_pid) - cpu) / (time.perf_counter() - began)
    state.parked = state.waiting - (state.answered - answered)
    state.failures += job.waiters - state.parked
    for _ in range(job.messages):
        state.sent_at = time.perf_counter()
        yield dialect.send()
        yield 0.02
        patience = time.perf_counter() + 2
        while state.on_its_way and time.perf_counter() < patience:
            yield 0.005
        state.failures += state.on_its_way
    state.closing = True


# --- Histories -------------------------------------------------------------------------------------------------------


def history(job: jobs.Job) -> dict[str, Any]:
    """Send, receive and delete, keeping what was seen, until the server ends or nothing is left."""
    dialect = dialects.of(job.endpoint, job.queue)
    seen = _Seen(limit=job.messages, idle_seconds=job.until_empty)
    broken = 0
    try:
        client = exchange.Client(job.endpoint.address, job.producers + job.consumers)
        scripts = [_recording_producer(dialect, seen) for _ in range(job.producers)]
        scripts += [_recording_consumer(dialect, seen) for _ in range(job.consumers)]
        client.run(scripts, time.perf_counter() + job.seconds)
        client.close()
    except (OSError, exchange.BrokenError):
        broken = 1
    deletes = [(name, moment) for name, moment in seen.deletes.items()]
    return {
        "sent": seen.sent,
        "receives": seen.receives,
        "deletes": deletes,
        "broken": broken,
        "failures": seen.failures,
    }


@dataclass(kw_only=True)
class _Seen:
    limit: int
    idle_seconds: float
    sent: list[str] = field(default_factory=list)
    receives: list[tuple[str, int, int, int]] = field(default_factory=list)
    deletes: dict[str, int | None] = field(default_factory=dict)
    newest: float = field(default_factory=time.perf_counter)
    failures: int = 0


def _clock() -> int:
    """Now, in ms since the epoch."""
    return time.time_ns() // 1_000_000


def _recording_producer(dialect: dialects.Dialect, seen: _Seen) -> exchange.Script:
    request = dialect.send()
    while len(seen.sent) < seen.limit:
        if len(seen.sent) - len(seen.deletes) > _OUTSTANDING:
            yield 0.01
            continue
        answer = yield request
        if answer.status < _OK:
            seen.sent += dialects.message_ids(answer.payload)
        else:
            seen.failures += 1


def _recording_consumer(dialect: dialects.Dialect, seen: _Seen) -> exchange.Script:
    request = dialect.receive(1, 1)
    while True:
        asked = _clock()
        answer = yield request
        answered = _clock()
        handles = dialects.handles(answer.payload)
        if not handles:
            seen.failures += not dialects.is_empty(*answer)
            if seen.idle_seconds and time.perf_counter() - seen.newest > seen.idle_seconds:
                return
            continue
        seen.newest = time.perf_counter()
        [name] = dialects.message_ids(answer.payload)
        [visible] = dialects.next_visible_times(answer.payload)
        seen.receives.append((name, asked, answered, visible))
        seen.deletes.setdefault(name, None)
        answer = yield dialect.delete(handles)
        if answer.status < _OK:
            seen.deletes[name] = _clock()
        else:
            seen.failures += 1
