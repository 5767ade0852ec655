"""Power of tests over repetitions: what n can detect, and which n an effect or a margin needs.

Effects are in standard deviations: of the differences where seeds are shared (paired), of one
model's repetitions where they are not. `n` is the number of repetitions of each model. All assume
normal values with one variance; two-sided level .05.
"""

import functools
import math
from collections.abc import Callable

import numpy as np

from omnibench.stats.result import ALPHA, RefusedError

POWER = 0.8
MOST = 1000  # repetitions; more is no plan
_STEPS = 2000


def power_of_t(effect: float, n: int, paired: bool) -> float:
    """Return the chance that a t test of n repetitions finds a true effect.

    Source:
        Noncentral t with noncentrality effect * sqrt(n) (paired), effect * sqrt(n / 2) (unpaired);
        Cohen 1988, chapter 2.
    """
    from scipy.special import nctdtr, ndtr, stdtrit

    df, scale = _design(n, paired)
    critical, centre = float(stdtrit(df, 1 - ALPHA / 2)), abs(effect) / scale
    found = 1 - float(nctdtr(df, centre, critical)) + float(nctdtr(df, centre, -critical))
    if math.isnan(found):  # nctdtr is, far out, where the other side is nothing
        return float(np.mean(ndtr(centre - critical * _spreads(df))))
    return found


def minimum_detectable_effect(n: int, paired: bool = False, power: float = POWER) -> float:
    """Return the effect that n repetitions find with the given power.

    3.07, 2.02 and 1.32 for n = 3, 5 and 10 of two independent models at 80 %.
    """
    from scipy.optimize import brentq
    from scipy.special import stdtrit

    df, scale = _design(n, paired)
    highest = scale * 50 * float(stdtrit(df, 1 - ALPHA / 2))
    return float(brentq(lambda effect: power_of_t(effect, n, paired) - power, 0.0, highest))


def repetitions_to_detect(effect: float, paired: bool, power: float = POWER) -> int | None:
    """Return the fewest repetitions that find an effect; None beyond `MOST`."""
    return _fewest(lambda n: power_of_t(effect, n, paired), power)


def power_of_tost(margin: float, n: int, paired: bool) -> float:
    """Return the chance that TOST shows equivalence of two models that do not differ.

    The exact integral over the estimated standard deviation, by its quantiles.

    Args:
        margin: in standard deviations, as an effect.

    Source:
        Phillips 1990, Power of the two one-sided tests procedure, at a true difference of zero.
    """
    from scipy.special import ndtr, stdtrit

    df, scale = _design(n, paired)
    reach = (margin - float(stdtrit(df, 1 - ALPHA)) * scale * _spreads(df)) / scale
    return float(np.mean(np.maximum(0.0, 2 * ndtr(reach) - 1)))


def repetitions_to_match(margin: float, paired: bool, power: float = POWER) -> int | None:
    """Return the fewest repetitions that show equivalence of equal models; None beyond `MOST`."""
    return _fewest(lambda n: power_of_tost(margin, n, paired), power)


def _design(n: int, paired: bool) -> tuple[int, float]:
    """Degrees of freedom, and the standard error of a difference in standard deviations."""
    if n < 2:
        raise RefusedError(f"a test over repetitions needs two of each; there are {n}")
    return (n - 1, math.sqrt(1 / n)) if paired else (2 * n - 2, math.sqrt(2 / n))


@functools.lru_cache(maxsize=64)
def _spreads(df: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Quantiles of the estimated over the true standard deviation, of equal probability."""
    from scipy.special import chdtri

    spreads: np.ndarray[tuple[int], np.dtype[np.float64]] = np.sqrt(
        chdtri(df, (np.arange(_STEPS) + 0.5) / _STEPS) / df
    )
    return spreads


def _fewest(power_at: Callable[[int], float], power: float) -> int | None:
    """The smallest n of 2 .. MOST whose power suffices, by bisection: power grows with n."""
    low, high = 2, MOST
    if power_at(high) < power:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= power else (middle + 1, high)
    return low
