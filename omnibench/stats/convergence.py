"""How soon a training gets where it is to get: times to a target, censored where it never does."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from omnibench.stats.result import CONFIDENCE, NO_SPREAD, Floats, RefusedError


class Reached(NamedTuple):
    """What was spent until a target was reached, or, where it never was, in all.

    Attributes:
        event: whether it was reached; else `amount` is where the time is censored.
    """

    amount: float
    event: bool


class SpeedUp(NamedTuple):
    """How many times less one model spends than another until both are at the target.

    Attributes:
        value: geometric mean over the pairs.
        low, high: 95 % interval; NaN where there is none.
        pairs: repetitions of both that it is made of.
        bound: ">" where it is at least `value`, as the slower one did not always get there, "<"
            where it is at most that; "" where it is the value itself.
    """

    value: float
    low: float
    high: float
    pairs: int
    bound: Literal["", "<", ">"]


def running_best(values: Floats, falling: bool) -> Floats:
    """Return the best value up to each evaluation, [E]; NaN until one is known.

    Args:
        values: [E] of the evaluations in order, NaN where unknown.
        falling: whether less is better.
    """
    best: Floats = (np.fmin if falling else np.fmax).accumulate(values)
    return best


def time_to(target: float, best: Floats, amounts: Floats, falling: bool) -> Reached:
    """Return what was spent at the first evaluation whose running best is at the target.

    Args:
        best: [E] as of `running_best`; amounts: [E] what was spent until each evaluation.
    """
    there = np.flatnonzero(best <= target if falling else best >= target)
    if len(there):
        return Reached(float(amounts[there[0]]), True)
    return Reached(float(amounts[-1]), False)


def area(best: Floats, epochs: Floats) -> float:
    """Return the mean over the epochs of the running best (AUVC), by trapezoids; NaN without any.

    What it is before the first evaluation that is known is taken for what that says, so that a
    constant course has its constant for a mean.

    Args:
        best: [E] as of `running_best`; epochs: [E] passes over the training images, rising.
    """
    known = np.isfinite(best)
    if not known.any():
        return math.nan
    heights = np.concatenate([best[known][:1], best[known]])
    return float(np.trapezoid(heights, np.concatenate([[0.0], epochs[known]])) / epochs[known][-1])


def survival(times: Sequence[Reached]) -> tuple[Floats, Floats]:
    """Return when the target was reached, [T] rising, and the share beyond each of it, [T].

    Kaplan and Meier 1958; what is censored at a time was still on its way then.
    """
    amounts = np.array([time.amount for time in times])
    events = np.array([time.event for time in times])
    at = np.unique(amounts[events])
    shares = [1 - np.sum(events & (amounts == t)) / np.sum(amounts >= t) for t in at]
    return at, np.cumprod(shares)


def median_time(times: Sequence[Reached]) -> float | None:
    """Return the median time to the target by Kaplan-Meier; None where it is beyond what was run.

    Where the curve is exactly a half for a while, it is the middle of that while, as of numbers
    without censoring; None if it stays so.
    """
    at, share = survival(times)
    below = np.flatnonzero(share < 0.5 - NO_SPREAD)
    if not len(below):
        return None
    half = np.flatnonzero(np.abs(share - 0.5) <= NO_SPREAD)
    first = half[0] if len(half) else below[0]
    return float(at[first] + at[below[0]]) / 2


def speed_up(own: Sequence[Reached], others: Sequence[Reached]) -> SpeedUp:
    """Return the geometric mean of the others' time over one's own, over paired repetitions.

    Its interval is the t interval of the mean logarithm; there is none of one pair, of pairs that
    all agree, and of a bound. A time that is censored counts as where it is censored.

    Args:
        own, others: [n] of repetitions that share their seeds.

    Raises:
        RefusedError: there is no pair, in more than half of them a model did not get there, or
            now the one and now the other did not, so that not even a bound is known.
    """
    pairs = list(zip(own, others, strict=True))
    if not pairs:
        raise RefusedError("no repetitions are paired")
    slower = sum(a.event and not b.event for a, b in pairs)
    faster = sum(b.event and not a.event for a, b in pairs)
    neither = sum(not (a.event or b.event) for a, b in pairs)
    if 2 * (slower + faster + neither) > len(pairs):
        raise RefusedError("more than half of the pairs did not reach the target")
    if neither or (slower and faster):
        raise RefusedError("pairs that did not reach the target leave no bound")
    logs = np.log([b.amount / a.amount for a, b in pairs])
    mean, low, high = float(logs.mean()), math.nan, math.nan
    bound: Literal["", "<", ">"] = ">" if slower else "<" if faster else ""
    spread = float(logs.std(ddof=1)) if len(logs) > 1 else 0.0
    if not bound and spread > NO_SPREAD:
        from scipy.special import stdtrit  # a whole scipy.stats costs seconds to import

        half = float(stdtrit(len(logs) - 1, (1 + CONFIDENCE) / 2)) * spread / len(logs) ** 0.5
        low, high = math.exp(mean - half), math.exp(mean + half)
    return SpeedUp(math.exp(mean), low, high, len(pairs), bound)
