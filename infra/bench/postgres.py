"""A queue in PostgreSQL as one writes it by hand, and the jobs of the load generator for it.

One row per message; a receive claims the next visible row with `FOR UPDATE SKIP LOCKED` and gives it a new handle, a
delete needs that handle. Statements are prepared, each commits by itself, and the server's settings are its defaults.
"""

import importlib
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass
from typing import Any

from infra.bench import dialects, http_load, jobs, tally

_EMPTY_SECONDS = 0.005  # between two looks of a consumer that found nothing
_PATIENCE_SECONDS = 30
_FILLED_AT_ONCE = 1000
_ROUND_OPERATIONS = 160
_BATCHES = 20
BATCH = 10  # messages in a batch, as with SQS

_TABLE = """
CREATE TABLE {name} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body text NOT NULL,
    enqueued_at timestamptz NOT NULL DEFAULT now(),
    visible_at timestamptz NOT NULL DEFAULT now(),
    handle uuid,
    dequeued integer NOT NULL DEFAULT 0
);
CREATE INDEX ON {name} (visible_at);
"""
_SEND = "INSERT INTO {name} (body) SELECT unnest(%s::text[]) RETURNING id"
_SEND_ONE = "INSERT INTO {name} (body) VALUES (%s) RETURNING id"
_RECEIVE = """
WITH claimed AS MATERIALIZED (
    SELECT id FROM {name} WHERE visible_at <= now() ORDER BY visible_at LIMIT %s FOR UPDATE SKIP LOCKED
)
UPDATE {name} AS message
SET visible_at = now() + interval '60 seconds', handle = gen_random_uuid(), dequeued = dequeued + 1
FROM claimed WHERE message.id = claimed.id
RETURNING message.id, message.handle, message.body, message.enqueued_at, message.dequeued
"""
_PEEK = "SELECT id, body, enqueued_at, dequeued FROM {name} WHERE visible_at <= now() ORDER BY visible_at LIMIT %s"
_CHANGE = (
    "UPDATE {name} SET visible_at = now() + interval '60 seconds', handle = gen_random_uuid()"
    " WHERE id = %s AND handle = %s RETURNING handle"
)
_DELETE = "DELETE FROM {name} WHERE id = %s AND handle = %s"
_DELETE_MANY = (
    "DELETE FROM {name} AS message USING unnest(%s::bigint[], %s::uuid[]) AS told(id, handle)"
    " WHERE message.id = told.id AND message.handle = told.handle"
)

Claim = tuple[int, uuid.UUID]


class Queue:
    """One connection to one queue."""

    def __init__(self, endpoint: dialects.Endpoint, name: str) -> None:
        psycopg = importlib.import_module("psycopg")  # only who measures PostgreSQL needs it
        self._connection: Any = psycopg.connect(
            host=endpoint.host, port=endpoint.port, user="postgres", dbname="postgres", autocommit=True
        )
        self._name = '"' + name.replace('"', "") + '"'

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def hello(self) -> None:
        """The first thing asked of a server."""
        self._run("SELECT 1")

    def create(self) -> None:
        """Create the queue."""
        self._run(_TABLE, prepare=False)

    def drop(self) -> None:
        """Delete the queue."""
        self._run("DROP TABLE {name}", prepare=False)

    def send(self, count: int = 1) -> None:
        """Send messages."""
        if count == 1:
            self._run(_SEND_ONE, dialects.BODY)
        else:
            self._run(_SEND, [dialects.BODY] * count)

    def receive(self, count: int = 1) -> list[Claim]:
        """Claim messages."""
        return [(row[0], row[1]) for row in self._run(_RECEIVE, count).fetchall()]

    def peek(self, count: int = 1) -> None:
        """Look at messages."""
        self._run(_PEEK, count).fetchall()

    def change(self, claim: Claim) -> Claim:
        """Claim on; the new handle."""
        [(handle,)] = self._run(_CHANGE, *claim).fetchall()
        return claim[0], handle

    def delete(self, claims: list[Claim]) -> int:
        """Delete messages; how many there were."""
        if len(claims) == 1:
            return int(self._run(_DELETE, *claims[0]).rowcount)
        return int(self._run(_DELETE_MANY, [c[0] for c in claims], [c[1] for c in claims]).rowcount)

    def _run(self, statement: str, *values: Any, prepare: bool = True) -> Any:
        return self._connection.execute(statement.format(name=self._name), values or None, prepare=prepare)


