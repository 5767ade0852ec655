"""Confident learning: labels that out-of-sample predictions contradict."""

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import softmax

Labels = NDArray[np.int64]

NORMAL_95 = 1.6449  # quantile of the standard normal


def confident_labels(labels: Labels, probabilities: NDArray[np.floating]) -> Labels:
    """Return the class [N] that a model confidently gives each case; -1 where it gives none.

    A model is confident of a class where its probability is at least the mean of those that it
    gives the class in the cases labelled so; of several such classes the most probable counts.

    Args:
        labels: [N] class indices, as given.
        probabilities: [N, C], out of sample.

    Source:
        Northcutt, Jiang & Chuang 2021, equations 1 and 2: a case whose confident class is another
        one than its label is off the diagonal of the confident joint.
    """
    classes = probabilities.shape[1]
    thresholds = np.full(classes, np.inf)  # of a class without a case nobody is confident
    for value in np.unique(labels):
        thresholds[value] = probabilities[labels == value, value].mean()
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    best: Labels = confident.argmax(axis=1)
    return np.where(confident.max(axis=1) >= 0, best, -1)


def has_opinion(labels: Labels, logits: NDArray[np.floating]) -> bool:
    """Whether a model's balanced accuracy is significantly (one-sided .05) above guessing.

    A model that always says one class, or any by chance, has 1 / C of C classes on average.
    """
    values, counts = np.unique(labels, return_counts=True)
    right = logits.argmax(axis=1) == labels
    recalls = np.array([right[labels == value].mean() for value in values])
    guess = 1 / len(values)
    error = np.sqrt((guess * (1 - guess) / counts).sum()) / len(values)
    return bool(recalls.mean() > guess + NORMAL_95 * error)


def mean_probabilities(logits: list[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Return the mean of the softmax of several logits [N, C]."""
    mean: NDArray[np.float64] = np.mean([softmax(part) for part in logits], axis=0)
    return mean
