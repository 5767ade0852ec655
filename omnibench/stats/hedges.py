"""Hedges g with its interval: how many standard deviations two models are apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from omnibench.stats.result import (
    ALPHA,
    NO_SPREAD,
    Floats,
    RefusedError,
    finite,
    paired_differences,
)
from omnibench.stats.t_tests import hedges_j, pooled_sd


@dataclass(frozen=True)
class StandardisedDifference:
    """A difference in standard deviations.

    Attributes:
        g: unbiased estimate.
        low, high: 95 % interval of the population's standardised difference.
        unit: what it is standardised by.
    """

    g: float
    low: float
    high: float
    unit: str


def hedges_g(a: Floats, b: Floats) -> StandardisedDifference:
    """Return the effect between independent repetitions, in pooled standard deviations.

    Assumes normal values and one variance. g = J(df) * (mean a - mean b) / pooled sd, with
    df = n_a + n_b - 2 and J exact.

    Args:
        a: [n_a], b: [n_b] values.

    Raises:
        RefusedError: fewer than two of either, a value that is not finite, or no variation.

    Source:
        Hedges 1981, eq. 6; interval by the noncentral t: Steiger & Fouladi 1997.
    """
    a, b = finite(a, b)
    n_a, n_b = len(a), len(b)
    if min(n_a, n_b) < 2:
        raise RefusedError(f"an effect size needs two of each; there are {n_a} and {n_b}")
    pooled = pooled_sd((float(a.var(ddof=1)), n_a), (float(b.var(ddof=1)), n_b))
    scale = math.sqrt(1 / n_a + 1 / n_b)
    return _standardised(float(a.mean() - b.mean()), pooled, scale, n_a + n_b - 2, "pooled SD")


def hedges_g_paired(
    a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str]
) -> StandardisedDifference:
    """Return the effect between repetitions that share seeds, in SDs of their differences.

    Assumes normal differences. g = J(n - 1) * mean(d) / sd(d) (also called d_z).

    Args:
        a, b: [n] values; pairing_a, pairing_b: [n] hashes of each repetition's seeds.

    Raises:
        RefusedError: not paired, fewer than three pairs (J is undefined), or no variation.

    Source:
        As `hedges_g`, of one sample of differences.
    """
    d = paired_differences(a, b, pairing_a, pairing_b)
    n = len(d)
    if n < 3:
        raise RefusedError(f"a paired Hedges g needs three pairs; there are {n}")
    spread = float(d.std(ddof=1))
    return _standardised(float(d.mean()), spread, 1 / math.sqrt(n), n - 1, "SD of the differences")


def _standardised(
    difference: float, spread: float, scale: float, df: int, unit: str
) -> StandardisedDifference:
    """Take the noncentralities with t at its 2.5th and 97.5th percentile, times scale."""
    from scipy.special import nctdtrinc

    if spread <= NO_SPREAD:
        raise RefusedError("the repetitions do not vary, so the effect size is undefined")
    t = difference / (spread * scale)
    low, high = (scale * float(nctdtrinc(df, q, t)) for q in (1 - ALPHA / 2, ALPHA / 2))
    if not math.isfinite(low) or not math.isfinite(high):
        raise RefusedError(f"the interval of the effect size is out of reach at t = {t:.3g}")
    return StandardisedDifference(hedges_j(df) * difference / spread, low, high, unit)
