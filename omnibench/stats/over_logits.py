"""Tests over cases of the metrics that follow from logits: which test answers for which."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.bootstrap import bootstrap_counts
from omnibench.stats.counts import MULTI_LABEL, SINGLE_LABEL
from omnibench.stats.delong import delong
from omnibench.stats.logits import Logits
from omnibench.stats.mcnemar import mcnemar
from omnibench.stats.mean import paired_mean
from omnibench.stats.result import Answer, RefusedError

# The metrics that have a test here.
FROM_LOGITS = frozenset({"auc", "brier", *SINGLE_LABEL, *MULTI_LABEL})

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def compare_logits(
    a: Logits, b: Logits, cluster: Ints, metrics: Collection[str]
) -> dict[str, Answer | RefusedError]:
    """Test a against b; each model's metric is its mean over repetitions.

    AUC: DeLong; Brier score: paired t over cases; accuracy of one decision a case: McNemar; other
    accuracies, balanced accuracy and macro-F1: paired bootstrap.

    Args:
        cluster: [N] index of each case's patient; 0 .. N-1 where every case stands alone.
        metrics: those wanted; what has no test here is left out of the answer.
    """
    known = MULTI_LABEL if a.multi_label else SINGLE_LABEL
    counted = {name: known[name] for name in sorted(metrics) if name in known}
    found: dict[str, Answer | RefusedError] = {}
    if "accuracy" in counted and _decided_once(a, b, cluster):
        del counted["accuracy"]
        found["accuracy"] = _mcnemar(a, b, cluster)
    if counted:
        found |= bootstrap_counts(a.truth, a.decisions, b.decisions, cluster, counted)
    if "auc" in metrics:
        found["auc"] = _auc(a, b, cluster)
    if "brier" in metrics and not a.multi_label:
        found["brier"] = _brier(a, b, cluster)
    return found


def _decided_once(a: Logits, b: Logits, cluster: Ints) -> bool:
    """Whether McNemar's table exists: one repetition each, one class a case, no shared patients."""
    alone = len(np.unique(cluster)) == len(cluster)
    return alone and not a.multi_label and len(a.values) == len(b.values) == 1


def _mcnemar(a: Logits, b: Logits, cluster: Ints) -> Answer | RefusedError:
    right_a, right_b = (one.values[0].argmax(axis=1) == one.labels for one in (a, b))
    try:
        return mcnemar(right_a, right_b, cluster)
    except RefusedError as reason:
        return reason


def _auc(a: Logits, b: Logits, cluster: Ints) -> Answer | RefusedError:
    truth = a.truth
    absent = np.flatnonzero(~truth.any(axis=0)).tolist()
    if absent:
        return RefusedError(f"the AUC is undefined: no test case is of class {absent}")
    if not a.multi_label and truth.shape[1] == 2:
        truth = truth[:, 1:]
    try:
        return delong(_scores(a), _scores(b), truth, cluster)
    except RefusedError as reason:
        return reason


def _scores(logits: Logits) -> Floats:
    """What ranks the cases, [R, N, K]: of two classes one column, which cannot saturate."""
    if logits.multi_label:
        return logits.values.astype(np.float64)
    if logits.values.shape[2] == 2:
        return np.diff(logits.values.astype(np.float64), axis=2)
    return logits.probabilities


def _brier(a: Logits, b: Logits, cluster: Ints) -> Answer | RefusedError:
    try:
        return paired_mean(squared_errors(a).mean(axis=0), squared_errors(b).mean(axis=0), cluster)
    except RefusedError as reason:
        return reason


def squared_errors(logits: Logits) -> Floats:
    """Return each case's squared error summed over classes, in each repetition: [R, N]."""
    errors: Floats = ((logits.probabilities - logits.truth) ** 2).sum(axis=2)
    return errors
