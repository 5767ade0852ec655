"""How often tests reject under the null and intervals cover, by simulation at n = 3, 5, 10.

Of 6000 seeded draws a rate of .05 has a Monte-Carlo standard error of .0028 and one of .5 of .0065:
the limits (4 to 6 %, 94 to 96 %, +-.02) are two and a half of them or more from what is
expected. The exact tests are judged over every arrangement of one sample, without such an error.

One-sample trap: a mean against one published run, taken as if that run were the truth.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from omnibench.audit.reproduction import own_margin
from omnibench.stats.exact_tests import permutation, sign_flips, wilcoxon
from omnibench.stats.result import RefusedError
from omnibench.stats.t_tests import Summary, one_sample, paired_t, prediction, student, welch_t

NAMES = [f"pair-{k}" for k in range(20)]
DRAWS = 6000
SIZES = (3, 5, 10)


def rate(decisions: Iterator[Any]) -> float:
    return float(np.mean(list(decisions)))


def draws(n: int, models: int = 2, count: int = DRAWS) -> NDArray[Any]:
    return np.random.default_rng(n).normal(0.8, 0.02, size=(count, models, n))


def summary(values: NDArray[Any]) -> Summary:
    return Summary(float(values.mean()), float(values.std(ddof=1)), len(values))


@pytest.mark.parametrize("n", SIZES)
def test_paired_t_and_t_reject_five_percent(n: int) -> None:
    names = NAMES[:n]
    shared = np.random.default_rng(0).normal(0, 0.05, size=(DRAWS, 1, n))  # what pairing removes
    paired = draws(n) + shared
    assert 0.04 <= rate(paired_t(a, b, names, names).p < 0.05 for a, b in paired) <= 0.06
    assert 0.04 <= rate(student(summary(a), summary(b)).p < 0.05 for a, b in draws(n)) <= 0.06


@pytest.mark.parametrize(
    ("n", "low", "high"), [(3, 0.028, 0.040), (5, 0.038, 0.055), (10, 0.043, 0.057)]
)
def test_welch_is_conservative_at_three(n: int, low: float, high: float) -> None:
    actual = [welch_t(a, b) for a, b in draws(n)]
    assert low <= rate(item.p < 0.05 for item in actual) <= high  # 3.4 % at n = 3
    assert 0.94 <= rate(item.low <= 0 <= item.high for item in actual) <= 0.97


@pytest.mark.parametrize("n", SIZES)
def test_t_intervals_cover(n: int) -> None:
    def covers(one: Summary) -> bool:
        margin = own_margin(one)
        assert margin is not None
        return abs(one.mean - 0.8) <= margin

    own = [summary(a) for (a,) in draws(n, models=1)]
    assert 0.94 <= rate(covers(one) for one in own) <= 0.96


@pytest.mark.parametrize(("n", "coverage"), [(3, 0.75), (5, 0.84), (10, 0.90)])
def test_percentile_bootstrap_of_few_seeds_would_not_cover(n: int, coverage: float) -> None:
    """Why no interval here is one: at n = 3 it is [min, max], 1 - 2 / 2^3 = .75."""
    rng = np.random.default_rng(1)
    values = draws(n, models=1, count=2000)[:, 0]
    drawn = np.take_along_axis(values[:, None], rng.integers(n, size=(2000, 500, n)), axis=2).mean(
        axis=2
    )
    low, high = np.quantile(drawn, [0.025, 0.975], axis=1)
    covered = np.mean((low <= 0.8) & (high >= 0.8))
    assert covered == pytest.approx(coverage, abs=0.03)  # three standard errors of 2000 draws


@pytest.mark.parametrize(("n", "error"), [(3, 0.16), (5, 0.32), (10, 0.51)])
def test_the_one_sample_trap_and_the_prediction_form(n: int, error: float) -> None:
    rng = np.random.default_rng(2)
    pairs = [
        (summary(a), Summary(float(single), None, 1))
        for (a,), single in zip(draws(n, models=1), rng.normal(0.8, 0.02, size=DRAWS), strict=True)
    ]
    assert rate(one_sample(a, b).p < 0.05 for a, b in pairs) == pytest.approx(error, abs=0.02)
    assert 0.04 <= rate(prediction(a, b).p < 0.05 for a, b in pairs) <= 0.06


@pytest.mark.parametrize("test", [wilcoxon, sign_flips])
@pytest.mark.parametrize(("n", "size"), [(6, 2 / 2**6), (10, 0.05)])
def test_exact_paired_tests_over_every_sign(test: Callable[..., Any], n: int, size: float) -> None:
    """Under the null all signs are equally likely: the share of them that is rejected."""
    names, sizes = NAMES[:n], np.random.default_rng(n).exponential(size=n)
    zero = np.zeros(n)
    signs = product((-1, 1), repeat=n)
    rejected = rate(test(np.array(s) * sizes, zero, names, names).p < 0.05 for s in signs)
    assert size - 0.005 <= rejected <= size


@pytest.mark.parametrize("n", [4, 5])
def test_exact_unpaired_test_over_every_exchange(n: int) -> None:
    pooled = np.random.default_rng(n).normal(size=2 * n)
    chosen = [list(c) for c in combinations(range(2 * n), n)]
    actual = [permutation(pooled[c], np.delete(pooled, c)) for c in chosen]
    assert 0.02 <= rate(item.p < 0.05 for item in actual) <= 0.05


def test_exact_unpaired_test_of_ten_over_every_exchange() -> None:
    """By brute force, which the test itself follows where it is asked."""
    pooled = np.random.default_rng(10).normal(size=20)
    chosen = np.array(list(combinations(range(20), 10)))
    sums = pooled[chosen].sum(axis=1)
    ordered = np.sort(sums)
    tails = (
        np.searchsorted(ordered, sums + 1e-9, "right"),
        len(sums) - np.searchsorted(ordered, sums - 1e-9, "left"),
    )
    p = np.minimum(1, 2 * np.minimum(*tails) / len(sums))
    assert 0.049 <= np.mean(p < 0.05) <= 0.05
    for k in (0, 5000, len(sums) // 2):
        actual = permutation(pooled[chosen[k]], np.delete(pooled, chosen[k]))
        assert actual.p == pytest.approx(p[k])


@pytest.mark.parametrize("test", [wilcoxon, sign_flips])
@pytest.mark.parametrize("n", [6, 10])
def test_intervals_of_exact_paired_tests_cover(test: Callable[..., Any], n: int) -> None:
    names = NAMES[:n]
    actual = [test(a, b, names, names) for a, b in draws(n, count=2000)]
    assert rate(item.low <= 0 <= item.high for item in actual) >= 0.94


def test_intervals_of_the_exact_unpaired_test_cover() -> None:
    actual = [permutation(a, b) for a, b in draws(5, count=1500)]
    assert rate(item.low <= 0 <= item.high for item in actual) >= 0.94


@pytest.mark.parametrize("n", [3, 5])
def test_exact_tests_of_few_say_that_they_cannot(n: int) -> None:
    """So they reject nothing at n = 3, and the paired ones at n = 5."""
    a, b = draws(n)[0]
    names = NAMES[:n]
    calls: list[Callable[[], Any]] = [
        lambda: wilcoxon(a, b, names, names),
        lambda: sign_flips(a, b, names, names),
    ]
    calls += [lambda: permutation(a, b)] * (n == 3)
    for call in calls:
        with pytest.raises(RefusedError, match="smallest p possible"):
            call()
