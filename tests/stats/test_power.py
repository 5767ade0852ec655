"""The power of tests over repetitions, against statsmodels and simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from omnibench.stats.power import minimum_detectable_effect, power_of_t, power_over_runs
from omnibench.stats.result import RefusedError


@pytest.mark.parametrize(("n", "effect"), [(3, 3.07), (5, 2.02), (10, 1.33)])
def test_minimum_detectable_effects_are_those_of_the_documentation(n: int, effect: float) -> None:
    assert minimum_detectable_effect(n) == pytest.approx(effect, abs=0.006)  # n = 10: 1.3249
    unpaired = TTestIndPower().solve_power(nobs1=n, alpha=0.05, power=0.8)
    assert minimum_detectable_effect(n) == pytest.approx(unpaired, abs=1e-3)
    paired = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert minimum_detectable_effect(n, paired=True) == pytest.approx(paired, abs=1e-3)


@pytest.mark.parametrize("effect", [0.3, 0.8, 2.0, 6.0, 60.0])
def test_power_is_statsmodels(effect: float) -> None:
    for n in (2, 4, 12):
        unpaired = TTestIndPower().power(effect, n, 0.05)
        paired = TTestPower().power(effect, n, 0.05)
        if np.isfinite(unpaired):
            assert power_of_t(effect, n, False) == pytest.approx(unpaired, abs=1e-6)
        if np.isfinite(paired):
            assert power_of_t(effect, n, True) == pytest.approx(paired, abs=1e-6)


@pytest.mark.parametrize("effect", [4.0, 8.0, 30.0])
def test_power_of_two_pairs_by_simulation(effect: float) -> None:
    """Where statsmodels has nan: 12.7 errors are needed, so even large effects may be missed."""
    d = effect + np.random.default_rng(5).normal(size=(40_000, 2))
    t = np.abs(d.mean(axis=1)) / (d.std(axis=1, ddof=1) / math.sqrt(2))
    actual = np.mean(t > stats.t.ppf(0.975, 1))
    assert power_of_t(effect, 2, True) == pytest.approx(actual, abs=0.01)


def test_one_repetition_has_no_power() -> None:
    with pytest.raises(RefusedError, match="needs two of each; there are 1"):
        power_of_t(1.0, 1, False)


@pytest.mark.parametrize(("correlation", "paired", "welch"), [(0.0, 0.52, 0.69), (0.6, 0.83, 0.76)])
def test_pairing_loses_without_a_correlation_and_wins_with_one(
    correlation: float, paired: float, welch: float
) -> None:
    """At n = 3 and the difference that Student's test finds with 80 % power."""
    power = power_over_runs(minimum_detectable_effect(3), (1.0, 1.0), correlation, 3)
    assert power == pytest.approx((paired, welch), abs=0.01)


@pytest.mark.parametrize("n", [2, 3, 6])
@pytest.mark.parametrize(("correlation", "deviation"), [(0.0, 1.0), (0.7, 0.4), (-0.5, 2.0)])
def test_power_over_runs_by_simulation(n: int, correlation: float, deviation: float) -> None:
    rng = np.random.default_rng(n)
    a, own = rng.normal(size=(2, 20_000, n))
    b = deviation * (correlation * a + math.sqrt(1 - correlation**2) * own)
    a = a + 2.5
    simulated = (
        np.mean(stats.ttest_rel(a, b, axis=1).pvalue < 0.05),
        np.mean(stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue < 0.05),
    )
    power = power_over_runs(2.5, (1.0, deviation), correlation, n)
    assert power == pytest.approx(simulated, abs=0.012)
