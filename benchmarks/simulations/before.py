"""Tests that decided earlier, of accuracy: bootstraps over cases, and over cases and runs."""

import math

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import Floats
from omnibench.stats.t_tests import t_tails

RESAMPLES = {"over cases": 1000, "hierarchical bootstrap": 400}


def over_cases(a: Floats, b: Floats, cluster: NDArray[np.intp], resamples: int) -> float:
    """Return the p of the percentile bootstrap by patient of a difference of means over runs.

    Args:
        a, b: [R, N] whether each run decides each case rightly; cluster: [N] its patient.

    Source:
        Efron & Tibshirani 1993, chapters 13 and 15; by patient: Field & Welsh 2007.
    """
    sums, sizes = _sums(a.mean(axis=0) - b.mean(axis=0), cluster)
    drawn = _weights(len(sizes), resamples)
    means = (drawn @ sums) / (drawn @ sizes)
    tail = int(min((means <= 0).sum(), (means >= 0).sum()))
    return min(1.0, 2 * (tail + 1) / (resamples + 1))


def hierarchical(a: Floats, b: Floats, cluster: NDArray[np.intp], resamples: int) -> float:
    """Return the p of the bootstrap of patients crossed with runs, R - 1 of R runs drawn.

    Its standard error has t(df), df by Satterthwaite over runs and patients.

    Source:
        Owen 2007, The pigeonhole bootstrap; R - 1: McCarthy & Snowden 1985.
    """
    rng = np.random.default_rng(1)
    _, sizes = _sums(np.ones(len(cluster)), cluster)
    patients = _weights(len(sizes), resamples)
    total = np.zeros(resamples)
    runs = []
    for sign, values in ((1, a), (-1, b)):
        n = len(values)
        sums = np.stack([_sums(each, cluster)[0] for each in values])
        means = (patients @ sums.T) / (patients @ sizes)[:, None]
        drawn = rng.multinomial(n - 1, np.full(n, 1 / n), size=resamples) / (n - 1)
        total += sign * (means * drawn).sum(axis=1)
        runs.append((float(values.mean(axis=1).var(ddof=1)) / n, n - 1))
    of_runs = sum(part for part, _ in runs)
    of_cases = max(0.0, float(total.var(ddof=1)) - of_runs)
    variance = of_cases + of_runs
    if variance <= 0:
        return math.nan
    degrees = of_cases**2 / (len(sizes) - 1) + sum(part**2 / df for part, df in runs)
    return t_tails(float(a.mean() - b.mean()), math.sqrt(variance), variance**2 / degrees)[0]


def _sums(values: Floats, cluster: NDArray[np.intp]) -> tuple[Floats, Floats]:
    sums, sizes = np.bincount(cluster, values), np.bincount(cluster)
    return sums.astype(np.float64), sizes.astype(np.float64)


def _weights(units: int, resamples: int) -> Floats:
    """Return how often each unit is drawn in each resample: [resamples, units]."""
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=resamples)
    return drawn.astype(np.float64)
