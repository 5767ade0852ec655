"""Hedges g and TOST against statsmodels, closed forms and simulation."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from omnibench.stats.hedges import hedges_g, hedges_g_paired
from omnibench.stats.result import RefusedError
from omnibench.stats.t_tests import tost_paired, tost_welch

NAMES = [f"pair-{k}" for k in range(50)]


def samples(
    seed: int, n_a: int = 5, n_b: int = 5, shift: float = 0.5
) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, size=n_a), rng.normal(size=n_b)


@pytest.mark.parametrize(("n_a", "n_b"), [(3, 3), (5, 8), (2, 2)])
def test_g_and_its_interval_by_the_noncentral_t(n_a: int, n_b: int) -> None:
    a, b = samples(0, n_a, n_b)
    actual = hedges_g(a, b)
    df = n_a + n_b - 2
    pooled = math.sqrt(((n_a - 1) * a.var(ddof=1) + (n_b - 1) * b.var(ddof=1)) / df)
    j = math.gamma(df / 2) / (math.sqrt(df / 2) * math.gamma((df - 1) / 2))
    assert actual.g == pytest.approx(j * (a.mean() - b.mean()) / pooled)
    t = stats.ttest_ind(a, b).statistic
    scale = math.sqrt(1 / n_a + 1 / n_b)
    assert stats.nct.cdf(t, df, actual.low / scale) == pytest.approx(0.975, abs=1e-5)
    assert stats.nct.cdf(t, df, actual.high / scale) == pytest.approx(0.025, abs=1e-5)


def test_paired_g_is_of_the_differences() -> None:
    a, b = samples(1)
    actual = hedges_g_paired(a, b, NAMES[:5], NAMES[:5])
    d = a - b
    assert actual.g == pytest.approx(
        math.gamma(2) / (math.sqrt(2) * math.gamma(1.5)) * d.mean() / d.std(ddof=1)
    )
    t = stats.ttest_rel(a, b).statistic
    assert stats.nct.cdf(t, 4, actual.low * math.sqrt(5)) == pytest.approx(0.975, abs=1e-5)
    assert actual.unit == "SD of the differences"


@pytest.mark.parametrize("n", [3, 10])
def test_g_is_unbiased_and_its_interval_covers(n: int) -> None:
    rng = np.random.default_rng(2)
    actual = [hedges_g(a + 0.8, b) for a, b in rng.normal(size=(3000, 2, n))]
    assert np.mean([item.g for item in actual]) == pytest.approx(0.8, abs=0.07)
    assert 0.94 <= np.mean([item.low <= 0.8 <= item.high for item in actual]) <= 0.96
    paired = [
        hedges_g_paired(d + 0.8, np.zeros(n), NAMES[:n], NAMES[:n])
        for d in rng.normal(size=(3000, n))
    ]
    assert np.mean([item.g for item in paired]) == pytest.approx(0.8, abs=0.07)
    assert 0.94 <= np.mean([item.low <= 0.8 <= item.high for item in paired]) <= 0.96


@pytest.mark.parametrize("seed", range(5))
def test_tost_is_statsmodels(seed: int) -> None:
    a, b = samples(seed, shift=0.1)
    actual = tost_paired(a, b, NAMES[:5], NAMES[:5], 1.5)
    assert actual.p == pytest.approx(ttost_paired(a, b, -1.5, 1.5)[0])
    assert (actual.p < 0.05) == (actual.low > -1.5 and actual.high < 1.5)
    a, b = samples(seed, 4, 7, shift=0.1)
    welch = tost_welch(a, b, 1.5)
    assert welch.p == pytest.approx(ttost_ind(a, b, -1.5, 1.5, usevar="unequal")[0])
    assert (welch.p < 0.05) == (welch.low > -1.5 and welch.high < 1.5)


def test_tost_at_the_margin_errs_in_at_most_five_percent() -> None:
    draws = np.random.default_rng(3).normal(size=(3000, 2, 10))
    names = NAMES[:10]
    actual = [tost_paired(a + 2.0, b, names, names, 2.0).p < 0.05 for a, b in draws]
    assert 0.04 <= np.mean(actual) <= 0.06


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: hedges_g(np.ones(1), np.ones(3)), "1 and 3"),
        (lambda: hedges_g(np.ones(3), np.ones(3)), "do not vary"),
        (lambda: hedges_g(np.array([1, np.nan]), np.ones(3)), "undefined"),
        (lambda: hedges_g_paired(np.ones(2), np.ones(2), NAMES[:2], NAMES[:2]), "three pairs"),
        (lambda: hedges_g_paired(np.ones(3), np.ones(3), NAMES[:3], NAMES[1:4]), "not paired"),
        (lambda: tost_paired(np.ones(3), np.ones(3), NAMES[:3], NAMES[1:4], 1), "not paired"),
        (lambda: tost_paired(np.ones(3), np.ones(3), NAMES[:3], NAMES[:3], 1), "same in every"),
        (lambda: tost_welch(np.ones(3), np.ones(3), 1), "neither model varies"),
        (lambda: tost_welch(np.ones(1), np.arange(3.0), 1), "1 and 3"),
        (lambda: tost_welch(np.arange(3.0), np.arange(3.0), 0), "is above 0"),
    ],
)
def test_refusals_name_what_is_wrong(call: Callable[..., Any], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        call()
