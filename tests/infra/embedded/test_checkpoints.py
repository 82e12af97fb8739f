"""Checkpoints beside the engine's work."""

import sqlite3
import threading

from infra.embedded import checkpoints

PATIENCE = 10  # seconds


class Checkpoints:
    """A connection that says when it is asked for a checkpoint."""

    def __init__(self, failure=None):
        self.asked = threading.Semaphore(0)
        self.closed = threading.Event()
        self._failure = failure

    def execute(self, statement):
        assert statement == "PRAGMA wal_checkpoint(PASSIVE)"
        self.asked.release()
        if self._failure is not None:
            raise self._failure
        return self

    def fetchone(self):
        return (0, 0, 0)

    def close(self):
        self.closed.set()


def test_a_checkpoint_is_made_every_so_many_commits():
    connection = Checkpoints()
    checkpointer = checkpoints.Checkpointer(lambda: connection)
    for _ in range(2):
        for _ in range(checkpoints.COMMITS - 1):
            checkpointer.count()
        assert not connection.asked.acquire(blocking=False)
        checkpointer.count()
        assert connection.asked.acquire(timeout=PATIENCE)
    checkpointer.close()
    assert connection.closed.is_set()


def test_without_many_commits_there_is_no_thread():
    checkpointer = checkpoints.Checkpointer(lambda: None)
    checkpointer.count()
    before = threading.active_count()
    checkpointer.close()
    assert threading.active_count() == before


def test_a_checkpoint_that_fails_is_left_to_the_engine():
    connection = Checkpoints(sqlite3.OperationalError("disk I/O error"))
    checkpointer = checkpoints.Checkpointer(lambda: connection)
    for _ in range(2 * checkpoints.COMMITS):
        checkpointer.count()
    assert connection.closed.wait(PATIENCE)
    checkpointer.close()


def test_the_log_is_carried_over_while_the_engine_writes(open_engine, requests_for_tables, tmp_path):
    engine = open_engine()
    engine.create_table(**requests_for_tables["plain"]())
    empty = (tmp_path / "mns.db").stat().st_size
    grown = threading.Event()
    for number in range(100 * checkpoints.COMMITS):
        engine.put_item(TableName="plain", Item={"p": {"S": str(number)}, "v": {"S": "x" * 1000}})
        if number % checkpoints.COMMITS == 0:
            grown.wait(0.01)  # the thread's turn
            if (tmp_path / "mns.db").stat().st_size > empty:
                break
    else:
        raise AssertionError("no checkpoint was made")
