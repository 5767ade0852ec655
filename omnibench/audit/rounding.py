"""Carry the rounding of printed means and deviations into p: its least and its largest value.

A printed 80.1 ± 0.3 is any mean in [80.05, 80.15] with any deviation in [0.25, 0.35]. p grows as
the difference shrinks; in the deviations it need not be monotone (they move Welch's degrees of
freedom, too), so that they are looked at between their bounds as well as at them.
"""

import math
from typing import NamedTuple

import numpy as np

from omnibench.audit.uncertainty import Range
from omnibench.stats.result import SMALLEST_P, Floats

_STEPS = 9  # of a deviation between its bounds, with both of them


class Bounds(NamedTuple):
    """The least and the largest p; NaN where there is none."""

    least: float
    largest: float


NO_BOUNDS = Bounds(math.nan, math.nan)


def welch_bounds(
    a: Range, b: Range, std_a: Range, std_b: Range, n_a: int, n_b: int, equal: bool = False
) -> Bounds:
    """Return the bounds of Welch's p, or of Student's where variances are taken as equal.

    Args:
        a, b: the means; std_a, std_b: their deviations over n_a and n_b runs, each 2 or more.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        variance_a, variance_b = _steps(std_a)[:, None] ** 2, _steps(std_b)[None, :] ** 2
        if equal:
            df = np.full((_STEPS, _STEPS), float(n_a + n_b - 2))
            pooled = ((n_a - 1) * variance_a + (n_b - 1) * variance_b) / df
            return _bounds(a, b, np.sqrt(pooled * (1 / n_a + 1 / n_b)), df)
        part_a, part_b = variance_a / n_a, variance_b / n_b
        df = (part_a + part_b) ** 2 / (part_a**2 / (n_a - 1) + part_b**2 / (n_b - 1))
        return _bounds(a, b, np.sqrt(part_a + part_b), df)


def single_bounds(a: Range, single: Range, std: Range, n: int, extra: float) -> Bounds:
    """Return the bounds of p of n runs against one number.

    Args:
        extra: 1 where the number is one more run (prediction), 0 where it is taken as exact.
    """
    error = _steps(std) * math.sqrt(extra + 1 / n)
    return _bounds(a, single, error, np.full(_STEPS, n - 1.0))


def normal_bounds(a: Range, b: Range, error_a: Range, error_b: Range) -> Bounds:
    """Return the bounds of the normal p of two independent numbers with their standard errors."""
    error = np.hypot(_steps(error_a)[:, None], _steps(error_b)[None, :])
    return _bounds(a, b, error, np.full(error.shape, np.inf))


def _steps(size: Range) -> Floats:
    return np.linspace(size.low, size.high, _STEPS)


def _bounds(a: Range, b: Range, error: Floats, df: Floats) -> Bounds:
    """Return the bounds over the differences of two means, and over errors with their df."""
    from scipy.special import ndtr, stdtr  # a whole scipy.stats costs seconds to import

    low, high = a.low - b.high, a.high - b.low
    far = max(abs(low), abs(high))
    near = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    varies = error > 0
    error, df = error[varies], df[varies]

    def p(difference: float) -> Floats:
        t = -difference / error
        return np.asarray(2 * np.where(np.isinf(df), ndtr(t), stdtr(df, t)), dtype=np.float64)

    # Deviations that may all be 0 leave no p above 0, whatever the difference.
    least = float(p(far).min()) if varies.all() else 0.0
    largest = float(p(near).max()) if varies.any() else math.nan
    return Bounds(max(least, SMALLEST_P), largest)
