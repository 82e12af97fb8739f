"""What several processes make of the messages that each of them keeps."""

import os

import pytest

from chalicelib import clock as clocks
from chalicelib.broker import ports
from chalicelib.model import errors, queue
from chalicelib.storage import errors as engine_errors
from chalicelib.storage import queues, resources, sealing
from infra.embedded.engine import EmbeddedEngine
from infra.local import config, runtime, vault
from infra.local import engine as engines
from infra.local.store import shards
from tests.conftest import NOW
from tests.infra.local.store.crowd import Crowd
from tests.storage import test_groups as fifo
from tests.storage.test_messages import make_message, make_queue

LATE = shards.LATE_MS


class Server:
    """Three processes: the first one and two workers, each asked by itself."""

    def __init__(self, folder, processes: int = 3) -> None:
        self.rest = EmbeddedEngine(None, now=lambda: NOW)
        engines.make_tables(self.rest, "t-")
        gate = engine_errors.Gate(self.rest)
        self.heard: list[tuple[str, int, int | None]] = []
        self.crowd = Crowd(
            folder,
            now=lambda: NOW,
            seal=sealing.Sealing(gate=gate, prefix="t-", vault=vault.in_memory(), draw=os.urandom),
            queues=queues.Queues(resources=resources.Resources(gate=gate, prefix="t-")),
            ids=clocks.RandomIds(),
            announce=lambda *news: self.heard.append(news),
            processes=processes,
        )
        self.first, self.one, self.two, *_ = self.crowd.processes

    def kept(self) -> list[int]:
        """How many messages each process has."""
        return [rows.db.execute("SELECT count(*) FROM queue_messages").fetchone()[0] for rows in self.crowd.rows]

    def close(self) -> None:
        self.crowd.close()
        self.rest.close()


@pytest.fixture
def server():
    made = Server(None)
    yield made
    made.close()


def claim(by: ports.Messages, of: queue.Queue, now: int = NOW, limit: int = 1) -> list[str]:
    taken = by.claim(of, limit=limit, now=now, visible_at=now + 30_000).messages
    return [found.body for found in taken]


def refused(verb, *given: object, **named: object) -> bool:
    """Whether a process leaves it to the others, and nothing has changed."""
    with pytest.raises(shards.Elsewhere):
        verb(*given, **named)
    return True


def test_a_process_keeps_what_comes_in_through_it_and_receives_it(server):
    of = make_queue()
    server.one.put_all(of, [make_message("a"), make_message("b")])
    server.two.put(of, make_message("c"))
    assert server.kept() == [0, 2, 1]
    assert (claim(server.one, of), claim(server.two, of), claim(server.one, of)) == (["a"], ["c"], ["b"])


def test_who_has_none_leaves_it_to_the_others_unless_they_have_none_either(server):
    of = make_queue()
    assert claim(server.one, of) == claim(server.first, of) == []
    server.two.put(of, make_message("a"))
    assert refused(claim, server.one, of)
    assert refused(claim, server.first, of)
    assert claim(server.crowd, of) == ["a"]
    assert claim(server.one, of) == claim(server.first, of) == []


def test_what_has_just_been_looked_for_elsewhere_is_not_looked_for_again(server):
    of = make_queue()
    server.two.put(of, make_message("a"))
    server.one.rows.stays = True
    assert claim(server.one, of) == []


def test_messages_of_higher_priority_come_first_whoever_keeps_them(server):
    of = make_queue()
    server.one.put(of, make_message("low", priority=9))
    server.two.put(of, make_message("high", priority=2))
    assert refused(claim, server.one, of)
    assert [claim(server.crowd, of) for _ in range(2)] == [["high"], ["low"]]


def test_messages_that_are_much_older_come_first_whoever_keeps_them(server):
    of = make_queue()
    server.one.put(of, make_message("younger", enqueued_at=NOW + LATE, visible_at=NOW + LATE))
    server.two.put(of, make_message("older"))
    assert claim(server.one, of, now=NOW + LATE) == ["younger"]
    server.one.put(of, make_message("much younger", enqueued_at=NOW + LATE + 1, visible_at=NOW + LATE + 1))
    assert refused(claim, server.one, of, now=NOW + LATE + 1)
    assert claim(server.crowd, of, now=NOW + LATE + 1) == ["older"]


def test_a_process_where_somebody_receives_is_left_to_its_own_messages_however_old(server):
    of = make_queue()
    server.two.put_all(of, [make_message("old"), make_message("older")])
    assert claim(server.two, of, now=NOW + 2 * LATE) == ["old"]
    for moment, body in ((2 * LATE, "young"), (3 * LATE, "younger"), (3 * LATE + 1, "youngest")):
        server.one.put(of, make_message(body, enqueued_at=NOW + moment, visible_at=NOW + moment))
    assert claim(server.one, of, now=NOW + 2 * LATE) == ["young"]
    assert claim(server.one, of, now=NOW + 3 * LATE) == ["younger"]
    assert refused(claim, server.one, of, now=NOW + 3 * LATE + 1)


