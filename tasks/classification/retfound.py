"""The metrics that RETFound's code reports (Zhou et al. 2025, arXiv:2509.03421).

Each is of scikit-learn's function on one-hot classes [N, C]: the mean over all C classes of what
their columns give, a class that neither occurs nor is predicted counting 0. `score` chooses epochs.
"""

from collections.abc import Mapping

import numpy as np

from omnibench.stats.rates import (
    accuracy,
    cohen_kappa,
    confusion,
    f1_scores,
    mean_auc,
    mean_average_precision,
    ratio,
    softmax,
)
from omnibench.task import Predictions, metrics_of_pass

NAMES = (
    "auroc",
    "auprc",
    "accuracy",
    "f1",
    "kappa",
    "hamming",
    "jaccard",
    "precision",
    "recall",
    "score",
)


def retfound(predictions: Predictions) -> Mapping[str, float | None]:
    """Return all of `NAMES`; {} of multi-label.

    AUROC, AUPRC and score are None where a class occurs in no case or in all of them, kappa and
    score where all cases are of one class and are predicted as it.
    """
    logits, labels = predictions["test_logits"], predictions["test_labels"]
    if labels.ndim == 2:
        return {}
    classes = logits.shape[1]
    counts = confusion(labels, logits.argmax(axis=1), classes)
    hits, real, predicted = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    truth, scores = labels[:, None] == np.arange(classes), softmax(logits)
    if classes == 2:
        # The logit difference ranks as the probability does, and does not saturate.
        difference = logits[:, 1].astype(np.float64) - logits[:, 0]
        scores = np.stack([-difference, difference], axis=1)
    area, kappa = mean_auc(truth, scores), cohen_kappa(counts)
    f1 = float(f1_scores(hits, real + predicted).mean())
    right = accuracy(counts)
    return {
        "auroc": area,
        "auprc": None if area is None else mean_average_precision(truth, scores),
        "accuracy": right,
        "f1": f1,
        "kappa": kappa,
        # A wrong case differs in two of its C columns.
        "hamming": 2 * (1 - right) / classes,
        "jaccard": float(ratio(hits, real + predicted - hits).mean()),
        "precision": float(ratio(hits, predicted).mean()),
        "recall": float(ratio(hits, real).mean()),
        "score": None if area is None or kappa is None else (f1 + area + kappa) / 3,
    }


METRICS = metrics_of_pass("retfound", NAMES, retfound, down=("hamming",))
