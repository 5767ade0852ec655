"""Integrate over estimated variances: points spread evenly, the same in every call."""

import functools

import numpy as np

from omnibench.stats.result import Floats

POINTS = 512
_STEPS = np.sqrt([2.0, 3.0, 5.0, 7.0, 11.0])  # one a dimension
_KNOWN = 1e7  # degrees of freedom from which on a variance is as good as known


@functools.lru_cache(maxsize=256)
def variance_ratios(df: float, dimension: int) -> Floats:
    """Return estimated over true variances, chi-square(df) / df, equally likely: [POINTS].

    Those of different dimensions are independent. A mean over the points of a power is
    within .003 of its integral over all five.

    Args:
        df: above 0; infinite for a variance that is known.
        dimension: 0 .. 4.
    """
    from scipy.special import chdtri  # a whole scipy.stats costs seconds to import

    if df > _KNOWN:
        return np.ones(POINTS)
    if df <= 0:  # of two repetitions, less one for another's share
        return np.zeros(POINTS)
    ratios: Floats = chdtri(df, _uniform()[:, dimension]) / df
    return ratios


def normals(dimension: int) -> Floats:
    """Return values of a standard normal variable, equally likely: [POINTS]."""
    from scipy.special import ndtri

    values: Floats = ndtri(_uniform()[:, dimension])
    return values


@functools.cache
def _uniform() -> Floats:
    """Return points spread evenly in a cube: [POINTS, dimensions], within 0 and 1.

    Source:
        Multiples of the roots of primes: Richtmyer 1951; folded by the tent: Hickernell 2002.
    """
    points = (0.5 + np.arange(1, POINTS + 1)[:, None] * _STEPS) % 1
    folded: Floats = 1 - np.abs(2 * points - 1)
    return folded
