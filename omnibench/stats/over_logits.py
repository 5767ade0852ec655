"""Tests over cases of the metrics that follow from logits: which test answers for which."""

import functools
from collections.abc import Mapping
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.bootstrap import compare_resampled, resampled_scores
from omnibench.stats.cases import Cases
from omnibench.stats.delong import compare_aucs, mean_auc
from omnibench.stats.logits import Logits
from omnibench.stats.mcnemar import mcnemar
from omnibench.stats.mean import paired_mean
from omnibench.stats.rates import MULTI_LABEL, SINGLE_LABEL, Metric
from omnibench.stats.result import Answer, RefusedError

# The metrics that have a test here.
FROM_LOGITS = frozenset({"auc", "brier", *SINGLE_LABEL, *MULTI_LABEL})

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def compare_logits(
    a: Cases, b: Cases, metrics: AbstractSet[str]
) -> dict[str, Answer | RefusedError]:
    """Test a against b, which have logits; each model's metric is its mean over repetitions.

    AUC: DeLong; Brier score: paired t over cases; accuracy of one decision a case: McNemar; other
    accuracies, balanced accuracy and macro-F1: paired bootstrap.

    Args:
        a, b: of the same cases.
        metrics: those wanted; what has no test here is left out of the answer.
    """
    assert a.logits is not None and b.logits is not None
    of_a, of_b, cluster = a.logits, b.logits, a.cluster
    counted = sorted(metrics & _known(of_a).keys())
    found: dict[str, Answer | RefusedError] = {}
    if "accuracy" in counted and _decided_once(of_a, of_b, cluster):
        counted.remove("accuracy")
        found["accuracy"] = _mcnemar(of_a, of_b, cluster)
    if counted:
        found |= compare_resampled(_resampled(a, tuple(counted)), _resampled(b, tuple(counted)))
    if "auc" in metrics:
        found["auc"] = _auc(a, b, cluster)
    if "brier" in metrics and not of_a.multi_label:
        found["brier"] = _brier(of_a, of_b, cluster)
    return found


def _known(logits: Logits) -> Mapping[str, Metric]:
    return MULTI_LABEL if logits.multi_label else SINGLE_LABEL


@functools.lru_cache(maxsize=2)  # the two of a pair; a shared baseline stays
def _resampled(cases: Cases, metrics: tuple[str, ...]) -> dict[str, Floats]:
    assert cases.logits is not None
    known = _known(cases.logits)
    wanted = {name: known[name] for name in metrics}
    return resampled_scores(cases.logits.truth, cases.logits.decisions, cases.cluster, wanted)


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


def _auc(a: Cases, b: Cases, cluster: Ints) -> Answer | RefusedError:
    try:
        return compare_aucs(_mean_auc(a), _mean_auc(b), cluster)
    except RefusedError as reason:
        return reason


@functools.lru_cache(maxsize=2)  # as above
def _mean_auc(cases: Cases) -> tuple[float, Floats]:
    assert cases.logits is not None
    truth = cases.logits.truth
    absent = np.flatnonzero(~truth.any(axis=0)).tolist()
    if absent:
        raise RefusedError(f"the AUC is undefined: no test case is of class {absent}")
    if not cases.logits.multi_label and truth.shape[1] == 2:
        truth = truth[:, 1:]
    return mean_auc(_scores(cases.logits), truth, cases.cluster)


def _scores(logits: Logits) -> Floats:
    """What ranks the cases, [R, N, K]: of two classes one column, which cannot saturate."""
    if logits.multi_label:
        return logits.values.astype(np.float64)
    if logits.values.shape[2] == 2:
        return np.diff(logits.values.astype(np.float64), axis=2)
    return logits.probabilities


def _brier(a: Logits, b: Logits, cluster: Ints) -> Answer | RefusedError:
    try:
        return paired_mean(a.squared_errors.mean(axis=0), b.squared_errors.mean(axis=0), cluster)
    except RefusedError as reason:
        return reason
