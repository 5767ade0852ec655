"""Tell whether numbers of one's own reproduce published ones."""

import math
from dataclasses import dataclass

from omnibench.stats.result import CONFIDENCE, NO_SPREAD, RefusedError
from omnibench.stats.t_tests import Summary


@dataclass(frozen=True)
class Prediction:
    """Where a mean of new runs is expected, by printed numbers.

    Attributes:
        n: repetitions behind the printed numbers.
        margin: half the interval's width around the printed mean.
        inside: whether one's own mean lies in it.
    """

    n: int
    margin: float
    inside: bool


def own_margin(own: Summary) -> float | None:
    """Return half the 95 % t interval of one's own mean; None where repetitions cannot tell it.

    Source:
        Student 1908.
    """
    if own.std is None or own.n is None or own.n < 2 or own.std <= NO_SPREAD:
        return None
    return _quantile(own.n - 1) * own.std / math.sqrt(own.n)


def predicted(own: Summary, printed: Summary) -> Prediction:
    """Tell whether one's own mean of m runs lies where the printed numbers expect it.

    That is printed mean -+ t(n - 1) * std * sqrt(1 / n + 1 / m), a 95 % prediction interval.

    Assumes independent runs, about normal, and that one's own vary as the printed ones did. One's
    own standard deviation is not used. Rounding of the printed mean is not allowed for.

    Raises:
        RefusedError: the printed numbers have no std, no n, n below 2, or do not vary; or the
            definitions differ.

    Source:
        Hahn & Meeker 1991, section 4.8 (a prediction interval for the mean of m further
        observations).
    """
    if own.definition != printed.definition:
        raise RefusedError("the definitions differ")
    if own.n is None or own.n < 1:
        raise RefusedError("there is no run of one's own")
    if printed.std is None:
        raise RefusedError("no std is printed")
    if printed.n is None or printed.n < 2:
        raise RefusedError("no number of repetitions is printed")
    if printed.std <= NO_SPREAD:
        raise RefusedError("the printed std is 0")
    error = printed.std * math.sqrt(1 / printed.n + 1 / own.n)
    margin = _quantile(printed.n - 1) * error
    return Prediction(printed.n, margin, abs(own.mean - printed.mean) <= margin)


def _quantile(df: int) -> float:
    from scipy.special import stdtrit  # a whole scipy.stats costs seconds to import

    return float(stdtrit(df, (1 + CONFIDENCE) / 2))
