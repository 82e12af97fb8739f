"""The arithmetic of the benchmark, and numbers as people read them."""

import math

import pytest

from infra.bench import figures, tables


@pytest.mark.parametrize(("values", "middle"), [([3, 1, 2], 2), ([4, 1, 2, 3], 2.5), ([7], 7)])
def test_the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle(values, middle):
    assert figures.median(values) == middle


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share, value):
    assert figures.percentile(range(100, 0, -1), share) == value


def test_of_nothing_there_is_no_figure():
    found = [
        figures.median([]),
        figures.percentile([], 0.5),
        figures.spread([1]),
        figures.ratio(1, 0),
        figures.change([1]),
        figures.fall([0, 1]),
    ]
    assert all(map(math.isnan, found))


def test_the_spread_is_relative_to_the_median():
    assert figures.spread([90, 100, 120]) == pytest.approx(0.3)


def test_the_change_is_the_one_furthest_from_the_first_and_the_fall_only_counts_what_is_lower():
    assert figures.change([100, 120, 90]) == pytest.approx(0.2)
    assert figures.change([100, 110, 80]) == pytest.approx(-0.2)
    assert figures.fall([100, 120, 90]) == pytest.approx(0.1)
    assert figures.fall([100, 120]) == 0


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345.6, "12,346"),
        (45.12, "45.1"),
        (3.14159, "3.14"),
        (0.2804, "0.280"),
        (0, "0"),
        (None, "-"),
        (math.nan, "-"),
    ],
)
def test_numbers_have_three_digits_at_least(value, text):
    assert figures.number(value) == text


def test_ratios_shares_and_counts_read_as_people_say_them():
    assert [figures.times(1.5), figures.times(123.4), figures.times(math.nan)] == ["1.50x", "123x", "-"]
    assert [figures.percent(0.123), figures.percent(0.0066), figures.percent(-0.27)] == ["12 %", "0.66 %", "-27 %"]
    assert [figures.count(value) for value in (1_000_000, 10_000, 5008)] == ["1M", "10k", "5008"]


def test_a_table_is_markdown_with_columns_as_wide_as_their_widest_cell():
    assert tables.table(["Work", "OpenMNS"], [["send", "1,234"], ["receive", "-"]]) == (
        "| Work    | OpenMNS |\n"
        "|---------|--------:|\n"
        "| send    |   1,234 |\n"
        "| receive |       - |\n"
    )  # fmt: skip
