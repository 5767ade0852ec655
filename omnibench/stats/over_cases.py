"""Case-level tests of two units: which test answers for which metric."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.bootstrap import paired_bootstrap
from omnibench.stats.cases import Cases, refuse_other_cases
from omnibench.stats.counts import MULTI_LABEL, SINGLE_LABEL
from omnibench.stats.delong import delong
from omnibench.stats.mean import paired_mean
from omnibench.stats.result import Answer, RefusedError

# The metrics that have a case-level test.
CASE_LEVEL = frozenset({"auc", "brier", *SINGLE_LABEL, *MULTI_LABEL})

Floats = NDArray[np.float64]


def compare_cases(a: Cases, b: Cases, metrics: Collection[str]) -> dict[str, Answer | RefusedError]:
    """Test a against b over test cases, by patient where patients are known.

    Each model's metric is its mean over repetitions. AUC: DeLong; Brier score: paired t over cases;
    accuracy, balanced accuracy and macro-F1: paired bootstrap.

    Args:
        metrics: those wanted; what has no case-level test is left out of the answer.

    Raises:
        RefusedError: the two were not tested on the same cases.
    """
    refuse_other_cases(a, b, "the two models")
    known = MULTI_LABEL if a.multi_label else SINGLE_LABEL
    counted = {name: known[name] for name in sorted(metrics) if name in known}
    found: dict[str, Answer | RefusedError] = {}
    if counted:
        found |= paired_bootstrap(a.truth, a.decisions, b.decisions, a.cluster, counted)
    if "auc" in metrics:
        found["auc"] = _auc(a, b)
    if "brier" in metrics and not a.multi_label:
        found["brier"] = _brier(a, b)
    how = ("" if a.groups is None else " by patient") + _averaged(len(a.logits), len(b.logits))
    return {
        name: replace(one, test=one.test + how) if isinstance(one, Answer) else one
        for name, one in found.items()
    }


def _auc(a: Cases, b: Cases) -> Answer | RefusedError:
    truth = a.truth
    absent = np.flatnonzero(~truth.any(axis=0)).tolist()
    if absent:
        return RefusedError(f"the AUC is undefined: no test case is of class {absent}")
    if not a.multi_label and truth.shape[1] == 2:
        truth = truth[:, 1:]
    try:
        return delong(_scores(a), _scores(b), truth, a.cluster)
    except RefusedError as reason:
        return reason


def _scores(cases: Cases) -> Floats:
    """What ranks the cases, [R, N, K]: of two classes one column, which cannot saturate."""
    if cases.multi_label:
        return cases.logits.astype(np.float64)
    if cases.logits.shape[2] == 2:
        return np.diff(cases.logits.astype(np.float64), axis=2)
    return cases.probabilities


def _brier(a: Cases, b: Cases) -> Answer | RefusedError:
    try:
        return paired_mean(_squared_error(a), _squared_error(b), a.cluster)
    except RefusedError as reason:
        return reason


def _squared_error(cases: Cases) -> Floats:
    """Each case's squared error summed over classes, mean over repetitions: [N]."""
    errors: Floats = ((cases.probabilities - cases.truth) ** 2).sum(axis=2).mean(axis=0)
    return errors


def _averaged(n_a: int, n_b: int) -> str:
    if n_a != n_b:
        return f" (means of {n_a} and {n_b} repetitions)"
    return f" (mean of {n_a} repetitions)" if n_a > 1 else ""
