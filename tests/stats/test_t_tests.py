"""t tests from values and from printed summaries, against scipy, statsmodels and by hand."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind

from omnibench.stats.result import RefusedError
from omnibench.stats.t_tests import (
    Summary,
    hedges_j,
    one_sample,
    paired_t,
    pooled_std,
    prediction,
    student,
    tost,
    welch,
    welch_t,
)

FRACTIONS = st.integers(0, 1000).map(lambda k: k / 1000)
PAIRS = [f"pair-{k}" for k in range(20)]


@settings(max_examples=50)
@given(st.lists(st.tuples(FRACTIONS, FRACTIONS), min_size=2, max_size=20))
def test_paired_t_is_scipys(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    if np.std(a - b) < 1e-9:
        return
    mine = paired_t(a, b, PAIRS[: len(a)], PAIRS[: len(a)])
    theirs = stats.ttest_rel(a, b)
    low, high = theirs.confidence_interval(0.95)
    assert mine.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (mine.low, mine.high) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert mine.difference == pytest.approx(np.mean(a) - np.mean(b), abs=1e-12)
    assert mine.test == "paired t"


@pytest.mark.filterwarnings("ignore:Precision loss occurred")  # scipy's, of a constant sample
@settings(max_examples=50)
@given(st.lists(FRACTIONS, min_size=2, max_size=9), st.lists(FRACTIONS, min_size=2, max_size=9))
def test_welch_t_is_scipys(a: Any, b: Any) -> None:
    a, b = np.array(a), np.array(b)
    if max(np.std(a), np.std(b)) < 1e-9:
        return
    mine, theirs = welch_t(a, b), stats.ttest_ind(a, b, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert mine.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (mine.low, mine.high) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert "Welch" in mine.test
    assert "unpaired" in mine.test


def test_welch_reproduces_the_published_organs_comparison() -> None:
    """statistics.md: 80.97 +- .45 against 78.92 +- .86, n = 5 each: p = .0032."""
    shape = np.array([-2, -1, 0, 1, 2]) / np.std([-2, -1, 0, 1, 2], ddof=1)
    result = welch_t(80.97 + 0.45 * shape, 78.92 + 0.86 * shape)
    assert round(result.p, 4) == 0.0032


def test_hedges_j_is_the_closed_form() -> None:
    assert hedges_j(2) == pytest.approx(math.gamma(1) / math.gamma(0.5))
    assert hedges_j(4) == pytest.approx(math.gamma(2) / (math.sqrt(2) * math.gamma(1.5)))
    assert hedges_j(400) == pytest.approx(1 - 3 / (4 * 400 - 1), abs=1e-6)  # his approximation
    assert math.isnan(hedges_j(1))


def test_effects_by_hand() -> None:
    a, b = np.array([0.9, 0.8, 0.85]), np.array([0.7, 0.75, 0.65])
    d = a - b
    paired = paired_t(a, b, PAIRS[:3], PAIRS[:3])
    assert paired.effect == pytest.approx(hedges_j(2) * d.mean() / d.std(ddof=1))
    pooled = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    assert welch_t(a, b).effect == pytest.approx(hedges_j(4) * d.mean() / pooled)


@pytest.mark.parametrize(
    ("a", "b", "pairing_b", "reason"),
    [
        ([0.5], [0.4], ["pair-0"], "two of each; there are 1 and 1"),
        ([0.5, 0.6], [0.4, 0.3], ["pair-1", "pair-0"], "do not share their seeds"),
        ([0.5, 0.6], [0.4], ["pair-0"], "do not share their seeds"),
        ([0.3, 0.4], [0.1, 0.2], ["pair-0", "pair-1"], "same in every repetition"),  # up to 1e-17
    ],
)
def test_paired_t_refuses_by_name(
    a: list[float], b: list[float], pairing_b: list[str], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        paired_t(np.array(a), np.array(b), PAIRS[: len(a)], pairing_b)


def test_welch_refuses_by_name() -> None:
    with pytest.raises(RefusedError, match="neither model varies"):
        welch_t(np.full(3, 0.1 + 0.2), np.full(3, 0.3))
    with pytest.raises(RefusedError, match="2 and 1"):
        welch_t(np.array([0.1, 0.2]), np.array([0.1]))
    assert welch_t(np.array([0.1, 0.2]), np.full(2, 0.3)).p > 0  # one that varies is enough


def test_under_the_null_the_rates_are_those_of_statistics_md() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(3000, 2, 3))
    paired = np.mean([paired_t(a, b, PAIRS[:3], PAIRS[:3]).p < 0.05 for a, b in draws])
    welch = np.mean([welch_t(a, b).p < 0.05 for a, b in draws])
    assert 0.04 <= paired <= 0.06
    assert 0.025 <= welch <= 0.045  # 3.4 %


A, B = Summary(89.42, 0.18, 5), Summary(88.98, 1.0, 4)


@pytest.mark.parametrize(("test", "equal"), [(welch, False), (student, True)])
def test_two_samples_are_scipys(test: Callable[..., Any], equal: bool) -> None:
    reference = stats.ttest_ind_from_stats(A.mean, A.std, A.n, B.mean, B.std, B.n, equal_var=equal)
    assert test(A, B).p == pytest.approx(reference.pvalue, rel=1e-9)
    assert test(A, B).difference == pytest.approx(0.44)


@pytest.mark.parametrize(("test", "equal"), [(welch, False), (student, True)])
def test_intervals_and_effect_are_those_of_the_values_themselves(
    test: Callable[..., Any], equal: bool
) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(1, 1, 6), rng.normal(0, 3, 4)
    answer = test(*(Summary(v.mean(), v.std(ddof=1), len(v)) for v in (x, y)))
    reference = stats.ttest_ind(x, y, equal_var=equal)
    low, high = reference.confidence_interval()
    assert (answer.p, answer.low, answer.high) == pytest.approx((reference.pvalue, low, high))
    pooled = math.sqrt((5 * x.var(ddof=1) + 3 * y.var(ddof=1)) / 8)
    j = math.gamma(4) / (2 * math.gamma(3.5))
    assert answer.effect == pytest.approx(j * (x.mean() - y.mean()) / pooled)


def test_against_a_single_number() -> None:
    x = np.array([0.81, 0.84, 0.80, 0.86])
    a, single = Summary(x.mean(), x.std(ddof=1), 4), Summary(0.9, None, 1)
    assert one_sample(a, single).p == pytest.approx(stats.ttest_1samp(x, 0.9).pvalue)
    # The prediction t is the pooled t-test with a sample of one, which has no spread of its own.
    assert prediction(a, single).p == pytest.approx(stats.ttest_ind(x, [0.9]).pvalue)


def test_one_sample_errs_three_times_as_often_as_it_says_and_prediction_does_not() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4000, 4))
    actual = {one_sample: 0, prediction: 0}
    for draw in draws:
        a = Summary(draw[:3].mean(), draw[:3].std(ddof=1), 3)
        for test in actual:
            actual[test] += test(a, Summary(draw[3], None, 1)).p < 0.05
    assert actual[one_sample] / 4000 == pytest.approx(0.16, abs=0.02)
    assert actual[prediction] / 4000 == pytest.approx(0.05, abs=0.015)


def test_equivalence_is_statsmodels() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(0, 1, 8), rng.normal(0.1, 2, 6)
    a, b = (Summary(v.mean(), v.std(ddof=1), len(v)) for v in (x, y))
    for margin in (0.5, 3.0):
        answer = tost(a, b, margin)
        assert answer.p == pytest.approx(ttost_ind(x, y, -margin, margin, usevar="unequal")[0])
        assert (answer.p < 0.05) == (-margin < answer.low and answer.high < margin)
    with pytest.raises(RefusedError, match="margin"):
        tost(a, b, 0.0)


def test_pooled_deviation_of_equal_n_is_the_root_of_the_mean_variance() -> None:
    assert pooled_std(Summary(0, 3, 5), Summary(0, 4, 5)) == pytest.approx(math.sqrt(12.5))


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (Summary(1, 0.0, 5), Summary(2, 0.0, 5), "neither model varies"),
        (Summary(1, 0.1, 1), Summary(2, 0.1, 5), "n = 1"),
        (Summary(1, 0.1, 5), Summary(2, None, 5), "without a standard deviation"),
        (Summary(1, 0.1, None), Summary(2, 0.1, 5), "without its number"),
        (Summary(1, 0.1, 5, "omnirad-batch16"), Summary(2, 0.1, 5, "macro"), "omnirad-batch16"),
    ],
)
def test_what_cannot_be_answered_is_refused_by_name(a: Summary, b: Summary, reason: str) -> None:
    for test in (welch, student, lambda a, b: tost(a, b, 1.0)):
        with pytest.raises(RefusedError, match=reason):
            test(a, b)


def test_single_numbers_are_refused_across_definitions_and_without_spread() -> None:
    for test in (one_sample, prediction):
        with pytest.raises(RefusedError, match="different definitions"):
            test(Summary(1, 0.1, 5, "x"), Summary(2, None, 1, "y"))
        with pytest.raises(RefusedError, match="does not vary"):
            test(Summary(1, 0.0, 5), Summary(2, None, 1))
