"""What classification metrics are for a guess that looks at no image, in closed form. No torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.task import Chance, Predictions

Ints = NDArray[np.integer[Any]]
EQUAL_SCORES = "the same score for every case"
FREQUENT = "always the most frequent class"
UNIFORM = "classes drawn with equal chances"
COIN = "a coin for each label"


def omnirad_classification(predictions: Predictions) -> Mapping[str, Chance]:
    """Return what a guess scores in macro-F1, accuracy and AUC; no macro-F1 where a class lacks."""
    labels = predictions["test_labels"]
    if labels.ndim == 2:
        return _multi_label(labels)
    classes = predictions["test_logits"].shape[1]
    sizes = np.bincount(labels, minlength=classes)
    chances = {"accuracy": Chance(float(sizes.max() / sizes.sum()), FREQUENT)}
    if (sizes > 0).all():
        chances["macro-f1"] = Chance(_expected_f1(sizes, len(labels), 1 / classes), UNIFORM)
        chances["auc"] = Chance(0.5, EQUAL_SCORES)
    return chances


def omnibench_classification(predictions: Predictions) -> Mapping[str, Chance]:
    """Return what a guess scores in balanced accuracy, Brier score and kappa; {} of multi-label."""
    if predictions["test_labels"].ndim == 2:
        return {}
    classes = predictions["test_logits"].shape[1]
    return {
        "balanced-accuracy": Chance(1 / classes, UNIFORM),
        "brier": Chance(1 - 1 / classes, "the same probability for every class"),
        "quadratic-kappa": Chance(0.0, UNIFORM),
    }


def _multi_label(labels: Ints) -> Mapping[str, Chance]:
    shares = labels.mean(axis=0)
    best = float(np.maximum(shares, 1 - shares).mean())
    chances = {
        "accuracy": Chance(best, "the more frequent answer to each label"),
        "macro-f1": Chance(_expected_f1(labels.sum(axis=0), len(labels), 0.5), COIN),
    }
    both = (shares > 0) & (shares < 1)
    areas = {f"auc-{k}": Chance(0.5, EQUAL_SCORES) for k in np.flatnonzero(both).tolist()}
    if both.all():
        areas["auc"] = Chance(0.5, EQUAL_SCORES)
    return chances | areas


def _expected_f1(sizes: Ints, cases: int, share: float) -> float:
    """Return the mean over classes of the expected F1 where each case is drawn as it by `share`.

    Of the s cases drawn as a class of size n, s n / N are expected to be of it, and s is binomial:
    E[F1] = sum over s of P(s) 2 s n / N / (n + s).
    """
    from scipy.stats import binom

    drawn = np.arange(1, cases + 1)
    chances = binom.pmf(drawn, cases, share)
    # F1 is 0 of a class that nobody is of; one size is computed once.
    f1 = {
        n: float((chances * 2 * drawn * n / cases / (n + drawn)).sum()) for n in set(sizes.tolist())
    }
    return float(np.mean([f1[n] for n in sizes.tolist()]))
