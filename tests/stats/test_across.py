"""Aggregates over datasets against scipy and brute force."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from omnibench.stats.across import aggregate_iqm, interquartile_mean, probability_of_improvement
from omnibench.stats.result import RefusedError


def runs(
    seed: int, sizes: tuple[Any, ...] = (5, 5, 5, 5), shift: float = 0.0
) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(seed)
    return {f"d{k}": rng.normal(0.8 + shift, 0.1, size=n) for k, n in enumerate(sizes)}


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 40])
def test_the_interquartile_mean_is_scipys_trimmed_one(n: int) -> None:
    values = np.random.default_rng(n).normal(size=(6, n))
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25, axis=1))


@pytest.mark.parametrize("sizes", [(5, 5, 5), (3, 5, 8)])
def test_iqm_interval_is_the_stratified_bootstrap_done_one_by_one(
    sizes: tuple[int, int, int],
) -> None:
    scores = runs(0, sizes)
    actual = aggregate_iqm(scores)
    rng = np.random.default_rng(9)
    drawn = [
        stats.trim_mean(np.concatenate([rng.choice(v, size=len(v)) for v in scores.values()]), 0.25)
        for _ in range(4000)
    ]
    assert actual.value == pytest.approx(stats.trim_mean(np.concatenate([*scores.values()]), 0.25))
    assert (actual.low, actual.high) == pytest.approx(
        tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.05 * (actual.high - actual.low)
    )
    assert aggregate_iqm(scores) == actual  # seeded


def test_improvement_is_mann_whitneys_u() -> None:
    a, b = runs(1, (5, 3, 8), 0.05), runs(2, (5, 4, 6))
    actual = probability_of_improvement(a, b)
    shares = [
        stats.mannwhitneyu(a[name], b[name]).statistic / (len(a[name]) * len(b[name])) for name in a
    ]
    assert actual.value == pytest.approx(np.mean(shares))
    assert actual.low < actual.value < actual.high
    down = probability_of_improvement(a, b, lower_is_better=True)
    assert down.value == pytest.approx(1 - actual.value)
    assert probability_of_improvement(a, a).value == pytest.approx(0.5)  # ties count one half


def test_improvement_interval_is_the_bootstrap_done_one_by_one() -> None:
    a, b = runs(3, (5, 4)), runs(4, (4, 6))
    actual = probability_of_improvement(a, b)
    rng = np.random.default_rng(5)
    drawn = []
    for _ in range(4000):
        pairs = [(rng.choice(a[n], len(a[n])), rng.choice(b[n], len(b[n]))) for n in a]
        drawn.append(np.mean([np.mean(x[:, None] > y) for x, y in pairs]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (actual.low, actual.high) == pytest.approx((low, high), abs=0.03)


def test_better_everywhere_is_certain() -> None:
    actual = probability_of_improvement(runs(5, shift=5), runs(6))
    assert (actual.value, actual.low, actual.high) == (1, 1, 1)


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ({"x": [1, 2]}, {"y": [1, 2]}, "on x, y"),
        ({"x": [1]}, {"x": [1, 2]}, "x: a has fewer than two"),
        ({"x": [1, np.nan]}, {"x": [1, 2]}, r"x: .* undefined in repetitions \[1\]"),
        ({}, {}, "no dataset"),
    ],
)
def test_refusals_name_what_is_wrong(
    a: dict[str, Any], b: dict[str, list[int]], reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason):
        probability_of_improvement(a, b)
