"""Classification metrics from stored predictions, in numpy. Rates are fractions of 1.

Predictions hold `test_logits` [N, C] and `test_labels`: [N] class indices for single-label
datasets, [N, L] zeros and ones for multi-label ones (then C = L).
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Predictions, metrics_of_pass

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
ECE_BINS = 15


def softmax(logits: NDArray[np.floating]) -> Floats:
    """Probabilities [N, C] of logits [N, C], in float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    probabilities: Floats = shifted / shifted.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid(logits: NDArray[np.floating]) -> Floats:
    """Probabilities [N, L] of multi-label logits [N, L], in float64."""
    probabilities: Floats = 0.5 * (1.0 + np.tanh(0.5 * np.asarray(logits, np.float64)))
    return probabilities


def confusion(labels: Labels, predicted: Labels, classes: int) -> NDArray[np.int64]:
    """Counts [C, C]: row the true class, column the predicted one."""
    cells = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes)


def accuracy(counts: NDArray[np.int64]) -> float:
    """Share of right predictions."""
    return float(np.trace(counts) / counts.sum())


def balanced_accuracy(counts: NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur in truth (scikit-learn's)."""
    support = counts.sum(axis=1)
    present = support > 0
    return float(np.mean(np.diag(counts)[present] / support[present]))


def macro_f1(counts: NDArray[np.int64]) -> float:
    """Mean F1 over the classes that occur in truth or prediction (scikit-learn's default)."""
    sizes = counts.sum(axis=0) + counts.sum(axis=1)
    present = sizes > 0
    return float(np.mean(2 * np.diag(counts)[present] / sizes[present]))


def binary_auc(positive: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Area under the ROC curve, ties counted half (Mann-Whitney); None with one class alone."""
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    statistic = ranks[positive].sum() - positives * (positives + 1) / 2
    return float(statistic / (positives * negatives))


def mean_auc(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> float | None:
    """Unweighted mean of the columns' AUCs, [N, C] each; None where a column has one class."""
    areas = [binary_auc(truth[:, c], scores[:, c]) for c in range(truth.shape[1])]
    defined = [area for area in areas if area is not None]
    return float(np.mean(defined)) if len(defined) == len(areas) else None


def expected_calibration_error(
    confidence: Floats, correct: NDArray[np.bool_], bins: int = ECE_BINS
) -> float:
    """ECE of Guo et al. 2017 (eq. 3): equal-width bins (a, b] of the confidence, weighted."""
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gap = np.bincount(index, confidence - correct, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def brier_score(truth: Floats, probabilities: Floats) -> float:
    """Mean over cases of the squared error summed over classes (Brier 1950), 0..2."""
    return float(np.mean(np.sum((probabilities - truth) ** 2, axis=1)))


def omnirad_classification(predictions: Predictions) -> Mapping[str, float | None]:
    """Accuracy, macro-F1 and AUC as the OmniRad study names them.

    AUC of two classes is that of the positive column, else the unweighted mean of one-vs-rest.
    Multi-label (MedMNIST's convention): accuracy over all N x L decisions at 0.5, macro-F1 the
    mean of the labels' F1, AUC the mean of the labels' AUCs, each also under `auc-LABEL`.
    """
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    if labels.ndim == 2:
        return _multi_label(logits, labels)
    probabilities = softmax(logits)
    classes = logits.shape[1]
    counts = confusion(labels, logits.argmax(axis=1), classes)
    if classes == 2:
        # The logit difference ranks as the probability does, and does not saturate.
        area = binary_auc(labels == 1, logits[:, 1].astype(np.float64) - logits[:, 0])
    else:
        area = mean_auc(labels[:, None] == np.arange(classes), probabilities)
    return {"macro-f1": macro_f1(counts), "accuracy": accuracy(counts), "auc": area}


def omnirad_classification_4dp(predictions: Predictions) -> Mapping[str, float | None]:
    """The same rounded to four decimals, as the study's code does in each run."""
    exact = omnirad_classification(predictions)
    return {name: None if value is None else round(value, 4) for name, value in exact.items()}


def omnibench_classification(predictions: Predictions) -> Mapping[str, float | None]:
    """Balanced accuracy, calibration error (15 bins) and Brier score; single-label only."""
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    if labels.ndim == 2:
        return {}
    probabilities = softmax(logits)
    predicted = probabilities.argmax(axis=1)
    counts = confusion(labels, logits.argmax(axis=1), logits.shape[1])
    truth = (labels[:, None] == np.arange(logits.shape[1])).astype(np.float64)
    return {
        "balanced-accuracy": balanced_accuracy(counts),
        "ece": expected_calibration_error(probabilities.max(axis=1), predicted == labels),
        "brier": brier_score(truth, probabilities),
    }


def _multi_label(
    logits: NDArray[np.floating], labels: NDArray[np.int64]
) -> Mapping[str, float | None]:
    truth = labels.astype(bool)
    predicted = logits > 0
    hits = (truth & predicted).sum(axis=0)
    sizes = truth.sum(axis=0) + predicted.sum(axis=0)
    f1 = np.divide(2.0 * hits, sizes, out=np.zeros(len(hits)), where=sizes > 0)
    areas = {f"auc-{c}": binary_auc(truth[:, c], logits[:, c]) for c in range(truth.shape[1])}
    return {
        "macro-f1": float(f1.mean()),
        "accuracy": float((truth == predicted).mean()),
        "auc": mean_auc(truth, logits),
        **areas,
    }


SHOWN = ("macro-f1", "accuracy", "auc")
METRICS = (
    *metrics_of_pass(
        "omnirad-classification", (*SHOWN, "auc-*"), omnirad_classification, reported=SHOWN
    ),
    *metrics_of_pass("omnirad-classification-4dp", (*SHOWN, "auc-*"), omnirad_classification_4dp),
    *metrics_of_pass(
        "omnibench-classification",
        ("balanced-accuracy", "ece", "brier"),
        omnibench_classification,
        down=("ece", "brier"),
    ),
)
