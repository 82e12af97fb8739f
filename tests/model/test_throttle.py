"""Token buckets and lines: what they let through, against a plain reference and by the promise they make."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.model import throttle

T0 = 1_704_164_645_000
rates = st.integers(1, 3_000)
pauses = st.integers(0, 3_000)  # ms


def test_a_new_bucket_holds_a_second_s_worth_and_not_more():
    bucket = throttle.Bucket(3, T0)
    assert [bucket.take(T0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(T0 + 3_600_000) for _ in range(4)] == [True, True, True, False]


def test_tokens_come_in_evenly():
    bucket = throttle.Bucket(4, T0)
    assert bucket.take_up_to(100, T0) == 4
    assert (bucket.take(T0 + 249), bucket.next_at(T0 + 249), bucket.take(T0 + 250)) == (False, T0 + 250, True)


def test_what_was_not_used_can_be_used_again():
    bucket = throttle.Bucket(10, T0)
    bucket.take_up_to(10, T0)
    bucket.give_back(7)
    assert (bucket.take_up_to(10, T0), bucket.is_full(T0 + 999), bucket.is_full(T0 + 1000)) == (7, False, True)


def test_what_is_owed_comes_in_before_anything_is_let_through():
    bucket = throttle.Bucket(10, T0)
    bucket.charge(25, T0)
    assert (bucket.take_up_to(5, T0 + 1500), bucket.next_at(T0 + 1500)) == (0, T0 + 1600)
    assert bucket.take(T0 + 1600)


def test_a_clock_that_is_set_back_stops_nobody_for_long():
    bucket = throttle.Bucket(10, T0)
    bucket.take_up_to(10, T0)
    assert (bucket.take(T0 - 3_600_000), bucket.take(T0 - 3_600_000 + 100)) == (False, True)


class Reference:
    """A bucket in plain words, with fractions."""

    def __init__(self, rate: int) -> None:
        self.rate, self.tokens, self.then = rate, Fraction(rate), T0

    def take_up_to(self, count: int, now: int) -> int:
        self.tokens = min(Fraction(self.rate), self.tokens + Fraction(now - self.then, 1000) * self.rate)
        self.then = now
        taken = min(count, max(0, int(self.tokens // 1)))
        self.tokens -= taken
        return taken


@given(rates, st.lists(st.tuples(pauses, st.integers(0, 40), st.integers(0, 40))))
def test_a_bucket_gives_what_the_reference_gives(rate, steps):
    bucket, reference, now = throttle.Bucket(rate, T0), Reference(rate), T0
    for pause, count, owed in steps:
        now += pause
        taken = bucket.take_up_to(count, now)
        assert taken == reference.take_up_to(count, now)
        bucket.charge(owed, now)
        reference.tokens -= owed


@given(rates, st.lists(st.tuples(pauses, st.integers(1, 5_000)), min_size=1))
def test_in_no_stretch_of_time_is_more_let_through_than_promised(rate, steps):
    bucket, now, taken = throttle.Bucket(rate, T0), T0, []
    for pause, count in steps:
        now += pause
        taken.append((now, bucket.take_up_to(count, now)))
    for first, (start, _) in enumerate(taken):
        for last in range(first, len(taken)):
            seconds = Fraction(taken[last][0] - start, 1000)
            assert sum(count for _, count in taken[first : last + 1]) <= rate * (seconds + 1)


@given(rates, st.lists(st.tuples(pauses, st.integers(0, 5_000)), min_size=1))
def test_a_token_is_there_at_the_moment_that_is_named_and_not_a_millisecond_before(rate, steps):
    bucket, now = throttle.Bucket(rate, T0), T0
    for pause, count in steps:
        now += pause
        bucket.charge(count, now)
    moment = bucket.next_at(now)
    if moment > now:
        assert not bucket.take(moment - 1)
    assert bucket.take(moment)


def test_in_a_line_who_finds_no_token_gets_the_next_moment_that_is_free():
    line = throttle.Line(2, T0)
    turns = [line.turn(T0, came_back=False) - T0 for _ in range(5)]
    assert turns == [0, 0, 500, 1000, 1500]
    assert [line.turn(T0 + moment, came_back=True) - T0 for moment in turns[2:]] == [500, 1000, 1500]
    assert line.turn(T0 + 10_000, came_back=False) == T0 + 10_000


def test_who_comes_new_does_not_overtake_those_in_line():
    line = throttle.Line(1, T0)
    assert [line.turn(T0, came_back=False) - T0 for _ in range(3)] == [0, 1000, 2000]
    assert line.turn(T0 + 1000, came_back=False) == T0 + 3000
    assert line.turn(T0 + 1000, came_back=True) == T0 + 1000


@given(st.integers(1, 2_500), st.lists(st.integers(0, 700), min_size=1, max_size=60))
def test_all_in_line_go_in_their_order_at_the_rate_and_none_is_sent_away_twice(rate, pauses):
    line, now, waiting, gone = throttle.Line(rate, T0), T0, [], []

    def let_come_back(until: int) -> None:
        while waiting and waiting[0][0] <= until:
            moment, who = waiting.pop(0)
            assert line.turn(moment, came_back=True) == moment
            gone.append((moment, who))

    for who, pause in enumerate(pauses):
        now += pause
        let_come_back(now)
        moment = line.turn(now, came_back=False)
        if moment == now:
            gone.append((now, who))
        else:
            waiting.append((moment, who))
    let_come_back(now + 10**9)
    assert [who for _, who in gone] == list(range(len(pauses)))
    for first, (start, _) in enumerate(gone):
        for last in range(first, len(gone)):
            assert last - first + 1 <= rate * (Fraction(gone[last][0] - start, 1000) + 1)


@pytest.mark.parametrize("rate", [-1, 1_000_001])
def test_a_rate_that_cannot_be_is_refused_by_its_name(rate):
    with pytest.raises(ValueError, match="OPENMNS_ACCOUNT_RATE should be 0"):
        throttle.check_rate("OPENMNS_ACCOUNT_RATE", rate)
