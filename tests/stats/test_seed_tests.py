import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from omnibench.stats.result import RefusedError
from omnibench.stats.seeds import hedges_j, paired_t, welch_t

FRACTIONS = st.integers(0, 1000).map(lambda k: k / 1000)
PAIRS = [f"pair-{k}" for k in range(20)]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(FRACTIONS, FRACTIONS), min_size=2, max_size=20))
def test_paired_t_is_scipys(pairs):
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
@settings(max_examples=50, deadline=None)
@given(st.lists(FRACTIONS, min_size=2, max_size=9), st.lists(FRACTIONS, min_size=2, max_size=9))
def test_welch_t_is_scipys(a, b):
    a, b = np.array(a), np.array(b)
    if max(np.std(a), np.std(b)) < 1e-9:
        return
    mine, theirs = welch_t(a, b), stats.ttest_ind(a, b, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    assert mine.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (mine.low, mine.high) == pytest.approx((low, high), rel=1e-9, abs=1e-12)
    assert "Welch" in mine.test
    assert "unpaired" in mine.test


def test_welch_reproduces_the_published_organs_comparison():
    """statistics.md: 80.97 +- .45 against 78.92 +- .86, n = 5 each: p = .0032."""
    shape = np.array([-2, -1, 0, 1, 2]) / np.std([-2, -1, 0, 1, 2], ddof=1)
    result = welch_t(80.97 + 0.45 * shape, 78.92 + 0.86 * shape)
    assert round(result.p, 4) == 0.0032


def test_hedges_j_is_the_closed_form():
    assert hedges_j(2) == pytest.approx(math.gamma(1) / math.gamma(0.5))
    assert hedges_j(4) == pytest.approx(math.gamma(2) / (math.sqrt(2) * math.gamma(1.5)))
    assert hedges_j(400) == pytest.approx(1 - 3 / (4 * 400 - 1), abs=1e-6)  # his approximation
    assert math.isnan(hedges_j(1))


def test_effects_by_hand():
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
def test_paired_t_refuses_by_name(a, b, pairing_b, reason):
    with pytest.raises(RefusedError, match=reason):
        paired_t(np.array(a), np.array(b), PAIRS[: len(a)], pairing_b)


def test_welch_refuses_by_name():
    with pytest.raises(RefusedError, match="neither model varies"):
        welch_t(np.full(3, 0.1 + 0.2), np.full(3, 0.3))
    with pytest.raises(RefusedError, match="2 and 1"):
        welch_t(np.array([0.1, 0.2]), np.array([0.1]))
    assert welch_t(np.array([0.1, 0.2]), np.full(2, 0.3)).p > 0  # one that varies is enough


def test_under_the_null_the_rates_are_those_of_statistics_md():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(3000, 2, 3))
    paired = np.mean([paired_t(a, b, PAIRS[:3], PAIRS[:3]).p < 0.05 for a, b in draws])
    welch = np.mean([welch_t(a, b).p < 0.05 for a, b in draws])
    assert 0.04 <= paired <= 0.06
    assert 0.025 <= welch <= 0.045  # 3.4 %
