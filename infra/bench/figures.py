"""The little arithmetic behind the tables: medians, percentiles, ratios, and numbers as people read them."""

import math
from collections.abc import Sequence

_THOUSAND = 1000.0


def median(values: Sequence[float]) -> float:
    """The middle value, or the mean of the two in the middle; nan of none."""
    if not values:
        return math.nan
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of all values do not exceed; nan of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> float:
    """How far the repetitions lie apart: (highest - lowest) / median; nan where that says nothing."""
    middle = median(values)
    return (max(values) - min(values)) / middle if len(values) > 1 and middle else math.nan


def fall(values: Sequence[float]) -> float:
    """How far the lowest value lies below the first, as a share of it; 0 if none does; nan of fewer than two."""
    if len(values) < 2 or not values[0]:  # noqa: PLR2004  # one value does not fall
        return math.nan
    return max(0.0, 1 - min(values) / values[0])


def ratio(ours: float, theirs: float) -> float:
    """Ours / theirs; nan if there is nothing to divide by."""
    return ours / theirs if theirs else math.nan


def change(values: Sequence[float]) -> float:
    """The largest change from the first value, as a share of it: -0.15 is 15 % below; nan of fewer than two."""
    if len(values) < 2 or not values[0]:  # noqa: PLR2004  # one value is flat by itself
        return math.nan
    return max((value / values[0] - 1 for value in values[1:]), key=abs)


def number(value: float | None) -> str:
    """Three significant digits at least, thousands grouped; a dash for what was not measured."""
    if value is None or math.isnan(value):
        return "-"
    size = abs(value)
    if size >= 100:  # noqa: PLR2004  # three digits before the point
        return f"{value:,.0f}"
    digits = 1 if size >= 10 else 2 if size >= 1 else 3  # noqa: PLR2004  # three significant ones
    return f"{value:.{digits}f}" if value else "0"


def times(value: float) -> str:
    """A ratio: `1.50x`."""
    return "-" if math.isnan(value) else f"{value:,.0f}x" if value >= 100 else f"{value:.2f}x"  # noqa: PLR2004


def percent(value: float | None) -> str:
    """A share of one: `12 %`, with more digits below ten."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value * 100:.0f} %" if abs(value) >= 0.1 else f"{value * 100:.2g} %"  # noqa: PLR2004


def count(value: int) -> str:
    """A round number as it is spoken of: `10k`, `1M`."""
    for unit, letter in ((1_000_000, "M"), (1000, "k")):
        if value >= unit and value % unit == 0:
            return f"{value // unit}{letter}"
    return str(value)


def milliseconds(seconds: float) -> float:
    """Seconds as milliseconds."""
    return seconds * _THOUSAND
