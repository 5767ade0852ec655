"""Power of tests over repetitions: what n can detect, and which n is needed.

Effects are in standard deviations: of the differences where seeds are shared (paired), of one
model's repetitions where they are not. `n` is the number of repetitions of each model. All assume
normal values with one variance; two-sided level .05.
"""

import functools
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd

from omnibench.stats.pair import FROZEN
from omnibench.stats.result import ALPHA, NO_SPREAD, RefusedError
from omnibench.stats.t_tests import pooled_sd
from omnibench.stats.units import Score, Unit, units_of

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
    power = 1 - float(nctdtr(df, centre, critical)) + float(nctdtr(df, centre, -critical))
    if math.isnan(power):  # nctdtr is, far out, where the other side is nothing
        return float(np.mean(ndtr(centre - critical * _spreads(df))))
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


def repetitions_to_detect(effect: float, paired: bool) -> int | None:
    """Return the fewest repetitions that find an effect; None beyond `MOST`."""
    return _fewest(lambda n: power_of_t(effect, n, paired))


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


def repetitions_to_match(margin: float, paired: bool) -> int | None:
    """Return the fewest repetitions that show equivalence of equal models; None beyond `MOST`."""
    return _fewest(lambda n: power_of_tost(margin, n, paired))


def _design(n: int, paired: bool) -> tuple[int, float]:
    """Return degrees of freedom, and a difference's standard error in standard deviations."""
    if n < 2:
        raise RefusedError(f"a test over repetitions needs two of each; there are {n}")
    return (n - 1, math.sqrt(1 / n)) if paired else (2 * n - 2, math.sqrt(2 / n))


@functools.lru_cache(maxsize=64)
def _spreads(df: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return quantiles of the estimated over the true standard deviation, equally likely."""
    from scipy.special import chdtri

    spreads: np.ndarray[tuple[int], np.dtype[np.float64]] = np.sqrt(
        chdtri(df, (np.arange(_STEPS) + 0.5) / _STEPS) / df
    )
    return spreads


def _fewest(power_at: Callable[[int], float]) -> int | None:
    """Return the smallest n of 2 .. MOST whose power suffices; by bisection, as power grows."""
    low, high = 2, MOST
    if power_at(high) < POWER:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= POWER else (middle + 1, high)
    return low


# The spread is itself estimated from few repetitions; it is below this limit in 4 of 5 cases.
_UPPER = 0.8


@dataclass(frozen=True)
class Needed:
    """What repetitions could decide in one comparison; values are fractions, NaN for none.

    Attributes:
        n: repetitions of the one with fewer.
        paired: whether the two share their seeds.
        sd: of the differences (paired), else pooled over the two models.
        detectable: the difference that n repetitions find with 80 % power.
        to_detect: repetitions that find a difference of the margin with 80 % power.
        to_match: those that show equivalence within the margin with 80 % power, if there is no
            difference.
        needed: the larger of both, so that either answer is reached; NaN beyond 1000.
        cautious: the same with the standard deviation at its upper one-sided 80 % limit.
        note: why there is no answer.
    """

    task: str
    dataset: str
    adaptation: str
    definition: str
    metric: str
    backbone: str
    baseline: str
    n: int
    paired: bool = False
    sd: float = math.nan
    detectable: float = math.nan
    to_detect: float = math.nan
    to_match: float = math.nan
    needed: float = math.nan
    cautious: float = math.nan
    note: str = ""


def repetitions_needed(
    values: pd.DataFrame,
    baseline: str,
    margin: float,
    scores: Collection[Score] | None = None,
) -> pd.DataFrame:
    """Plan the repetitions of every model that stands beside the baseline.

    Assumes normal values between repetitions. A frozen probe is judged over test cases, which more
    repetitions do not add to: it is a row with a note.

    Args:
        values: the long table of `units.COLUMNS`.
        baseline: the backbone that the others are compared with.
        margin: the difference that matters, as a fraction.
        scores: the (definition, metric) pairs wanted; None for all.

    Returns:
        One row a task, dataset, adaptation, definition, metric and backbone: `Needed`'s fields.

    Raises:
        RefusedError: no positive margin, or no record of the baseline.
        StoreError: two records claim the same repetition of a unit.

    Source:
        Noncentral t and TOST power (`power`); the upper limit of the spread: Browne 1995.
    """
    if not margin > 0:
        raise RefusedError(f"the margin must be positive; it is {margin}")
    units = units_of(values)
    if not any(key[3] == baseline for key in units):
        raise RefusedError(f"there is no finished record of the baseline '{baseline}'")
    rows = []
    for (task, dataset, adaptation, backbone), unit in units.items():
        if backbone == baseline:
            continue
        other = units.get((task, dataset, adaptation, baseline))
        for score in unit.scores:
            if scores is None or score in scores:
                row = Needed(task, dataset, adaptation, *score, backbone, baseline, 0)
                rows.append(vars(_needed(row, unit, other, margin)))
    return pd.DataFrame(rows, columns=[field.name for field in fields(Needed)])


def _needed(row: Needed, unit: Unit, other: Unit | None, margin: float) -> Needed:
    key = (row.definition, row.metric)
    if other is None or key not in other.scores:
        return replace(row, note=f"{row.baseline} has no {row.metric} as {row.definition} here")
    a, b = unit.values(*key), other.values(*key)
    row = replace(row, n=min(len(a), len(b)))
    if unit.varies in FROZEN or other.varies in FROZEN:
        return replace(row, note="tested over cases: more test cases decide, not more repetitions")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return replace(row, note=f"{row.metric} is undefined in some repetition")
    if row.n < 2:
        return replace(row, note="one repetition tells nothing about their spread; run two")
    row = replace(row, paired=unit.pairing(*key) == other.pairing(*key))
    if row.paired:
        df, sd = row.n - 1, float(np.std(a - b, ddof=1))
    else:
        df = len(a) + len(b) - 2
        sd = pooled_sd((float(a.var(ddof=1)), len(a)), (float(b.var(ddof=1)), len(b)))
    if sd <= NO_SPREAD:
        return replace(row, sd=0.0, note="the repetitions do not vary")
    to_detect, to_match = _both(margin / sd, row.paired)
    return replace(
        row,
        sd=sd,
        detectable=minimum_detectable_effect(row.n, row.paired) * sd,
        to_detect=to_detect,
        to_match=to_match,
        needed=_larger(to_detect, to_match),
        cautious=_larger(*_both(margin / _upper(sd, df), row.paired)),
    )


def _both(standardised: float, paired: bool) -> tuple[float, float]:
    counts = (f(standardised, paired) for f in (repetitions_to_detect, repetitions_to_match))
    first, second = (math.nan if n is None else float(n) for n in counts)
    return first, second


def _larger(a: float, b: float) -> float:
    return math.nan if math.isnan(a) or math.isnan(b) else max(a, b)


def _upper(sd: float, df: int) -> float:
    """Return the upper one-sided 80 % limit of a standard deviation."""
    from scipy.special import chdtri

    return sd * math.sqrt(df / float(chdtri(df, _UPPER)))
