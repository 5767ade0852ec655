"""Power of t tests over repetitions: what they answer for is these test images alone.

Effects are in standard deviations: of the differences where seeds are shared (paired), of one
model's repetitions where they are not. `n` is the number of repetitions of each model. All assume
normal values; two-sided level .05.
"""

import math
from typing import NamedTuple

import numpy as np

from omnibench.stats.quadrature import normals, variance_ratios
from omnibench.stats.result import ALPHA, NO_SPREAD, RefusedError

POWER = 0.8


def power_of_t(effect: float, n: int, paired: bool) -> float:
    """Return the chance that a t test of n repetitions finds a true effect.

    Source:
        Noncentral t with noncentrality effect * sqrt(n) (paired), effect * sqrt(n / 2) (unpaired);
        Cohen 1988, chapter 2.
    """
    from scipy.special import nctdtr, ndtr, stdtrit

    df, scale = _design(n, paired)
    critical, centre = float(stdtrit(df, 1 - ALPHA / 2)), abs(effect) / scale
    power = 1 - float(nctdtr(df, centre, critical)) + float(nctdtr(df, centre, -critical))
    if math.isnan(power):  # nctdtr is, far out, where the other side is nothing
        return float(np.mean(ndtr(centre - critical * np.sqrt(variance_ratios(df, 0)))))
    return power


def minimum_detectable_effect(n: int, paired: bool = False) -> float:
    """Return the effect that n repetitions find with 80 % power.

    3.07, 2.02 and 1.32 for n = 3, 5 and 10 of two independent models.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    df, scale = _design(n, paired)
    highest = scale * 50 * float(stdtrit(df, 1 - ALPHA / 2))
    return float(brentq(lambda effect: power_of_t(effect, n, paired) - POWER, 0.0, highest))


def _design(n: int, paired: bool) -> tuple[int, float]:
    """Return degrees of freedom, and a difference's standard error in standard deviations."""
    if n < 2:
        raise RefusedError(f"a test over repetitions needs two of each; there are {n}")
    return (n - 1, math.sqrt(1 / n)) if paired else (2 * n - 2, math.sqrt(2 / n))


class OverRuns(NamedTuple):
    """The power of two tests over repetitions: of the paired t test, and of Welch's."""

    paired: float
    welch: float


def power_over_runs(
    difference: float, deviations: tuple[float, float], correlation: float, n: int
) -> OverRuns:
    """Return the power of tests over n repetitions of two models whose repetitions correlate.

    Pairing halves the degrees of freedom and takes the correlation out of the error. At n = 3, for
    the difference that Student's test finds with 80 % power (3.07 standard deviations), the paired
    test has .52 and Welch's .70 without a correlation, and .83 and .76 at one of .6. Welch's test
    is the weaker than Student's as its degrees of freedom are estimated.

    Args:
        difference: of the two models' means, in the unit of `deviations`.
        deviations: standard deviations of one repetition of either.
        correlation: of repetitions with the same seed.

    Source:
        Over estimated variances and covariance: Bartlett's decomposition of a Wishart matrix
        (Anderson 2003, section 7.2), from which the mean difference is independent.
    """
    from scipy.special import ndtr, stdtrit

    a, b = deviations
    df, _ = _design(n, paired=True)
    of_difference = max(a**2 + b**2 - 2 * correlation * a * b, NO_SPREAD**2)
    spread = math.sqrt(of_difference / n)
    shared, own = variance_ratios(df, 3), variance_ratios(df - 1, 4) * (df - 1)
    rest = correlation * np.sqrt(shared * df) + math.sqrt(1 - correlation**2) * normals(0)
    of_a = a**2 * shared / n
    of_b = b**2 * (rest**2 + (1 - correlation**2) * own) / (df * n)
    error = np.sqrt(np.maximum(of_a + of_b, NO_SPREAD**2))
    df_welch = df * (of_a + of_b) ** 2 / np.maximum(of_a**2 + of_b**2, NO_SPREAD**4)
    reach = stdtrit(np.clip(df_welch, df, 2 * df), 1 - ALPHA / 2) * error
    size = abs(difference)
    welch = np.mean(ndtr((size - reach) / spread) + ndtr((-size - reach) / spread))
    return OverRuns(power_of_t(size / math.sqrt(of_difference), n, paired=True), float(welch))
