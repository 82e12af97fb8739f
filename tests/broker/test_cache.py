"""The cache: never more than five seconds behind, and it remembers only what was found."""

import pytest

from chalicelib.broker import cache
from tests.broker.fakes import Clock


class Table:
    """Counts how often it is read."""

    def __init__(self, clock):
        self.value, self.reads, self.seconds = "x", 0, 0
        self._clock = clock

    def read(self, _key):
        self.reads += 1
        value = self.value
        self._clock.advance(self.seconds)
        return value


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(clock):
    return Table(clock)


@pytest.fixture
def known(clock, table):
    return cache.Cache(clock, table.read)


def test_a_value_is_read_once_and_kept_for_just_under_five_seconds(known, table, clock):
    values = []
    for pause in (0, 4.999, 0.001, 4.999):
        clock.advance(pause)
        values.append(known.get("key"))
        table.value = "new"
    assert (values, table.reads) == (["x", "x", "new", "new"], 2)


def test_using_a_value_does_not_make_it_younger(known, table, clock):
    for _ in range(6):
        known.get("key")
        clock.advance(1)
    assert table.reads == 2


def test_what_was_not_found_is_asked_for_again(known, table):
    table.value = None
    assert [known.get("key"), known.get("key")] == [None, None]
    table.value = "x"
    assert known.get("key") == "x"
    assert table.reads == 3


def test_a_value_that_is_no_longer_there_is_forgotten(known, table, clock):
    known.get("key")
    clock.advance(5)
    table.value = None
    assert known.get("key") is None
    table.value = "y"
    assert known.get("key") == "y"


def test_a_value_kept_takes_the_place_of_the_one_before(known):
    known.get("key")
    known.keep("key", "y")
    assert known.get("key") == "y"


def test_a_value_forgotten_is_read_again_and_forgetting_nothing_is_no_error(known, table):
    known.forget("key")
    known.keep("key", "kept")
    known.forget("key")
    assert (known.get("key"), table.reads) == ("x", 1)


def test_keys_do_not_mix(known):
    known.keep("a", 1)
    known.keep("b", 2)
    assert [known.get("a"), known.get("b")] == [1, 2]


def test_a_clock_that_went_back_makes_nothing_last_longer(known, clock):
    known.keep("key", "kept")
    clock.advance(-60)
    assert known.get("key") == "x"


def test_a_cache_never_grows_beyond_its_bound(known):
    for number in range(25_000):
        known.keep(number, number)
    assert len(known._entries) <= 10_000
    assert known.get(24_999) == 24_999


def test_the_five_seconds_count_from_before_the_value_was_read(known, table, clock):
    table.seconds = 3
    known.get("key")
    table.value = "new"
    clock.advance(2)
    assert known.get("key") == "new"
