"""Wilcoxon and the permutation tests against scipy and against brute force."""

from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from omnibench.stats.exact_tests import permutation, sign_flips, signed_rank_p, wilcoxon
from omnibench.stats.result import Answer, RefusedError

NAMES = [f"pair-{k}" for k in range(50)]


def paired(test: Callable[..., Any], d: NDArray[Any] | list[Any] | range) -> Answer:
    result: Answer = test(
        np.array(d, dtype=float), np.zeros(len(d)), NAMES[: len(d)], NAMES[: len(d)]
    )
    return result


@pytest.mark.parametrize("n", [6, 10, 25])
def test_wilcoxon_is_scipys_exact_one(n: int) -> None:
    d = np.random.default_rng(n).normal(0.3, 1, size=n)
    assert paired(wilcoxon, d).p == pytest.approx(stats.wilcoxon(d, method="exact").pvalue)


@settings(max_examples=40)
@given(st.lists(st.integers(-4, 4).filter(bool), min_size=6, max_size=10))
def test_wilcoxon_with_ties_is_brute_force(whole: list[int]) -> None:
    """All signs of the mean ranks, one by one; tenths are equal up to rounding only."""
    d = np.array(whole) / 10
    ranks = stats.rankdata(np.abs(whole))
    sums = [np.sum(ranks[np.array(signs, bool)]) for signs in product((0, 1), repeat=len(d))]
    observed = ranks[d > 0].sum()
    tails = np.mean(np.array(sums) <= observed), np.mean(np.array(sums) >= observed)
    assert signed_rank_p(d) == pytest.approx(min(1, 2 * min(tails)))
    assert signed_rank_p(np.append(d, 0.0)) == signed_rank_p(d)


def test_wilcoxon_interval_is_what_the_test_does_not_reject() -> None:
    d = np.random.default_rng(0).normal(1, 1, size=9)
    actual = paired(wilcoxon, d)
    for centre, rejected in (
        (actual.low - 1e-6, True),
        (actual.low + 1e-6, False),
        (actual.high - 1e-6, False),
        (actual.high + 1e-6, True),
    ):
        assert (stats.wilcoxon(d - centre, method="exact").pvalue <= 0.05) == rejected
    assert actual.low < actual.difference < actual.high
    # Hollander, Wolfe & Chicken, depression factors: estimate -.46, p = .039.
    x = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    y = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    depression = wilcoxon(np.array(y), np.array(x), NAMES[:9], NAMES[:9])
    assert depression.difference == pytest.approx(-0.46)
    assert depression.p == pytest.approx(0.0390625)


@pytest.mark.parametrize("n", [6, 9])
def test_sign_flips_are_scipys(n: int) -> None:
    d = np.random.default_rng(n).normal(0.5, 1, size=n)
    theirs = stats.permutation_test(
        (d, np.zeros(n)),
        lambda x, y: np.mean(x - y),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    actual = paired(sign_flips, d)
    assert actual.p == pytest.approx(theirs.pvalue)
    assert actual.difference == pytest.approx(d.mean())


@pytest.mark.parametrize(("n_a", "n_b"), [(4, 4), (3, 6), (5, 5)])
def test_permutations_are_scipys(n_a: int, n_b: int) -> None:
    rng = np.random.default_rng(n_a)
    a, b = rng.normal(1, 1, size=n_a), rng.normal(size=n_b)
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x) - np.mean(y), n_resamples=np.inf
    )
    assert permutation(a, b).p == pytest.approx(theirs.pvalue)


def one_sided(a: NDArray[Any], b: NDArray[Any]) -> float:
    pooled = np.concatenate([a, b])
    sums = np.array([pooled[list(c)].sum() for c in combinations(range(len(pooled)), len(a))])
    result: float = min(np.mean(sums <= a.sum() + 1e-12), np.mean(sums >= a.sum() - 1e-12))
    return result


@pytest.mark.parametrize("n_b", [4, 5])
def test_intervals_are_what_the_tests_do_not_reject(n_b: int) -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(1, 1, size=5), rng.normal(size=n_b)
    actual = permutation(a, b)
    for shift, rejected in (
        (actual.low - 1e-6, True),
        (actual.low + 1e-6, False),
        (actual.high - 1e-6, False),
        (actual.high + 1e-6, True),
    ):
        assert (one_sided(a - shift, b) <= 0.025) == rejected
    d = rng.normal(1, 1, size=8)
    flips = paired(sign_flips, d)
    for centre, rejected in (
        (flips.low - 1e-6, True),
        (flips.low + 1e-6, False),
        (flips.high - 1e-6, False),
        (flips.high + 1e-6, True),
    ):
        assert (paired(sign_flips, d - centre).p <= 0.05) == rejected


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: paired(wilcoxon, [1, 2, 3, 4, 5]), r"5 pairs .* p possible is 0\.0625"),
        (lambda: paired(wilcoxon, [1, 2, 3, 4, 5, 0]), r"5 pairs that differ .* 0\.0625"),
        (lambda: paired(sign_flips, [1, 2, 3]), r"3 pairs .* 0\.25"),
        (lambda: permutation(np.arange(3.0), np.arange(3.0)), r"3 against 3 .* 0\.1$"),
        (lambda: paired(sign_flips, range(21)), "too many"),
        (lambda: permutation(np.arange(12.0), np.arange(12.0)), "too many"),
        (lambda: paired(wilcoxon, np.zeros(8)), "equal in every pair"),
        (lambda: paired(sign_flips, np.zeros(8)), "equal in every repetition"),
        (lambda: permutation(np.ones(5), np.ones(5)), "no repetition differs"),
        (lambda: paired(wilcoxon, [1, np.nan, 3]), r"undefined in repetitions \[1\]"),
        (lambda: permutation(np.ones(5), np.array([1, np.inf])), "undefined in repetitions"),
        (lambda: wilcoxon(np.ones(2), np.ones(2), NAMES[:2], NAMES[1:3]), "not paired"),
        (lambda: sign_flips(np.ones(3), np.ones(2), NAMES[:3], NAMES[:2]), "not paired"),
    ],
)
def test_refusals_name_what_is_wrong(call: Callable[..., Any], reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        call()
