"""Prediction intervals of printed numbers, against values worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from omnibench.audit.reproduction import own_margin, predicted
from omnibench.stats.result import RefusedError
from omnibench.stats.t_tests import Summary

# t(.975, 4) = 2.776445 and t(.975, 2) = 4.302653, as every table of t has them.
PRINTED = Summary(91.83, 0.32, 5)


def test_five_printed_runs_expect_five_own_ones() -> None:
    actual = predicted(Summary(92.0, 1.5, 5), PRINTED)
    assert actual.margin == pytest.approx(2.776445 * 0.32 * (1 / 5 + 1 / 5) ** 0.5, rel=1e-6)
    assert (actual.n, actual.inside) == (5, True)
    assert not predicted(Summary(92.4, 1.5, 5), PRINTED).inside  # .57 away, .562 allowed


def test_three_printed_runs_allow_more() -> None:
    actual = predicted(Summary(92.4, None, 1), Summary(91.83, 0.32, 3))
    assert actual.margin == pytest.approx(4.302653 * 0.32 * (1 / 3 + 1) ** 0.5, rel=1e-6)
    assert actual.inside


def test_nineteen_of_twenty_means_of_the_same_runs_are_inside() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(2000):
        printed, own = rng.normal(90, 1, 5), rng.normal(90, 1, 3)
        summary = Summary(float(printed.mean()), float(printed.std(ddof=1)), 5)
        inside += predicted(Summary(float(own.mean()), None, 3), summary).inside
    assert inside / 2000 == pytest.approx(0.95, abs=0.015)


def test_the_own_interval_is_the_t_interval() -> None:
    values = np.array([0.90, 0.91, 0.95])
    own = Summary(values.mean(), values.std(ddof=1), 3)
    low, high = stats.ttest_1samp(values, 0).confidence_interval()
    assert own_margin(own) == pytest.approx((high - low) / 2)
    assert own_margin(Summary(0.9, None, 1)) is None
    assert own_margin(Summary(0.9, 0.0, 5)) is None


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        (Summary(19.59, None, None), "no std is printed"),
        (Summary(19.59, 0.3, None), "no number of repetitions is printed"),
        (Summary(19.59, 0.3, 1), "no number of repetitions is printed"),
        (Summary(19.59, 0.0, 5), "the printed std is 0"),
        (Summary(19.59, 0.3, 5, "another"), "the definitions differ"),
    ],
)
def test_what_cannot_be_told_says_why(printed: Summary, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        predicted(Summary(20.0, 0.1, 3), printed)
