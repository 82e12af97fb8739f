"""What the local server's own way to keep messages has beyond the contract of `tests/storage`."""

import contextlib
import os
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chalicelib import clock as clocks
from chalicelib.model import dead_letter, errors, queue, resource
from chalicelib.storage import errors as engine_errors
from chalicelib.storage import queues, resources, sealing
from infra.embedded.engine import EmbeddedEngine
from infra.local import engine as engines
from infra.local import vault
from infra.local.store import layout, messages
from tests.conftest import NOW
from tests.storage import test_groups as fifo
from tests.storage import test_messages as ordinary
from tests.storage.test_resources import HERE

KEY = vault.in_memory()


@dataclass
class Kept:
    """Messages on a file, and what was heard of them."""

    path: Path | None
    now: int = NOW
    engine: EmbeddedEngine = field(init=False)
    heard: list[tuple[str, int, int | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = EmbeddedEngine(self.path, now=lambda: self.now)
        engines.make_tables(self.engine, "t-")
        gate = engine_errors.Gate(self.engine)
        self.queues = queues.Queues(resources=resources.Resources(gate=gate, prefix="t-"))
        self.seal = sealing.Sealing(gate=gate, prefix="t-", vault=KEY, draw=os.urandom)
        self.messages = messages.here(
            self.engine,
            seal=self.seal,
            queues=self.queues,
            ids=clocks.RandomIds(),
            announce=lambda *news: self.heard.append(news),
        )

    def claim(self, of: queue.Queue, now: int = NOW, limit: int = 1, **more: object):
        return self.messages.claim(of, limit=limit, now=now, visible_at=now + 30_000, **more).messages

    def count(self, of: queue.Queue) -> tuple[int, int, int]:
        counted = self.messages.counts(of.partitions).get(of.partitions[0], queue.Counts())
        return counted.active, counted.inactive, counted.delayed

    def rows(self, table: str) -> int:
        return self.messages.rows.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608


@pytest.fixture
def kept(tmp_path):
    made = Kept(tmp_path / "openmns.db")
    yield made
    made.engine.close()


@pytest.fixture(params=[ordinary, fifo], ids=["normal", "fifo"])
def kind(request):
    return request.param


def test_what_becomes_visible_and_when_the_next_does_is_told_once_it_is_committed(kept, kind):
    of = kind.make_queue()
    with kept.engine.batch():
        kept.messages.put(of, kind.make_message())
        kept.messages.put(of, kind.make_message().evolve(group_id="other"))
        assert kept.heard == []
    assert kept.heard == [(of.queue_id, 2, None)]
    kept.heard.clear()
    [held] = kept.claim(of)
    assert kept.heard == [(of.queue_id, 0, NOW + 30_000)]
    kept.messages.delete([held.receipt(of)], now=NOW)
    kept.messages.peek(of, limit=1, now=NOW)
    assert len(kept.heard) == 1
    kept.messages.claim(of, limit=1, now=NOW, visible_at=NOW + 5_000)
    kept.heard.clear()
    kept.messages.release(of, of.partitions[0], now=NOW + 5_000, limit=9)
    assert kept.heard == [(of.queue_id, 1, None)]


def test_of_a_batch_that_comes_to_nothing_nothing_is_stored_counted_or_told(kept, kind):
    of = kind.make_queue()
    with contextlib.suppress(ZeroDivisionError), kept.engine.batch():
        kept.messages.put(of, kind.make_message("x" * 9_000))
        assert kept.count(of) == (1, 0, 0)
        raise ZeroDivisionError
    assert (kept.heard, kept.count(of), kept.claim(of)) == ([], (0, 0, 0), ())
    assert [kept.rows(table) for table in ("queue_messages", "queue_bodies", "queue_groups")] == [0, 0, 0]


def test_counts_are_those_of_the_moment_also_within_a_batch(kept, kind):
    of = kind.make_queue()
    with kept.engine.batch():
        kept.messages.put_all(of, [kind.make_message().evolve(group_id=f"{number}") for number in range(3)])
        held = kept.claim(of, limit=2)
        assert kept.count(of) == (1, 2, 0)
        kept.messages.delete([held[0].receipt(of)], now=NOW)
        assert kept.count(of) == (1, 1, 0)
    assert kept.count(of) == (1, 1, 0)


def test_a_move_to_the_dead_letter_queue_that_breaks_off_loses_nothing(kept, kind, monkeypatch):
    of, to = (kind.make_queue().evolve(name=name) for name in ("source", "target"))
    kept.queues.create(HERE, to)
    route = dead_letter.Route(namespace=HERE, source=of, target=to, max_receive_count=1)
    kept.messages.put(of, kind.make_message("x" * 5_000))
    assert len(kept.claim(of, dead=route)) == 1
    execute = kept.messages.rows.db.execute

    def broken(statement: str, *arguments: object) -> sqlite3.Cursor:
        if statement.startswith("DELETE FROM queue_messages"):
            raise sqlite3.OperationalError("disk I/O error")
        return execute(statement, *arguments)

    with monkeypatch.context() as patched:
        for name in ("execute", "write"):
            patched.setattr(kept.messages.rows.db, name, broken)
        with pytest.raises(errors.InternalError):
            kept.claim(of, now=NOW + 30_000, dead=route)
    assert (kept.count(of), kept.count(to)) == ((0, 1, 0), (0, 0, 0))
    assert kept.claim(of, now=NOW + 30_000, dead=route) == ()
    assert (kept.count(of), kept.count(to)) == ((0, 0, 0), (1, 0, 0))
    assert [found.body for found in kept.claim(to)] == ["x" * 5_000]


@pytest.mark.parametrize("size", [20, 9_000])
def test_messages_of_a_queue_that_encrypts_are_not_in_the_file_and_open_again_later(kept, kind, size):
    by = resource.Encryption(enabled=True)
    of = kind.make_queue()
    of = of.evolve(attributes=of.attributes.evolve(queue.QueueChange(encryption=by)))
    kept.seal.prepare(of.queue_id, by)
    secret = ("top secret " * size)[:size]
    properties = (ordinary.message.Property(name="city", value="杭州", type=ordinary.message.PropertyType.STRING),)
    kept.messages.put(of, kind.make_message(secret, user_properties=properties))
    kept.engine.close()
    assert not [path for path in kept.path.parent.iterdir() if {b"top secret", "杭州".encode()} & _words(path)]
    again = Kept(kept.path)
    kept.engine = again.engine
    [found] = again.claim(of)
    assert (found.body, found.user_properties) == (secret, properties)


def _words(path: Path) -> set[bytes]:
    content = path.read_bytes()
    return {word for word in (b"top secret", "杭州".encode()) if word in content}


def test_the_sweep_takes_what_is_too_old_and_nothing_else(kept, kind):
    of = kind.make_queue()
    old = [kind.make_message("x" * 5_000, expires_at=NOW - 1) for _ in range(5)]
    kept.messages.put_all(of, [*old, kind.make_message("young").evolve(group_id="young")])
    assert [kept.engine.expire(3) for _ in range(3)] == [3, 2, 0]
    assert (kept.count(of), kept.rows("queue_bodies")) == ((1, 0, 0), 0)
    assert [found.body for found in kept.claim(of, limit=9)] == ["young"]
    assert kept.rows("queue_groups") == (kind is fifo)


def test_marks_of_messages_that_were_put_once_go_when_nobody_can_bring_them_again(kept):
    of = fifo.make_queue()
    assert kept.messages.put_once(of, fifo.make_message(expires_at=NOW - 86_400_000))
    kept.engine.expire(9)
    assert kept.rows("queue_marks") == 0


def test_whatever_the_backlog_every_statement_is_answered_by_an_index(kept, monkeypatch):
    seen: set[str] = set()
    execute = kept.messages.rows.db.execute

    def noting(statement: str, *arguments: object) -> sqlite3.Cursor:
        seen.add(statement)
        return execute(statement, *arguments)

    with monkeypatch.context() as patched:
        for name in ("execute", "write"):
            patched.setattr(kept.messages.rows.db, name, noting)
        for kind in (ordinary, fifo):
            of, to = (kind.make_queue().evolve(name=f"{name}-{kind is fifo}") for name in ("source", "target"))
            kept.queues.create(HERE, to)
            route = dead_letter.Route(namespace=HERE, source=of, target=to, max_receive_count=1)
            kept.messages.put_all(of, [kind.make_message("x" * 5_000), kind.make_message(expires_at=NOW + 1)])
            kept.messages.put_once(of, kind.make_message(visible_at=NOW + 9))
            kept.messages.peek(of, limit=1, now=NOW)
            [held] = kept.claim(of, dead=route)
            kept.messages.postpone(held.receipt(of), now=NOW, visible_at=NOW + 9, stamp="0" * 12)
            kept.messages.delete([held.receipt(of)], now=NOW)
            kept.claim(of, now=NOW + 60_000, dead=route)
            kept.messages.release(of, of.partitions[0], now=NOW + 60_000, limit=9)
            kept.messages.delete([found.receipt(to) for found in kept.claim(to)], now=NOW)
            kept.messages.counts(of.partitions)
            kept.engine.expire(9)
            while kept.messages.purge(of.partitions[0]):
                pass
    ours = [statement for statement in seen if "queue_" in statement]
    assert len(ours) > 20
    for statement in ours:
        plan = execute(f"EXPLAIN QUERY PLAN {statement}", ("1",) * statement.count("?")).fetchall()
        assert not [row[3] for row in plan if row[3].startswith("SCAN") or "TEMP B-TREE" in row[3]], statement


def test_a_send_is_one_statement_a_receive_two_and_a_delete_one(kept, monkeypatch):
    of = ordinary.make_queue()
    calls: list[str] = []
    execute = kept.messages.rows.db.execute

    def noting(statement: str, *arguments: object) -> sqlite3.Cursor:
        calls.append(statement.split(maxsplit=1)[0])
        return execute(statement, *arguments)

    for name in ("execute", "write"):
        monkeypatch.setattr(kept.messages.rows.db, name, noting)
    kept.messages.put(of, ordinary.make_message())
    assert calls == ["BEGIN", "INSERT", "INSERT", "COMMIT"]  # the second one counts
    calls.clear()
    [held] = kept.claim(of)
    assert calls == ["BEGIN", "SELECT", "UPDATE", "INSERT", "COMMIT"]
    calls.clear()
    kept.messages.delete([held.receipt(of)], now=NOW)
    assert calls == ["BEGIN", "DELETE", "INSERT", "COMMIT"]


def test_a_large_body_is_not_written_again_by_a_claim(kept):
    of = ordinary.make_queue()
    kept.messages.put_all(of, [ordinary.make_message("x" * size) for size in (layout.INLINE, layout.INLINE + 1)])
    assert kept.rows("queue_bodies") == 1
    assert [len(found.body) for found in kept.claim(of, limit=2)] == [layout.INLINE, layout.INLINE + 1]
