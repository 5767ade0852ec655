"""The t interval of a mean over repetitions."""

import math
from dataclasses import dataclass

import numpy as np

from omnibench.stats.checks import Floats, finite
from omnibench.stats.result import CONFIDENCE, NO_SPREAD, RefusedError


@dataclass(frozen=True)
class Interval:
    """A mean with its interval.

    Attributes:
        n: repetitions.
        mean, sd: in the metric's own unit; sd with ddof = 1.
        low, high: the interval of the mean.
    """

    n: int
    mean: float
    sd: float
    low: float
    high: float


def t_interval(values: Floats, confidence: float = CONFIDENCE) -> Interval:
    """Return mean -+ t(n - 1) * sd / sqrt(n).

    Assumes independent repetitions, about normal. Not a bootstrap: of three repetitions the
    percentile bootstrap's 95 % interval covers the mean in 73 % of cases.

    Args:
        values: [n].

    Raises:
        RefusedError: fewer than two repetitions, a value that is not finite, or no variation.

    Source:
        Student 1908.
    """
    from scipy.special import stdtrit

    (values,) = finite(values)
    n = len(values)
    if n < 2:
        raise RefusedError(f"an interval needs two repetitions; there are {n}")
    mean, sd = float(np.mean(values)), float(np.std(values, ddof=1))
    if sd <= NO_SPREAD:
        raise RefusedError("every repetition has the same value, so the interval has no width")
    margin = float(stdtrit(n - 1, (1 + confidence) / 2)) * sd / math.sqrt(n)
    return Interval(n, mean, sd, mean - margin, mean + margin)
