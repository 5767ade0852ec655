"""Formulas of classification, in one place: probabilities, F1, kappa, AUC, ECE and Brier score.

Rates are fractions of 1. "Scores" rank cases; the higher, the more a case is a positive.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import Floats

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Reals = NDArray[np.floating[Any]]

BINS = 15  # of the confidence


def softmax(logits: Reals) -> Floats:
    """Return the probabilities of logits [..., C] over their last axis, in float64."""
    wide = np.asarray(logits, np.float64)
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def confusion(
    labels: Ints,
    predicted: NDArray[np.integer[Any]],
    classes: int,
    weights: Floats | None = None,
) -> NDArray[Any]:
    """Return how many cases are of each class and predicted as each: [C, C], rows the truth.

    Args:
        weights: [N] by which cases count; whole numbers of cases where they all count alike.
    """
    cells = np.bincount(labels * classes + predicted, weights, minlength=classes * classes)
    return cells.reshape(classes, classes)


def accuracy(counts: NDArray[Any]) -> float:
    """Return the share of cases predicted right, from `confusion`."""
    return float(np.trace(counts) / counts.sum())


def balanced_accuracy(counts: NDArray[Any]) -> float:
    """Return the mean recall over the classes that occur (scikit-learn's), from `confusion`."""
    support = counts.sum(axis=1)
    present = support > 0
    return float(np.mean(np.diag(counts)[present] / support[present]))


def macro_f1(counts: NDArray[Any]) -> float:
    """Return the mean F1 over the classes that occur or are predicted, from `confusion`."""
    sizes = counts.sum(axis=0) + counts.sum(axis=1)
    return float(np.mean(f1_scores(np.diag(counts), sizes)[sizes > 0]))


def quadratic_kappa(counts: Ints) -> float | None:
    """Return Cohen's kappa with the squared distance of classes as weights, from `confusion`.

    It is of classes in an order. None where all cases are of one class and are predicted as it.

    Source:
        Cohen 1968, Weighted kappa, Psychological Bulletin 70.
    """
    places = np.arange(len(counts))
    return _kappa(counts, np.subtract.outer(places, places) ** 2)


def cohen_kappa(counts: Ints) -> float | None:
    """Return Cohen's kappa, from `confusion`; None where all cases are of one class for both.

    Source:
        Cohen 1960, Educational and Psychological Measurement 20.
    """
    return _kappa(counts, 1 - np.eye(len(counts), dtype=np.int64))


def _kappa(counts: Ints, distance: Ints) -> float | None:
    """Return one less the distance of two ratings over that expected by chance."""
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    by_chance = float((distance * expected).sum())
    return 1 - float((distance * counts).sum()) / by_chance if by_chance else None


def f1_scores(hits: NDArray[Any], sizes: NDArray[Any]) -> Floats:
    """Return 2 hits / sizes; 0 of a class that neither occurs nor is predicted.

    Args:
        hits: cases of each class predicted as such.
        sizes: cases of each class, and cases predicted as it, added up.
    """
    return ratio(2 * hits, sizes)


def binary_auc(positive: Bools, scores: Reals, weights: Floats | None = None) -> float | None:
    """Return the area under the ROC curve, ties counted half; None with one class alone.

    Args:
        positive, scores: [N].
        weights: [N] by which cases count, a pair by the product of its two; None for all alike.

    Source:
        Mann & Whitney 1947, by ranks; `placements` have the same mean.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    if weights is not None:
        lower = np.bincount(inverse, np.where(positive, 0, weights), minlength=len(counts))
        below = (np.cumsum(lower) - lower / 2)[inverse]
        whole = weights[positive].sum() * weights[~positive].sum()
        return float((weights * below)[positive].sum() / whole)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    statistic = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(statistic / (positives * negatives))


def mean_auc(truth: Bools, scores: Reals, weights: Floats | None = None) -> float | None:
    """Return the mean AUC of the columns of [N, C]; None where a column has one class alone."""
    areas = [binary_auc(truth[:, c], scores[:, c], weights) for c in range(truth.shape[1])]
    defined = [area for area in areas if area is not None]
    return float(np.mean(defined)) if len(defined) == len(areas) else None


def average_precision(positive: Bools, scores: Reals) -> float | None:
    """Return the area under the precision-recall curve by steps; None without a positive.

    The sum over the distinct scores, the highest first, of the precision there times the recall
    that it adds: scikit-learn's `average_precision_score`.

    Args:
        positive, scores: [N].
    """
    positives = int(positive.sum())
    if positives == 0:
        return None
    _, inverse, counts = np.unique(-scores, return_inverse=True, return_counts=True)
    hits = np.bincount(inverse, positive, minlength=len(counts))
    precision = np.cumsum(hits) / np.cumsum(counts)
    return float((precision * hits).sum() / positives)


def mean_average_precision(truth: Bools, scores: Reals) -> float | None:
    """Return the mean average precision of the columns of [N, C]; None where one is undefined."""
    areas = [average_precision(truth[:, c], scores[:, c]) for c in range(truth.shape[1])]
    defined = [area for area in areas if area is not None]
    return float(np.mean(defined)) if len(defined) == len(areas) else None


def placements(positive: Floats, negative: Floats) -> tuple[Floats, Floats]:
    """Return the placement values V10 [m] and V01 [n] of DeLong 1988, ties counting one half.

    V10: the share of negatives below each positive; V01: the share of positives above each
    negative. The mean of either is the AUC.
    """
    return _share_below(positive, negative), 1 - _share_below(negative, positive)


def confidence_bins(confidence: Floats) -> NDArray[np.int64]:
    """Return which of `BINS` equally wide bins (a, b] each confidence falls into: [N]."""
    return np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)


def expected_calibration_error(
    confidence: Floats, correct: Bools, weights: Floats | None = None
) -> float:
    """Return the ECE: the gap of confidence and accuracy in each bin, weighted by its cases.

    Args:
        confidence: [N] largest probability of each case.
        correct: [N] whether it is the right class's.
        weights: [N] by which cases count; None for all alike.

    Source:
        Guo et al. 2017, On calibration of modern neural networks, eq. 3.
    """
    gaps, whole = confidence - correct, float(len(confidence))
    if weights is not None:
        gaps, whole = weights * gaps, float(weights.sum())
    gap = np.bincount(confidence_bins(confidence), gaps, minlength=BINS)
    return float(np.abs(gap).sum() / whole)


def squared_errors(truth: NDArray[Any], probabilities: Floats) -> Floats:
    """Return each case's squared error summed over classes (Brier 1950), 0..2: [..., N].

    Args:
        truth: [N, C] one-hot classes; probabilities: [..., N, C].
    """
    errors: Floats = ((probabilities - truth) ** 2).sum(axis=-1)
    return errors


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Return part / whole of counts or weights, 0 where whole is (and so part)."""
    ratios: Floats = np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
    return ratios


def _share_below(x: Floats, reference: Floats) -> Floats:
    ordered = np.sort(reference)
    below, up_to = np.searchsorted(ordered, x, "left"), np.searchsorted(ordered, x, "right")
    shares: Floats = (below + up_to) / (2 * len(ordered))
    return shares
