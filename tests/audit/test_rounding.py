"""p over all that prints so, against scipy's tests at many points of the box, corners included."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from omnibench.audit.rounding import Bounds, normal_bounds, single_bounds, welch_bounds
from omnibench.audit.uncertainty import Range, uncertainty


def points(printed: Range, count: int = 23) -> list[float]:
    return [float(value) for value in np.linspace(printed.low, printed.high, count)]


def brute(
    a: str, b: str, std_a: str, std_b: str, n: tuple[int, int], equal: bool
) -> tuple[float, float]:
    ranges = [Range.from_text(text) for text in (a, b, std_a, std_b)]
    differences = points(Range(ranges[0].low - ranges[1].high, 0, ranges[0].high - ranges[1].low))
    p = [
        stats.ttest_ind_from_stats(d, s, n[0], 0, r, n[1], equal_var=equal).pvalue
        for d, s, r in itertools.product(differences, points(ranges[2]), points(ranges[3]))
    ]
    return min(p), max(p)


@pytest.mark.parametrize("equal", [False, True])
@pytest.mark.parametrize(
    ("a", "b", "std_a", "std_b", "n"),
    [
        ("80.1", "79.0", "0.3", "0.5", (5, 5)),
        ("80.1", "80.0", "0.3", "0.5", (3, 3)),  # the means may be equal
        ("80.1", "78.0", "0.1", "0.3", (5, 3)),  # Welch's p falls as the small deviation grows
        ("80.10", "79.81", "0.20", "0.11", (10, 10)),
        ("0.80", "0.85", "0.01", "0.02", (5, 5)),
    ],
)
def test_bounds_are_those_of_many_points_of_the_box(
    a: str, b: str, std_a: str, std_b: str, n: tuple[int, int], equal: bool
) -> None:
    mean_a, mean_b = Range.from_text(a), Range.from_text(b)
    actual = welch_bounds(
        mean_a, mean_b, Range.from_text(std_a), Range.from_text(std_b), *n, equal=equal
    )
    least, largest = brute(a, b, std_a, std_b, n, equal)
    assert actual.least == pytest.approx(least, rel=2e-3)
    assert actual.largest == pytest.approx(largest, rel=2e-3)


def test_a_deviation_printed_as_nought_may_be_nought_or_half_a_digit() -> None:
    nought = uncertainty("0.0", "", ("", ""), 0.95, "")
    assert nought is not None
    assert nought.size == pytest.approx((0.0, 0.0, 0.05))
    mean_a, mean_b = Range.from_text("80.1"), Range.from_text("79.9")
    actual = welch_bounds(mean_a, mean_b, nought.size, nought.size, 5, 5)
    largest = stats.ttest_ind_from_stats(0.1, 0.05, 5, 0, 0.05, 5, equal_var=False).pvalue
    assert actual.largest == pytest.approx(largest)
    assert 0 < actual.least < 1e-300


@pytest.mark.parametrize(("extra", "factor"), [(1.0, math.sqrt(1.2)), (0.0, math.sqrt(0.2))])
def test_bounds_against_a_single_number(extra: float, factor: float) -> None:
    a, single, std = (Range.from_text(text) for text in ("80.1", "79.0", "0.3"))
    actual = single_bounds(a, single, std, 5, extra)
    corners = [
        2 * stats.t.sf(abs(d) / (s * factor), 4)
        for d, s in itertools.product((1.0, 1.2), (0.25, 0.35))
    ]
    assert actual == pytest.approx(Bounds(min(corners), max(corners)))


def test_bounds_of_two_independent_intervals() -> None:
    a, b = Range.from_text("0.887"), Range.from_text("0.880")
    interval = uncertainty("", "", ("0.884", "0.890"), 0.95, "images")
    assert interval is not None
    error = interval.error
    assert error.value == pytest.approx(0.003 / stats.norm.ppf(0.975))
    actual = normal_bounds(a, b, error, error)
    corners = [
        2 * stats.norm.sf(d / (math.sqrt(2) * e))
        for d, e in itertools.product((0.006, 0.008), (error.low, error.high))
    ]
    assert actual == pytest.approx(Bounds(min(corners), max(corners)))


def test_an_interval_over_runs_is_students_and_a_standard_error_is_a_share_of_the_std() -> None:
    runs = np.array([80.0, 81.0, 80.4, 79.2, 80.9])
    low, high = stats.ttest_1samp(runs, 0).confidence_interval()
    interval = uncertainty("", "", (f"{low:.9f}", f"{high:.9f}"), 0.95, "runs")
    error = uncertainty("", f"{runs.std(ddof=1) / math.sqrt(5):.9f}", ("", ""), 0.95, "")
    for known in (interval, error):
        assert known is not None
        assert known.over == "runs"
        assert known.std(5).value == pytest.approx(runs.std(ddof=1), rel=1e-6)
