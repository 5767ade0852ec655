"""Test two models on the same test cases: DeLong (AUC), McNemar (accuracy), paired t (means)."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import placements
from omnibench.stats.result import (
    CONFIDENCE,
    NO_SPREAD,
    SMALLEST_P,
    Answer,
    Floats,
    RefusedError,
    refuse_floor,
)
from omnibench.stats.t_tests import t_tails


def compare_aucs(
    a: tuple[float, Floats], b: tuple[float, Floats], cluster: NDArray[np.intp]
) -> Answer:
    """Test the difference of two mean AUCs on the same cases.

    Each model's AUC is the unweighted mean over its repetitions and over the K one-vs-rest columns
    (K = 1 for a binary task, the labels of a multi-label one). It is a linear contrast of
    correlated AUCs, so the test is exactly DeLong's with that contrast.

    Assumes independent patients (cases where they are unknown) and so many that the AUC is about
    normal.

    Args:
        a, b: what `auc_influence` returns of each model.
        cluster: [N] index of the case's patient; 0 .. N-1 where every case stands alone.

    Raises:
        RefusedError: the variance is zero.

    Source:
        DeLong, DeLong & Clarke-Pearson 1988, eq. 5-6; by patient: Obuchowski 1997, eq. 5-7.
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


def auc_influence(
    scores: Floats, truth: NDArray[np.bool_], cluster: NDArray[np.intp]
) -> tuple[float, Floats]:
    """Return a model's mean AUC and the influence [N] of each case on it.

    Summed within clusters, the influences' sum of squares (or of products, between two models) is
    the variance (covariance) of the AUC.

    Args:
        scores: [R, N, K].
        truth: [N, K], whether the case is a positive of the column.
        cluster: as in `compare_aucs`.

    Raises:
        RefusedError: a column lacks positives or negatives, or has them from one patient alone.
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


_FEW = 25  # discordant cases below which the binomial itself is used


def mcnemar(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], cluster: NDArray[np.intp]
) -> Answer:
    """Test the difference of accuracies of one decision a case by the cases where a or b errs.

    Assumes independent cases, one model of each kind. Fewer than 25 discordant cases: exact
    binomial; more: chi-square with the continuity correction.

    Args:
        right_a, right_b: [N], whether the case was decided rightly.
        cluster: [N] index of the case's patient; must be one case a patient.

    Returns:
        difference: accuracy a - accuracy b; interval: Bonett and Price's adjusted Wald, another
        method than the test's, so that near .05 one may decide where the other does not.

    Raises:
        RefusedError: not the same cases, several of one patient, or so few discordant ones that no
            p < .05 exists (fewer than six).

    Source:
        McNemar 1947; Edwards 1948; interval: Bonett & Price 2012, eq. 8.
    """
    if right_a.shape != right_b.shape or right_a.ndim != 1:
        raise RefusedError("the two models were not tested on the same cases, so are not paired")
    if len(np.unique(cluster)) < len(cluster):
        raise RefusedError(
            "McNemar's test takes cases as independent and these share patients; use the paired "
            "bootstrap by patient"
        )
    only_a = int(np.count_nonzero(right_a & ~right_b))
    only_b = int(np.count_nonzero(right_b & ~right_a))
    discordant, cases = only_a + only_b, len(right_a)
    if discordant == 0:
        raise RefusedError("both models are right on the same cases, so p is undefined")
    refuse_floor(0.5 ** (discordant - 1), f"McNemar's test of {discordant} discordant cases")
    share_a, share_b = (only_a + 1) / (cases + 2), (only_b + 1) / (cases + 2)
    spread = (share_a + share_b - (share_a - share_b) ** 2) / (cases + 2)
    margin = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(spread)
    exact = discordant < _FEW
    return Answer(
        "McNemar (exact)" if exact else "McNemar (chi-square)",
        (only_a - only_b) / cases,
        max(-1.0, share_a - share_b - margin),
        min(1.0, share_a - share_b + margin),
        _binomial(only_a, discordant) if exact else _chi_square(only_a, only_b),
    )


def _binomial(successes: int, trials: int) -> float:
    smaller = min(successes, trials - successes)
    arrangements = 2 * sum(math.comb(trials, k) for k in range(smaller + 1))
    return min(1.0, arrangements * 0.5**trials)


def _chi_square(only_a: int, only_b: int) -> float:
    """Return the upper tail of chi-square(1) at (|b - c| - 1)^2 / (b + c)."""
    corrected = max(0, abs(only_a - only_b) - 1)
    return max(math.erfc(corrected / math.sqrt(2 * (only_a + only_b))), SMALLEST_P)


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
