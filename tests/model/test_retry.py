"""The two strategies, to the second."""

from itertools import accumulate

import pytest

from chalicelib.model import retry

BACKOFF, DECAY = retry.Strategy.BACKOFF_RETRY, retry.Strategy.EXPONENTIAL_DECAY_RETRY


def moments(strategy: retry.Strategy, drawn: int) -> list[int]:
    """When the attempts are made, the first at 0 (ms)."""
    found = [0]
    while (moment := strategy.after(len(found), found[-1], drawn=drawn)) is not None:
        found.append(moment)
    return found


def test_a_backoff_has_three_retries_each_ten_to_twenty_seconds_after_the_attempt_before():
    assert moments(BACKOFF, 0) == [0, 10_000, 20_000, 30_000]
    assert moments(BACKOFF, 10_000) == [0, 20_000, 40_000, 60_000]
    assert moments(BACKOFF, 2_345) == [0, 12_345, 24_690, 37_035]


def test_a_decay_has_176_retries_that_double_to_512_seconds_and_take_nearly_a_day():
    intervals = [1, 2, 4, 8, 16, 32, 64, 128, 256] + [512] * 167
    found = moments(DECAY, 10_000)
    assert found == [0, *accumulate(seconds * 1000 for seconds in intervals)]
    assert (len(found), found[-1]) == (177, 86_015_000)


@pytest.mark.parametrize(("strategy", "retries"), [(BACKOFF, 3), (DECAY, 176)])
def test_the_number_of_retries_is_the_documented_one(strategy, retries):
    assert strategy.retries == retries
    assert strategy.after(retries, 0, drawn=0) is not None
    assert strategy.after(retries + 1, 0, drawn=0) is None
