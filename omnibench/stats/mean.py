"""Paired test of a metric that is a mean over test cases, such as the Brier score."""

import math

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import NO_SPREAD, Answer, RefusedError
from omnibench.stats.seeds import t_tails

Floats = NDArray[np.float64]


def paired_mean(a: Floats, b: Floats, cluster: NDArray[np.intp]) -> Answer:
    """Test the mean difference of two models' values of the same cases.

    Assumes independent patients, and so many that their mean is about normal.

    Args:
        a, b: [N] values of each case.
        cluster: [N] index of the case's patient; 0 .. N-1 where every case stands alone (then
            this is the paired t test).

    Returns:
        Interval t(G - 1) of G patients, from the cluster-robust variance of a mean.

    Raises:
        RefusedError: fewer than two patients, or the differences do not vary.

    Source:
        Liang & Zeger 1986, the sandwich variance with the factor G / (G - 1).
    """
    d = a - b
    mean = float(d.mean())
    sums = np.bincount(cluster, d - mean)
    groups = len(np.unique(cluster))
    if groups < 2:
        raise RefusedError("all test cases are of one patient, so p is undefined")
    error = math.sqrt(float(np.sum(sums**2)) * groups / (groups - 1)) / len(d)
    if error <= NO_SPREAD:
        raise RefusedError("the difference is the same in every test case, so p is undefined")
    p, margin = t_tails(mean, error, groups - 1)
    return Answer("paired t over cases", mean, mean - margin, mean + margin, p)
