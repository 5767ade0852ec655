"""Equivalence: whether two models are shown to differ by less than a declared margin."""

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
        """Whether equivalence is shown at level .05."""
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
    part_a, part_b = float(a.var(ddof=1)) / len(a), float(b.var(ddof=1)) / len(b)
    error = math.sqrt(part_a + part_b)
    if error <= NO_SPREAD:
        raise RefusedError("neither model varies between repetitions, so p is undefined")
    df = error**4 / (part_a**2 / (len(a) - 1) + part_b**2 / (len(b) - 1))
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