def test_a_batch_is_filled_with_messages_of_all(server):
    of = make_queue()
    for number, process in enumerate([server.first, server.one, server.two] * 2):
        process.put(of, make_message(f"{number}"))
    assert refused(claim, server.one, of, limit=4)
    assert len(claim(server.crowd, of, limit=4)) == 4
    assert sorted(claim(server.crowd, of, limit=9)) != []
    assert claim(server.crowd, of) == []


def test_a_batch_that_one_process_can_fill_it_fills(server):
    of = make_queue()
    server.one.put_all(of, [make_message("a"), make_message("b")])
    server.two.put(of, make_message("c"))
    assert claim(server.one, of, limit=2) == ["a", "b"]


def test_what_comes_due_is_seen_by_all(server):
    of = make_queue()
    server.two.put(of, make_message("later", visible_at=NOW + 1_000))
    assert claim(server.one, of) == []
    assert refused(claim, server.one, of, now=NOW + 1_000)
    server.heard.clear()
    server.first.release(of, of.partitions[0], now=NOW + 1_000, limit=9)
    assert server.heard == [(of.queue_id, 1, None)]
    assert claim(server.crowd, of, now=NOW + 1_000) == ["later"]


@pytest.mark.parametrize("by", [0, 1, 2])
def test_a_message_is_deleted_and_hidden_on_through_any_process(server, by):
    of = make_queue()
    server.one.put_all(of, [make_message("a"), make_message("b")])
    held, other = server.one.claim(of, limit=2, now=NOW, visible_at=NOW + 9).messages
    process = server.crowd.processes[by]
    if by == 1:
        assert process.postpone(held.receipt(of), now=NOW, visible_at=NOW + 20, stamp="0" * 12)
        assert process.delete([other.receipt(of)], now=NOW) == (None,)
    else:
        assert refused(process.postpone, held.receipt(of), now=NOW, visible_at=NOW + 20, stamp="0" * 12)
        assert refused(process.delete, [other.receipt(of)], now=NOW)
        assert server.crowd.postpone(held.receipt(of), now=NOW, visible_at=NOW + 20, stamp="0" * 12)
        assert server.crowd.delete([other.receipt(of)], now=NOW) == (None,)
    assert server.kept() == [0, 1, 0]


def test_of_a_batch_of_deletes_a_process_does_all_or_none(server):
    of = make_queue()
    server.one.put(of, make_message("a"))
    server.two.put(of, make_message("b"))
    receipts = [
        process.claim(of, limit=1, now=NOW, visible_at=NOW + 9).messages[0].receipt(of)
        for process in (server.one, server.two)
    ]
    assert refused(server.one.delete, receipts, now=NOW)
    assert server.kept() == [0, 1, 1]
    assert server.crowd.delete(receipts, now=NOW) == (None, None)
    assert server.kept() == [0, 0, 0]


def test_a_receipt_that_counts_no_more_is_no_question_for_others(server):
    of = make_queue()
    server.one.put(of, make_message("a"))
    [held] = server.one.claim(of, limit=1, now=NOW, visible_at=NOW + 9).messages
    [failure] = server.one.delete([held.receipt(of)], now=NOW + 10)
    assert isinstance(failure, errors.MessageNotExist)
    assert not server.one.postpone(held.receipt(of), now=NOW + 10, visible_at=NOW + 20, stamp="0" * 12)


def test_what_was_received_already_is_not_lost_with_a_process_that_dies_meanwhile(server):
    of = make_queue()
    server.one.put(of, make_message("a", priority=1))
    server.two.put(of, make_message("b"))
    server.crowd.rows[2] = None  # whoever asks it gets an error
    assert claim(server.crowd, of, limit=2) == ["a"]
    with pytest.raises(errors.InternalError):
        claim(server.crowd, of, limit=2)


def test_peeks_and_counts_are_of_all(server):
    of = make_queue()
    for priority, process in enumerate(server.crowd.processes, 3):
        process.put(of, make_message(f"{priority}", priority=priority))
    server.two.put(of, make_message("best", priority=1))
    assert refused(server.one.peek, of, limit=1, now=NOW)
    assert [found.body for found in server.crowd.peek(of, limit=3, now=NOW)] == ["best", "3", "4"]
    assert refused(server.one.counts, of.partitions)
    assert server.crowd.counts(of.partitions) == {of.partitions[0]: queue.Counts(active=4)}


def test_counts_are_of_this_moment(server):
    of = make_queue()
    server.two.put_all(of, [make_message(visible_at=NOW - 5, enqueued_at=NOW - 9), make_message(expires_at=NOW)])
    assert server.crowd.counts(of.partitions) == {of.partitions[0]: queue.Counts(active=1)}


def test_messages_of_fifo_queues_are_all_kept_by_the_first_process(server):
    of = fifo.make_queue()
    assert refused(server.one.put, of, fifo.make_message("a"))
    server.crowd.put_all(of, [fifo.make_message("a"), fifo.make_message("b")])
    assert server.kept() == [2, 0, 0]
    assert refused(claim, server.two, of)
    [held] = server.crowd.claim(of, limit=1, now=NOW, visible_at=NOW + 9).messages
    assert refused(server.one.peek, of, limit=1, now=NOW)
    assert refused(server.one.postpone, held.receipt(of), now=NOW, visible_at=NOW + 20, stamp="0" * 12)
    assert refused(server.one.delete, [held.receipt(of)], now=NOW)
    assert server.crowd.delete([held.receipt(of)], now=NOW) == (None,)


