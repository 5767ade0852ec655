"""Metrics of classification from stored predictions, by the formulas of `stats.rates`.

Predictions hold `test_logits` [N, C] and `test_labels`: [N] class indices for single-label
datasets, [N, L] zeros and ones for multi-label ones (then C = L). Where they hold `test_weight`
[N], cases count by it.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from omnibench.mixing import WEIGHT
from omnibench.stats.rates import (
    accuracy,
    balanced_accuracy,
    binary_auc,
    confusion,
    expected_calibration_error,
    f1_scores,
    macro_f1,
    mean_auc,
    quadratic_kappa,
    softmax,
    squared_errors,
)
from omnibench.task import Metric, Predictions, metrics_of_pass

from . import chance, operating_points, retfound, routing, selective

GOOD_AUC = 0.9


def omnirad_classification(predictions: Predictions) -> Mapping[str, float | None]:
    """Return accuracy, macro-F1 and AUC as the OmniRad study names them.

    AUC of two classes is that of the positive column, else the unweighted mean of one-vs-rest.
    Multi-label (MedMNIST's convention): accuracy over all N x L decisions at 0.5, macro-F1 the
    mean of the labels' F1, AUC the mean of the labels' AUCs, each also under `auc-LABEL`.
    """
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    weights = predictions.get(WEIGHT)
    if labels.ndim == 2:
        return _multi_label(logits, labels, weights)
    probabilities = softmax(logits)
    classes = logits.shape[1]
    counts = confusion(labels, logits.argmax(axis=1), classes, weights)
    if classes == 2:
        # The logit difference ranks as the probability does, and does not saturate.
        area = binary_auc(labels == 1, logits[:, 1].astype(np.float64) - logits[:, 0], weights)
    else:
        area = mean_auc(labels[:, None] == np.arange(classes), probabilities, weights)
    return {"macro-f1": macro_f1(counts), "accuracy": accuracy(counts), "auc": area}


def omnirad_classification_4dp(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the same rounded to four decimals, as the study's code does in each run."""
    exact = omnirad_classification(predictions)
    return {name: None if value is None else round(value, 4) for name, value in exact.items()}


def omnibench_classification(predictions: Predictions) -> Mapping[str, float | None]:
    """Return balanced accuracy, calibration error (15 bins), Brier score and quadratic kappa.

    Kappa is of classes in an order, such as grades. {} of multi-label.
    """
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    if labels.ndim == 2:
        return {}
    probabilities = softmax(logits)
    predicted, weights = probabilities.argmax(axis=1), predictions.get(WEIGHT)
    counts = confusion(labels, logits.argmax(axis=1), logits.shape[1], weights)
    truth = (labels[:, None] == np.arange(logits.shape[1])).astype(np.float64)
    return {
        "balanced-accuracy": balanced_accuracy(counts),
        "ece": expected_calibration_error(probabilities.max(axis=1), predicted == labels, weights),
        "brier": float(np.average(squared_errors(truth, probabilities), weights=weights)),
        "quadratic-kappa": quadratic_kappa(counts),
    }


def _multi_label(
    logits: NDArray[np.floating], labels: NDArray[np.int64], weights: NDArray[np.float64] | None
) -> Mapping[str, float | None]:
    truth = labels.astype(bool)
    predicted = logits > 0
    each = np.ones(len(labels), np.int64) if weights is None else weights
    hits = each @ (truth & predicted)
    sizes = each @ truth + each @ predicted
    areas = {
        f"auc-{c}": binary_auc(truth[:, c], logits[:, c], weights) for c in range(truth.shape[1])
    }
    return {
        "macro-f1": float(f1_scores(hits, sizes).mean()),
        "accuracy": float(np.average((truth == predicted).mean(axis=1), weights=weights)),
        "auc": mean_auc(truth, logits, weights),
        **areas,
    }


def multi_label(predictions: Predictions) -> Mapping[str, float | None]:
    """Return on how many of several labels the AUC is at least .90; {} of a single-label dataset.

    None where the AUC of one is undefined.
    """
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    if labels.ndim == 1:
        return {}
    weights, truth = predictions.get(WEIGHT), labels.astype(bool)
    areas = [binary_auc(truth[:, c], logits[:, c], weights) for c in range(truth.shape[1])]
    defined = [area for area in areas if area is not None]
    count = sum(area >= GOOD_AUC for area in defined)
    return {"auc-at-least-90": float(count) if len(defined) == len(areas) else None}


SHOWN = ("macro-f1", "accuracy", "auc")
METRICS = (
    *metrics_of_pass(
        "omnirad-classification",
        (*SHOWN, "auc-*"),
        omnirad_classification,
        reported=SHOWN,
        chance=chance.omnirad_classification,
        weighted=True,
    ),
    *metrics_of_pass("omnirad-classification-4dp", (*SHOWN, "auc-*"), omnirad_classification_4dp),
    *metrics_of_pass(
        "omnibench-classification",
        ("balanced-accuracy", "ece", "brier", "quadratic-kappa"),
        omnibench_classification,
        down=("ece", "brier"),
        chance=chance.omnibench_classification,
        weighted=True,
    ),
    Metric("multi-label/auc-at-least-90", multi_label, unit="findings", weighted=True),
    *operating_points.METRICS,
    *retfound.METRICS,
    *routing.METRICS,
    *selective.METRICS,
)
