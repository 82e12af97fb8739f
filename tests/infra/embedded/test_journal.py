"""The journal: what was written and is not in SQLite yet survives whatever happens."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from infra.embedded import database, journal
from infra.embedded.engine import EmbeddedEngine

LAYOUT = (
    "CREATE TABLE IF NOT EXISTS words (n INTEGER PRIMARY KEY, word TEXT UNIQUE)",
    "CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, total INTEGER)",
)
INSERT = "INSERT INTO words (word) VALUES (?)"
ADD = "INSERT INTO totals VALUES (?, ?) ON CONFLICT DO UPDATE SET total = total + excluded.total"
DROP = "DELETE FROM totals WHERE name = ?"
RECORDS = st.lists(
    st.lists(
        st.tuples(
            st.text(max_size=9),
            st.lists(
                st.one_of(
                    st.none(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=9), st.text(max_size=9), st.floats()
                ),
                max_size=3,
            ).map(tuple),
        ),
        max_size=3,
    ),
    min_size=1,
    max_size=5,
)


class Guest:
    """Keeps words."""

    def sum_up(self, gathered): ...

    def tell(self, gathered): ...

    def announce(self, gathered): ...

    def expire(self, now, limit):
        return 0


class Words:
    """An engine with a journal in a folder."""

    def __init__(self, folder: Path, durability: str = "normal") -> None:
        self.engine = EmbeddedEngine(
            folder / "words.db", now=lambda: 0, durability=durability, journal=folder / "words.journal"
        )
        self.db = self.engine.host(Guest(), LAYOUT)

    def add(self, *words: str) -> None:
        self.engine.transact(lambda: [self.db.write(INSERT, (word,)) for word in words])

    def all(self) -> list[str]:
        found = self.engine.read(lambda: self.db.execute("SELECT word FROM words ORDER BY n").fetchall())
        return [word for (word,) in found]

    def committed(self) -> int:
        """How many words another connection sees."""
        with sqlite3.connect(self.db.path) as connection:
            (count,) = connection.execute("SELECT count(*) FROM words").fetchone()
        connection.close()
        return count


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "first").mkdir()
    return tmp_path / "first"


@pytest.fixture
def words(folder):
    made = Words(folder)
    yield made
    made.engine.close()


def killed(folder: Path) -> Words:
    """What a process finds that is started after another one was killed at this moment."""
    copy = folder.with_name(f"{folder.name}-again")
    copy.mkdir()
    for file in folder.iterdir():
        if file.suffix != ".db-shm":
            shutil.copy(file, copy)
    return Words(copy)


@given(RECORDS)
def test_records_come_back_as_they_were_added(tmp_path_factory, records):
    path = tmp_path_factory.mktemp("journal") / "records"
    kept = journal.Journal(path, full=False)
    for number, statements in enumerate(records, 8):
        kept.append(number, statements)
    again = journal.Journal(path, full=False)
    assert repr(list(again.since(7))) == repr(list(enumerate(records, 8)))
    assert again.size == kept.size
    for each in (kept, again):
        each.close()


def test_records_from_before_a_commit_do_not_come_again(tmp_path):
    kept = journal.Journal(tmp_path / "records", full=False)
    for number in range(1, 5):
        kept.append(number, [("old", (number,))])
    kept.rewind()
    kept.append(5, [("new", (5,))])
    assert list(kept.since(4)) == [(5, [("new", (5,))])]
    assert list(kept.since(5)) == []
    kept.close()


@pytest.mark.parametrize("lost", [1, 10, 40])
def test_a_record_that_was_not_written_to_its_end_is_none(tmp_path, lost):
    path = tmp_path / "records"
    kept = journal.Journal(path, full=False)
    kept.append(1, [("first", ())])
    kept.append(2, [("second", ("x" * 30,))])
    os.truncate(path, path.stat().st_size - lost)
    assert list(kept.since(0)) == [(1, [("first", ())])]
    kept.append(2, [("instead", ())])
    assert [number for number, _ in kept.since(0)] == [1, 2]
    kept.close()


@pytest.mark.parametrize("place", [3, 10, 14, 20, 30])
def test_a_damaged_record_is_none(tmp_path, place):
    path = tmp_path / "records"
    kept = journal.Journal(path, full=False)
    kept.append(1, [("a statement", ("with a value",))])
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    assert list(kept.since(0)) == []
    kept.close()


def test_what_was_written_is_there_after_a_kill_though_sqlite_has_not_committed_it(folder, words):
    words.add("one", "two")
    words.add("three")
    assert (words.all(), words.committed()) == (["one", "two", "three"], 0)
    again = killed(folder)
    assert again.all() == ["one", "two", "three"]
    again.add("four")
    again.engine.close()
    last = Words(folder.with_name(f"{folder.name}-again"))
    assert last.all() == ["one", "two", "three", "four"]
    last.engine.close()


def test_sqlite_commits_when_the_journal_has_grown(words, monkeypatch):
    monkeypatch.setattr(database, "JOURNAL_BYTES", 500)
    for number in range(20):
        words.add(f"word {number:090}")
    assert 0 < words.committed() < 20
    assert len(words.all()) == 20


def test_the_end_leaves_nothing_in_the_journal(folder, words):
    words.add("one")
    words.engine.close()
    assert words.committed() == 1
    (folder / "words.journal").unlink()
    words.__init__(folder)
    assert words.all() == ["one"]


def test_of_a_transaction_that_fails_nothing_stays_and_of_those_before_it_everything(folder, words):
    words.add("one")
    with pytest.raises(ClientError, match="UNIQUE"):
        words.add("two", "one")
    assert words.all() == ["one"]
    words.add("three")
    assert killed(folder).all() == ["one", "three"]


def test_what_cannot_be_added_to_the_journal_is_refused_and_not_there(folder, words, monkeypatch):
    words.add("one")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", full)
        with pytest.raises(ClientError, match="No space left"):
            words.add("two")
        assert words.all() == ["one"]
    words.add("three")
    assert words.all() == ["one", "three"]
    assert killed(folder).all() == ["one", "three"]


def test_what_could_not_be_brought_to_the_disk_is_refused_and_not_there(folder, monkeypatch):
    made = Words(folder, "full")
    made.add("one")

    def broken(_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(journal, "_to_disk", broken)
        with pytest.raises(ClientError, match="Input/output error"):
            made.add("two")
    assert made.all() == ["one"]
    made.engine.close()


def test_a_commit_that_sqlite_cannot_make_loses_nothing(folder, words, monkeypatch):
    words.add("one")
    monkeypatch.setattr(database, "JOURNAL_BYTES", 0)
    execute = words.db.execute

    def broken(statement, *values):
        if statement == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return execute(statement, *values)

    with monkeypatch.context() as patched:
        patched.setattr(words.db, "execute", broken)
        words.add("two")  # it is in the journal when the commit fails, so it is there
        with pytest.raises(ClientError, match="disk I/O error"):
            words.add("three")
    assert words.all() == ["one", "two"]
    words.add("four")
    assert killed(folder).all() == ["one", "two", "four"]


def test_an_interrupted_transaction_leaves_what_was_there(folder, words):
    words.add("one")

    def interrupted():
        words.db.write(INSERT, ("two",))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        words.engine.transact(interrupted)
    assert words.all() == ["one"]
    assert killed(folder).all() == ["one"]


@pytest.mark.parametrize(("durability", "synced"), [("normal", 0), ("full", 3)])
def test_with_full_durability_every_record_is_on_the_disk(folder, monkeypatch, durability, synced):
    calls = []
    monkeypatch.setattr(journal, "_to_disk", calls.append)
    made = Words(folder, durability)
    for word in ("one", "two", "three"):
        made.add(word)
    assert len(calls) == synced
    made.engine.close()


def test_what_changes_nothing_is_not_in_the_journal(words):
    words.add("one")
    before = words.db._journal.size
    words.engine.transact(lambda: words.db.write("DELETE FROM words WHERE word = ?", ("none",)))
    assert words.db._journal.size == before


def added(words: Words) -> int:
    """What has been added to the one row, in SQLite or not."""
    row = words.engine.read(lambda: words.db.execute("SELECT total FROM totals").fetchone())
    (more,) = words.db.sums(ADD, "words") or (0,)
    return more + (row[0] if row else 0)


def test_what_is_added_to_a_row_is_written_once_before_a_commit_and_survives_a_crash_before_it(words, folder):
    for amount in (3, 4):
        words.engine.transact(lambda amount=amount: words.db.add(ADD, "words", (amount,)))
    assert (added(words), words.db.execute("SELECT count(*) FROM totals").fetchone()) == (7, (0,))
    again = killed(folder)
    assert (added(again), again.db.sums(ADD, "words")) == (7, None)
    again.engine.close()
    words.db.settle()
    assert (added(words), words.db.sums(ADD, "words")) == (7, None)
    words.engine.transact(lambda: words.db.add(ADD, "words", (1,)))
    assert added(words) == 8


def test_what_a_failed_transaction_added_is_not_there(words):
    words.engine.transact(lambda: words.db.add(ADD, "words", (3,)))
    with pytest.raises(ClientError):
        words.engine.transact(
            lambda: (words.db.add(ADD, "words", (4,)), words.db.write("UPDATE nowhere SET n = 1", ()))
        )
    assert added(words) == 3


def test_sums_go_with_their_row(words, folder):
    words.engine.transact(lambda: words.db.add(ADD, "words", (3,)))

    def delete() -> None:
        assert words.db.drop(DROP, "words", ADD)
        words.db.add(ADD, "words", (1,))

    words.engine.transact(delete)
    assert added(words) == 1
    again = killed(folder)
    assert added(again) == 1
    again.engine.transact(lambda: again.db.drop(DROP, "words", ADD))
    assert not again.engine.transact(lambda: again.db.drop(DROP, "words", ADD))
    again.engine.close()
