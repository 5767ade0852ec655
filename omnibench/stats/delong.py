"""The area under the ROC curve and how much each case moves it, as DeLong has it."""

import math

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import placements
from omnibench.stats.result import Floats, RefusedError


def auc_influence(
    scores: Floats, truth: NDArray[np.bool_], cluster: NDArray[np.intp]
) -> tuple[float, Floats]:
    """Return a model's mean AUC and the influence [N] of each case on it.

    Summed within clusters, the influences' sum of squares (or of products, between two models) is
    the variance (covariance) of the AUC.

    Args:
        scores: [R, N, K].
        truth: [N, K], whether the case is a positive of the column.
        cluster: [N] index of the case's patient; 0 .. N-1 where every case stands alone.

    Raises:
        RefusedError: a column lacks positives or negatives, or has them from one patient alone.

    Source:
        DeLong, DeLong & Clarke-Pearson 1988, eq. 5-6; by patient: Obuchowski 1997, eq. 5-7. The
        mean over columns and repetitions is a linear contrast of correlated areas.
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
    cases, clusters = len(cluster), np.count_nonzero(np.bincount(cluster))
    if cases == 0:
        raise RefusedError(f"the AUC is undefined: there are no {which} among the test cases")
    if clusters < 2:
        raise RefusedError(
            f"the AUC's variance is undefined: the {which} come from one case or patient"
        )
    return math.sqrt(clusters / (clusters - 1)) / cases
