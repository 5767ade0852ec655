"""Metrics of decisions as functions of counts, so that resampled cases need only be counted."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Counts over the cases of each of B resamples, for the M models' decisions on K classes.

    In a multi-label task the classes are the labels, and a case counts in each that it shows.

    Attributes:
        cases: [B] number of cases.
        truth: [K, B] cases of each class.
        predicted: [M, K, B] cases predicted as each class.
        hits: [M, K, B] cases of each class predicted as such.
    """

    cases: Floats
    truth: Floats
    predicted: Floats
    hits: Floats


Metric = Callable[[Counts], Floats]  # -> [M, B], as fractions


def accuracy(counts: Counts) -> Floats:
    """Return the share of cases predicted right."""
    shares: Floats = counts.hits.sum(axis=1) / counts.cases
    return shares


def balanced_accuracy(counts: Counts) -> Floats:
    """Return the mean recall over the classes that occur (scikit-learn's)."""
    present = counts.truth > 0
    recalls: Floats = _ratio(counts.hits, counts.truth).sum(axis=1) / present.sum(axis=0)
    return recalls


def macro_f1(counts: Counts) -> Floats:
    """Return the mean F1 over the classes that occur or are predicted (scikit-learn's)."""
    present = counts.truth + counts.predicted > 0
    f1: Floats = _f1(counts).sum(axis=1) / present.sum(axis=1)
    return f1


def decision_accuracy(counts: Counts) -> Floats:
    """Return the share of right decisions over all cases and labels (MedMNIST's)."""
    wrong = counts.truth + counts.predicted - 2 * counts.hits
    shares: Floats = (1 - wrong / counts.cases).mean(axis=1)
    return shares


def label_f1(counts: Counts) -> Floats:
    """Return the mean F1 over labels, 0 for one neither shown nor predicted (scikit-learn's)."""
    f1: Floats = _f1(counts).mean(axis=1)
    return f1


def _f1(counts: Counts) -> Floats:
    return _ratio(2 * counts.hits, counts.truth + counts.predicted)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Part / whole, 0 where whole is (and so part)."""
    ratios: Floats = part / np.maximum(whole, 1)
    return ratios


SINGLE_LABEL: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced-accuracy": balanced_accuracy,
    "macro-f1": macro_f1,
}
MULTI_LABEL: dict[str, Metric] = {"accuracy": decision_accuracy, "macro-f1": label_f1}