def test_a_deleted_queue_is_purged_everywhere(server):
    of = make_queue()
    for process in server.crowd.processes:
        process.put(of, make_message("x" * 5_000))
    while server.first.purge(of.partitions[0]):
        pass
    assert server.kept() == [0, 0, 0]
    assert server.crowd.counts(of.partitions) == {}


def test_what_is_put_once_is_put_by_the_first_process(server):
    of, new = make_queue(), make_message("a")
    assert [server.first.put_once(of, new) for _ in range(2)] == [True, False]
    assert refused(server.one.put_once, of, new)


def test_a_question_that_cannot_be_answered_is_an_error_to_who_asked(server):
    found = shards.answer(server.crowd.rows[1], ("claim", (), {}))
    assert isinstance(found, errors.InternalError)


def test_the_messages_of_a_process_that_is_no_more_are_taken_over_by_the_first(tmp_path):
    made = Server(tmp_path)
    of = make_queue()
    made.one.put_all(of, [make_message("x" * 5_000), make_message("b", visible_at=NOW + 5), make_message("c")])
    [held] = made.one.claim(of, limit=1, now=NOW, visible_at=NOW + 9).messages
    for _ in range(2):  # the second time it finds what it was killed after
        made.crowd.rows[0].take_over(made.crowd.engines[1])
        assert made.kept() == [3, 0, 0]
    assert made.crowd.rows[0].counts([of.queue_id]) == {of.queue_id: queue.Counts(active=1, inactive=1, delayed=1)}
    assert claim(made.crowd, of) == ["c"]
    assert made.first.delete([held.receipt(of)], now=NOW) == (None,)
    assert claim(made.crowd, of, now=NOW + 9) == ["b"]
    made.close()


def test_a_message_taken_over_twice_is_there_once(tmp_path):
    made = Server(tmp_path)
    of, new = make_queue(), make_message("x" * 5_000)
    made.one.put(of, new)
    made.first.put(of, new)  # it had been taken over when the process was killed
    made.crowd.rows[0].take_over(made.crowd.engines[1])
    assert made.kept() == [1, 0, 0]
    assert made.crowd.rows[0].counts([of.queue_id]) == {of.queue_id: queue.Counts(active=1)}
    made.close()


def test_a_server_of_one_process_takes_over_whatever_those_of_many_kept(tmp_path):
    made, of, now = Server(tmp_path, processes=12), make_queue(), clocks.SystemClock().now()
    times = {"enqueued_at": now, "expires_at": now + 60_000}
    for process in made.crowd.processes:
        process.put_all(of, [make_message(**times), make_message(visible_at=now + 30_000, **times)])
    made.close()
    running = runtime.start(config.load({"data": str(tmp_path), "workers": 1}, {}))
    assert running.rows is not None
    assert running.rows.counts([of.queue_id]) == {of.queue_id: queue.Counts(active=12, delayed=12)}
    running.stop()
    assert sorted(path.name for path in tmp_path.glob("messages-*.db")) == ["messages-0.db"]


def test_a_server_does_not_begin_with_a_file_of_a_worker_that_cannot_be_used(tmp_path):
    (tmp_path / "messages-1.db").write_bytes(b"something else" * 100)
    with pytest.raises(config.ConfigError, match=r"messages-1\.db is not an OpenMNS database"):
        runtime.start(config.load({"data": str(tmp_path), "workers": 2}, {}))


@pytest.mark.parametrize("first_is_deleted", [False, True])
def test_when_the_first_moment_has_come_the_next_one_is_told(server, first_is_deleted):
    of = make_queue()
    server.one.put_all(of, [make_message("a"), make_message("b", visible_at=NOW + 20)])
    [held] = server.one.claim(of, limit=1, now=NOW, visible_at=NOW + 10).messages
    if first_is_deleted:
        server.one.delete([held.receipt(of)], now=NOW)
    server.heard.clear()
    assert server.crowd.claim(of, limit=1, now=NOW + 10, visible_at=NOW + 99).messages != () or first_is_deleted
    assert [due for _, _, due in server.heard] == [NOW + 20]


def test_a_process_that_begins_again_tells_what_it_has(tmp_path):
    made = Server(tmp_path)
    of = make_queue()
    made.one.put_all(of, [make_message("a", priority=3), make_message("b", visible_at=NOW + 5)])
    made.close()
    again = Server(tmp_path)
    assert [rows.dues() for rows in again.crowd.rows] == [{}, {of.queue_id: NOW + 5}, {}]
    [_, (_, told), _] = again.crowd.told()
    assert (told.first(of.queue_id) >> 48, told.is_due(of.queue_id, NOW + 4), told.is_due(of.queue_id, NOW + 5)) == (
        3,
        False,
        True,
    )
    assert claim(again.crowd, of) == ["a"]
    again.close()
