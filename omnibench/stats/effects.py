"""Say how far two models are apart: Hedges g, and equivalence within a margin."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from omnibench.stats.result import (
    ALPHA,
    NO_SPREAD,
    SMALLEST_P,
    Floats,
    RefusedError,
    finite,
    paired_differences,
)
from omnibench.stats.t_tests import hedges_j, pooled_sd, welch_error


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


@dataclass(frozen=True)
class Equivalence:
    """The outcome of two one-sided tests of -margin < a - b < margin.

    Attributes:
        difference, margin: in the metric's own unit.
        low, high: the 90 % interval; inside the margin where p < .05.
        p: the larger of the two one-sided p.
    """

    test: str
    difference: float
    margin: float
    low: float
    high: float
    p: float

    @property
    def equivalent(self) -> bool:
        """Tell whether equivalence is shown at level .05."""
        return self.p < ALPHA


def tost_paired(
    a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str], margin: float
) -> Equivalence:
    """Test equivalence of repetitions that share their seeds; assumes normal differences.

    Args:
        a, b: [n] values; pairing_a, pairing_b: [n] hashes of each repetition's seeds.
        margin: in the values' own unit, declared beforehand.

    Raises:
        RefusedError: not paired, fewer than two pairs, no variation, or no positive margin.

    Source:
        Schuirmann 1987.
    """
    d = paired_differences(a, b, pairing_a, pairing_b)
    n = len(d)
    if n < 2:
        raise RefusedError(f"an equivalence test needs two pairs; there are {n}")
    error = float(d.std(ddof=1)) / math.sqrt(n)
    return _tost("TOST, paired t", float(d.mean()), error, n - 1, margin)


def tost_welch(a: Floats, b: Floats, margin: float) -> Equivalence:
    """Test equivalence of independent repetitions; assumes normal values, variances unequal.

    Args:
        a: [n_a], b: [n_b] values; margin: as in `tost_paired`.

    Raises:
        RefusedError: fewer than two of either, neither varies, or no positive margin.

    Source:
        Schuirmann 1987, with Welch's t.
    """
    a, b = finite(a, b)
    if min(len(a), len(b)) < 2:
        raise RefusedError(
            f"an equivalence test needs two of each; there are {len(a)} and {len(b)}"
        )
    spreads = (float(a.var(ddof=1)), len(a)), (float(b.var(ddof=1)), len(b))
    if math.sqrt(max(variance for variance, _ in spreads)) <= NO_SPREAD:
        raise RefusedError("neither model varies between repetitions, so p is undefined")
    error, df = welch_error(*spreads)
    return _tost("TOST, Welch t (unpaired)", float(a.mean() - b.mean()), error, df, margin)


def within(low: float, high: float, margin: float) -> bool:
    """Return whether a 95 % interval lies inside the margin: two one-sided tests at level .025.

    For tests over cases, whose interval is all that is at hand.
    """
    return -margin < low and high < margin


def _tost(test: str, difference: float, error: float, df: float, margin: float) -> Equivalence:
    from scipy.special import stdtr, stdtrit

    if not margin > 0:
        raise RefusedError(f"an equivalence margin must be positive; it is {margin}")
    if error <= NO_SPREAD:
        raise RefusedError("the difference is the same in every repetition, so p is undefined")
    above = float(stdtr(df, -(difference + margin) / error))
    below = float(stdtr(df, (difference - margin) / error))
    reach = float(stdtrit(df, 1 - ALPHA)) * error
    p = max(above, below, SMALLEST_P)
    return Equivalence(test, difference, margin, difference - reach, difference + reach, p)
