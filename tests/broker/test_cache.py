"""The cache: never more than five seconds behind, and it remembers only what was found."""

import pytest

from chalicelib.broker import cache
from tests.broker.fakes import Clock


class Table:
    """Counts how often it is read."""

    def __init__(self, value):
        self.value, self.reads = value, 0

    def read(self):
        self.reads += 1
        return self.value


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def known(clock):
    return cache.Cache(clock)


def test_a_value_is_read_once_and_kept_for_just_under_five_seconds(known, clock):
    table = Table("old")
    values = []
    for pause in (0, 4.999, 0.001, 4.999):
        clock.advance(pause)
        values.append(known.get("key", table.read))
        table.value = "new"
    assert (values, table.reads) == (["old", "old", "new", "new"], 2)


def test_using_a_value_does_not_make_it_younger(known, clock):
    table = Table("x")
    for _ in range(6):
        known.get("key", table.read)
        clock.advance(1)
    assert table.reads == 2


def test_what_was_not_found_is_asked_for_again(known):
    missing, there = Table(None), Table("x")
    assert [known.get("key", missing.read), known.get("key", missing.read)] == [None, None]
    assert known.get("key", there.read) == "x"
    assert missing.reads == 2


def test_a_value_that_is_no_longer_there_is_forgotten(known, clock):
    known.get("key", Table("x").read)
    clock.advance(5)
    assert known.get("key", Table(None).read) is None
    assert known.get("key", Table("y").read) == "y"


def test_a_value_kept_takes_the_place_of_the_one_before(known):
    known.get("key", Table("x").read)
    known.keep("key", "y")
    assert known.get("key", Table("z").read) == "y"


def test_a_value_forgotten_is_read_again_and_forgetting_nothing_is_no_error(known):
    known.forget("key")
    known.keep("key", "x")
    known.forget("key")
    assert known.get("key", Table("y").read) == "y"


def test_keys_do_not_mix(known):
    known.keep("a", 1)
    known.keep("b", 2)
    assert [known.get("a", Table(9).read), known.get("b", Table(9).read)] == [1, 2]


def test_a_clock_that_went_back_makes_nothing_last_longer(known, clock):
    known.keep("key", "x")
    clock.advance(-60)
    assert known.get("key", Table("y").read) == "y"


def test_a_cache_never_grows_beyond_its_bound(known):
    for number in range(25_000):
        known.keep(number, number)
    assert len(known._entries) <= 10_000
    assert known.get(24_999, Table("x").read) == 24_999


def test_the_five_seconds_count_from_before_the_value_was_read(known, clock):
    def slowly():
        clock.advance(3)
        return "as it was three seconds ago"

    known.get("key", slowly)
    clock.advance(2)
    assert known.get("key", Table("new").read) == "new"
