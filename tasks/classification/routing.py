"""How experts share the test cases, from a stored `test_routing` [N, K], each row summing to 1.

They describe, and none is better for being larger. With weights g_i of expert i of K:

- `entropy`: the mean over cases of -sum_i g_i ln g_i, in nats, from 0, where each case has one
  expert, to ln K, where all have the same weight.
- `load-cv`: the experts' mean weights over all cases, their deviation over their mean 1 / K, from
  0, where all are used alike, to sqrt(K - 1), where one does everything.
- `mutual-information`: of the expert with the largest weight and each label (or the class), the
  mean over labels, in nats; 0 where the expert says nothing of the label.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr

from omnibench.stats.result import Floats
from omnibench.task import Metric, Predictions

ROUTING = "test_routing"


def routing(predictions: Predictions) -> Mapping[str, float | None]:
    """Return the three; {} of what routes nothing."""
    if ROUTING not in predictions:
        return {}
    weights, labels = predictions[ROUTING].astype(np.float64), predictions["test_labels"]
    load, chosen = weights.mean(axis=0), weights.argmax(axis=1)
    columns = labels.T if labels.ndim == 2 else labels[None]
    return {
        "entropy": float(entr(weights).sum(axis=1).mean()),
        "load-cv": float(load.std() / load.mean()),
        "mutual-information": float(np.mean([_information(chosen, own) for own in columns])),
    }


def _information(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Return the mutual information of two labellings of the same cases, in nats."""
    joint: Floats = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(joint, (first, second), 1 / len(first))
    return float(entr(joint.sum(0)).sum() + entr(joint.sum(1)).sum() - entr(joint).sum())


METRICS = (
    Metric("routing/entropy", routing, "nats", None, reported=False),
    Metric("routing/load-cv", routing, "of the mean", None, reported=False),
    Metric("routing/mutual-information", routing, "nats", None, reported=False),
)
