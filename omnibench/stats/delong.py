"""DeLong's test for differences of AUCs: over repetitions, classes and, where known, patients."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import placements
from omnibench.stats.result import CONFIDENCE, NO_SPREAD, SMALLEST_P, Answer, RefusedError

Floats = NDArray[np.float64]


def delong(a: Floats, b: Floats, truth: NDArray[np.bool_], cluster: NDArray[np.intp]) -> Answer:
    """Test the difference of two mean AUCs on the same cases.

    Each model's AUC is the unweighted mean over its repetitions and over the K one-vs-rest columns
    (K = 1 for a binary task, the labels of a multi-label one). It is a linear contrast of
    correlated AUCs, so the test is exactly DeLong's with that contrast.

    Assumes independent patients (cases where they are unknown) and so many that the AUC is about
    normal.

    Args:
        a: [R_a, N, K] scores; b: [R_b, N, K] scores.
        truth: [N, K], whether the case is a positive of the column.
        cluster: [N] index of the case's patient; 0 .. N-1 where every case stands alone.

    Raises:
        RefusedError: a column lacks positives or negatives, or the variance is zero.

    Source:
        DeLong, DeLong & Clarke-Pearson 1988, eq. 5-6; by patient: Obuchowski 1997, eq. 5-7.
    """
    return compare_aucs(mean_auc(a, truth, cluster), mean_auc(b, truth, cluster), cluster)


def compare_aucs(
    a: tuple[float, Floats], b: tuple[float, Floats], cluster: NDArray[np.intp]
) -> Answer:
    """Test the difference of two `mean_auc`s, as `delong` does.

    Raises:
        RefusedError: the variance is zero.
    """
    (auc_a, influence_a), (auc_b, influence_b) = a, b
    difference = auc_a - auc_b
    error = math.sqrt(float(np.sum(np.bincount(cluster, influence_a - influence_b) ** 2)))
    if error <= NO_SPREAD:
        raise RefusedError("the two AUCs have no variance over cases, so p is undefined")
    p = math.erfc(abs(difference) / error / math.sqrt(2))
    margin = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error
    return Answer(
        "DeLong", difference, difference - margin, difference + margin, max(p, SMALLEST_P)
    )


def mean_auc(
    scores: Floats, truth: NDArray[np.bool_], cluster: NDArray[np.intp]
) -> tuple[float, Floats]:
    """Return the mean AUC of [R, N, K] scores and the influence [N] of each case on it.

    Summed within clusters, the influences' sum of squares (or of products, between two models) is
    the variance (covariance) of the AUC.
    """
    repetitions, cases, columns = scores.shape
    total, influence = 0.0, np.zeros(cases)
    for k in range(columns):
        positive, negative = np.flatnonzero(truth[:, k]), np.flatnonzero(~truth[:, k])
        scale_positive = _scale(cluster[positive], f"positive cases of column {k}")
        scale_negative = _scale(cluster[negative], f"negative cases of column {k}")
        for r in range(repetitions):
            of_positive, of_negative = placements(scores[r, positive, k], scores[r, negative, k])
            auc = float(of_positive.mean())
            total += auc
            influence[positive] += (of_positive - auc) * scale_positive
            influence[negative] += (of_negative - auc) * scale_negative
    return total / (repetitions * columns), influence / (repetitions * columns)


def _scale(cluster: NDArray[np.intp], which: str) -> float:
    """Return what turns a deviation into an influence: 1 / m with the small-sample factor.

    With I clusters of m cases it is sqrt(I / (I - 1)) / m, so that alone-standing cases give the
    denominator m (m - 1) of DeLong's sample variance. Obuchowski's cross term of positives and
    negatives then carries the geometric mean of their factors.
    """
    cases, clusters = len(cluster), len(np.unique(cluster))
    if cases == 0:
        raise RefusedError(f"the AUC is undefined: there are no {which} among the test cases")
    if clusters < 2:
        raise RefusedError(
            f"the AUC's variance is undefined: the {which} come from one case or patient"
        )
    return math.sqrt(clusters / (clusters - 1)) / cases