def flow(job: jobs.Job) -> dict[str, float]:
    """See `http_load.flow`; a thread for each connection."""
    count = BATCH if job.batch else 1
    queues = [Queue(job.endpoint, job.queue) for _ in range(job.producers + job.consumers)]
    for queue in queues:
        queue.hello()
    window = tally.Window.opening(
        warm=job.warm, seconds=job.seconds, limit=max(1, job.messages // max(1, job.producers))
    )
    taking = tally.Window(counts_from=window.counts_from, ends=window.ends + job.drain, limit=job.messages)
    sent = [tally.Tally(window=window) for _ in range(job.producers)]
    deleted = [tally.Tally(window=taking) for _ in range(job.consumers)]
    everything = _Everything(sent=sent, deleted=deleted)
    work: list[tuple[Callable[..., None], tally.Tally]] = [(_produce, counts) for counts in sent]
    work += [(_consume, counts) for counts in deleted]
    threads = [
        threading.Thread(target=target, args=(queue, counts, count, everything), daemon=True)
        for queue, (target, counts) in zip(queues, work, strict=True)
    ]
    _run_all(threads, taking.ends + _PATIENCE_SECONDS)
    for queue in queues:
        queue.close()
    return tally.summary(deleted or sent)


@dataclass(frozen=True, kw_only=True)
class _Everything:
    """The counts of all workers, by which a consumer knows that nothing more will come."""

    sent: list[tally.Tally]
    deleted: list[tally.Tally]

    @property
    def finished(self) -> bool:
        if any(counts.wants_more or counts.done < counts.started for counts in self.sent):
            return False
        return not self.sent or sum(c.done for c in self.deleted) >= sum(c.done for c in self.sent)


def _produce(queue: Queue, counts: tally.Tally, count: int, _: _Everything) -> None:
    while counts.wants_more:
        began = counts.start(count)
        queue.send(count)
        counts.add(count, began)


def _consume(queue: Queue, counts: tally.Tally, count: int, everything: _Everything) -> None:
    while counts.wants_more:
        began = time.perf_counter()
        claims = queue.receive(count)
        if claims:
            counts.failures += queue.delete(claims) < len(claims)
            counts.add(len(claims), began)
        elif everything.finished:
            return
        else:
            time.sleep(_EMPTY_SECONDS)


def _run_all(threads: list[threading.Thread], until: float) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.perf_counter()))
        if thread.is_alive():
            raise TimeoutError("a worker did not come to its end")


def fill(job: jobs.Job) -> dict[str, float]:
    """Send `messages` in large batches, for no longer than `seconds`."""
    window = tally.Window.opening(warm=0, seconds=job.seconds, limit=job.messages)
    sent = tally.Tally(window=window)
    queue = Queue(job.endpoint, job.queue)
    while sent.wants_more:
        count = min(_FILLED_AT_ONCE, window.limit - sent.started)
        began = sent.start(count)
        queue.send(count)
        sent.add(count, began)
    queue.close()
    return tally.summary([sent])


def phases(job: jobs.Job) -> dict[str, float]:
    """See `http_load.phases`."""
    queues = [Queue(job.endpoint, job.queue) for _ in range(job.producers)]
    operations: dict[str, http_load.Operation] = {}
    ends = time.perf_counter() + job.seconds
    with futures.ThreadPoolExecutor(job.producers) as pool:

        def run(name: str, work: Callable[[Queue, Any], Any], inputs: list[Any]) -> list[Any]:
            """The work on each input, by all connections together."""
            shared = iter(inputs)
            lock = threading.Lock()

            def worker(queue: Queue) -> list[Any]:
                return [work(queue, value) for value in _locked(shared, lock)]

            began = time.perf_counter()
            found = [answer for answers in pool.map(worker, queues) for answer in answers]
            operation = operations.setdefault(name, http_load.Operation())
            operation.requests += len(found)
            operation.seconds += time.perf_counter() - began
            return found

        while not operations or time.perf_counter() < ends:
            for suffix, count, size in (("", 1, _ROUND_OPERATIONS), (" batch", BATCH, _BATCHES)):
                counts = [count] * size
                run(f"send{suffix}", Queue.send, counts)
                run(f"peek{suffix}", Queue.peek, counts)
                claims = list(filter(None, run(f"receive{suffix}", Queue.receive, counts)))
                if count == 1:
                    claims = [[claim] for claim in run("change visibility", Queue.change, [c[0] for c in claims])]
                run(f"delete{suffix}", Queue.delete, claims)
    for queue in queues:
        queue.close()
    return {name: operation.rate for name, operation in operations.items()} | {"failures": 0.0}


def _locked(shared: Iterator[Any], lock: threading.Lock) -> Iterator[Any]:
    """Whatever is next of an iterator that several threads share."""
    for _ in itertools.repeat(None):
        with lock:
            try:
                value = next(shared)
            except StopIteration:
                return
        yield value
