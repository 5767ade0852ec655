"""Tests over repetitions (seeds): paired t where the seeds are shared, Welch's t elsewhere."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import CONFIDENCE, NO_SPREAD, SMALLEST_P, Answer, RefusedError, finite

Floats = NDArray[np.float64]


def paired_t(a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str]) -> Answer:
    """Test the mean difference of repetitions that share their seeds.

    Assumes that the differences are independent and about normal.

    Args:
        a, b: [n] values of repetition 0, 1, ... of the two models.
        pairing_a, pairing_b: [n] hashes of each repetition's seeds.

    Returns:
        Interval t(n - 1); effect = J(n - 1) * mean(d) / sd(d), d = a - b (Hedges 1981).

    Raises:
        RefusedError: the repetitions do not share their seeds, n < 2, or the differences do not
            vary.
    """
    if list(pairing_a) != list(pairing_b):
        raise RefusedError("the repetitions do not share their seeds, so they are not paired")
    _at_least_two(a, b)
    d = a - b
    spread = float(d.std(ddof=1))
    if spread <= NO_SPREAD:
        raise RefusedError("the difference is the same in every repetition, so p is undefined")
    n = len(d)
    mean = float(d.mean())
    return _t("paired t", mean, spread / math.sqrt(n), n - 1, hedges_j(n - 1) * mean / spread)


def welch_t(a: Floats, b: Floats) -> Answer:
    """Test the difference of two means of independent repetitions, variances unequal.

    Assumes about normal values; at n = 3 it rejects 3.4 % at a nominal 5 %.

    Args:
        a: [n_a] values; b: [n_b] values.

    Returns:
        Interval t with Welch-Satterthwaite's degrees of freedom; effect = J(n_a + n_b - 2) *
        difference / pooled sd (Hedges 1981).

    Raises:
        RefusedError: fewer than two repetitions of either, or neither varies.
    """
    _at_least_two(a, b)
    n_a, n_b = len(a), len(b)
    variance_a, variance_b = float(a.var(ddof=1)), float(b.var(ddof=1))
    if math.sqrt(max(variance_a, variance_b)) <= NO_SPREAD:
        raise RefusedError("neither model varies between repetitions, so p is undefined")
    part_a, part_b = variance_a / n_a, variance_b / n_b
    df = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
    pooled = math.sqrt(((n_a - 1) * variance_a + (n_b - 1) * variance_b) / (n_a + n_b - 2))
    mean = float(a.mean() - b.mean())
    effect = hedges_j(n_a + n_b - 2) * mean / pooled
    return _t("Welch t (unpaired)", mean, math.sqrt(part_a + part_b), df, effect)


def hedges_j(df: int) -> float:
    """Return the exact small-sample factor J of Hedges 1981, eq. 6e; NaN for df < 2.

    J(df) = gamma(df / 2) / (sqrt(df / 2) * gamma((df - 1) / 2)).
    """
    if df < 2:
        return math.nan
    return math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)


def _at_least_two(a: Floats, b: Floats) -> None:
    if min(len(a), len(b)) < 2:
        raise RefusedError(
            f"a test over repetitions needs two of each; there are {len(a)} and {len(b)}"
        )
    finite(a, b)


def _t(test: str, difference: float, error: float, df: float, effect: float) -> Answer:
    p, margin = t_tails(difference, error, df)
    return Answer(test, difference, difference - margin, difference + margin, p, effect)


def t_tails(difference: float, error: float, df: float) -> tuple[float, float]:
    """Return the two-sided p of difference / error under t(df), and the 95 % margin."""
    from scipy.special import stdtr, stdtrit  # a whole scipy.stats costs seconds to import

    p = 2 * float(stdtr(df, -abs(difference) / error))
    return max(p, SMALLEST_P), float(stdtrit(df, (1 + CONFIDENCE) / 2)) * error
