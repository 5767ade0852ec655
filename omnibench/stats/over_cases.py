"""Test two units over their test cases, or over cases and repetitions, by definition and metric."""

import functools
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace

import numpy as np

from omnibench.stats.bootstrap import (
    Ints,
    bootstrap_means,
    compare_resampled,
    hierarchical_counts,
    hierarchical_means,
    resampled_scores,
)
from omnibench.stats.case_tests import auc_influence, compare_aucs, mcnemar, paired_mean
from omnibench.stats.cases import Cases, Logits, refuse_other_cases
from omnibench.stats.rates import MULTI_LABEL, SINGLE_LABEL, Metric
from omnibench.stats.result import Answer, Floats, RefusedError
from omnibench.stats.units import Score

Outcome = Answer | RefusedError


def compare_cases(a: Cases, b: Cases, scores: Collection[Score]) -> dict[Score, Outcome]:
    """Test a against b over test cases, by patient where patients are known.

    Each model's metric is its mean over repetitions. A mean over cases: paired bootstrap. What
    follows from logits: AUC by DeLong; Brier score by the paired t over cases; accuracy of one
    decision a case by McNemar; other accuracies, balanced accuracy and macro-F1 by the paired
    bootstrap.

    Args:
        scores: those wanted; what has no case-level test is left out of the answer.

    Raises:
        RefusedError: the two were not tested on the same cases.
    """
    refuse_other_cases(a, b, "the two models")
    outcomes = _over_values(a, b, [s for s in scores if s in a.values and s in b.values])
    if a.logits is not None and b.logits is not None:
        others = [score for score in scores if score not in outcomes]
        by_name = _over_logits(a, b, {metric for _, metric in others})
        outcomes |= {score: by_name[score[1]] for score in others if score[1] in by_name}
    how = ("" if a.groups is None else " by patient") + _averaged(a.repetitions, b.repetitions)
    return {
        score: replace(outcome, test=outcome.test + how) if isinstance(outcome, Answer) else outcome
        for score, outcome in outcomes.items()
    }


def compare_both(
    a: Cases, b: Cases, scores: Collection[Score], paired: bool
) -> dict[Score, Outcome]:
    """Test a against b on new cases and with new runs, by patient where patients are known.

    Answers for means over cases, the Brier score and what follows from counts of decisions
    (accuracy, balanced accuracy, macro-F1), by the hierarchical bootstrap.

    Args:
        scores: those wanted; what has no such test is left out of the answer.
        paired: whether repetition k of a and of b share their seeds.

    Raises:
        RefusedError: the two were not tested on the same cases.
    """
    refuse_other_cases(a, b, "the two models")

    def over_means(of_a: Floats, of_b: Floats) -> Outcome:
        return _outcome(lambda: hierarchical_means(of_a, of_b, a.cluster, paired))

    outcomes = {
        score: over_means(a.values[score], b.values[score])
        for score in scores
        if score in a.values and score in b.values
    }
    if a.logits is not None and b.logits is not None:
        others = [score for score in scores if score not in outcomes]
        metrics = {metric for _, metric in others}
        by_name = _decisions_of_both(a.logits, b.logits, a.cluster, metrics, paired)
        if "brier" in metrics and not a.logits.multi_label:
            by_name["brier"] = over_means(a.logits.squared_errors, b.logits.squared_errors)
        outcomes |= {score: by_name[score[1]] for score in others if score[1] in by_name}
    return outcomes


def _outcome(test: Callable[[], Outcome]) -> Outcome:
    """Return the test's answer, or its refusal instead of raising it."""
    try:
        return test()
    except RefusedError as reason:
        return reason


def _over_values(a: Cases, b: Cases, scores: Collection[Score]) -> dict[Score, Outcome]:
    outcomes: dict[Score, Outcome] = {}
    differences = {}
    for score in scores:
        d = a.values[score].mean(axis=0) - b.values[score].mean(axis=0)
        undefined = int(np.count_nonzero(~np.isfinite(d)))
        if undefined:
            outcomes[score] = RefusedError(f"{score[1]} is undefined in {undefined} test cases")
        else:
            differences[score] = d
    if differences:
        answers = bootstrap_means(np.column_stack([*differences.values()]), a.cluster)
        outcomes |= dict(zip(differences, answers, strict=True))
    return outcomes


def _averaged(n_a: int, n_b: int) -> str:
    if n_a != n_b:
        return f" (means of {n_a} and {n_b} repetitions)"
    return f" (mean of {n_a} repetitions)" if n_a > 1 else ""


def _over_logits(a: Cases, b: Cases, metrics: AbstractSet[str]) -> dict[str, Outcome]:
    """Test the metrics that follow from logits, which both have."""
    assert a.logits is not None and b.logits is not None
    of_a, of_b, cluster = a.logits, b.logits, a.cluster
    counted = sorted(metrics & _counted(of_a).keys())
    outcomes: dict[str, Outcome] = {}
    if "accuracy" in counted and _decided_once(of_a, of_b, cluster):
        counted.remove("accuracy")
        right = [logits.values[0].argmax(axis=1) == logits.labels for logits in (of_a, of_b)]
        outcomes["accuracy"] = _outcome(lambda: mcnemar(right[0], right[1], cluster))
    if counted:
        outcomes |= compare_resampled(_resampled(a, tuple(counted)), _resampled(b, tuple(counted)))
    if "auc" in metrics:
        outcomes["auc"] = _outcome(
            lambda: compare_aucs(_auc_influence(a), _auc_influence(b), cluster)
        )
    if "brier" in metrics and not of_a.multi_label:
        errors = [logits.squared_errors.mean(axis=0) for logits in (of_a, of_b)]
        outcomes["brier"] = _outcome(lambda: paired_mean(errors[0], errors[1], cluster))
    return outcomes


def _counted(logits: Logits) -> Mapping[str, Metric]:
    return MULTI_LABEL if logits.multi_label else SINGLE_LABEL


@functools.lru_cache(maxsize=2)  # the two of a pair; a shared baseline stays
def _resampled(cases: Cases, metrics: tuple[str, ...]) -> dict[str, Floats]:
    assert cases.logits is not None
    known = _counted(cases.logits)
    wanted = {name: known[name] for name in metrics}
    return resampled_scores(cases.logits.truth, cases.logits.decisions, cases.cluster, wanted)


def _decided_once(a: Logits, b: Logits, cluster: Ints) -> bool:
    """Tell whether McNemar's table exists: one repetition each, one class a case and patient."""
    alone = len(np.unique(cluster)) == len(cluster)
    return alone and not a.multi_label and len(a.values) == len(b.values) == 1


@functools.lru_cache(maxsize=2)  # as above
def _auc_influence(cases: Cases) -> tuple[float, Floats]:
    assert cases.logits is not None
    truth = cases.logits.truth
    absent = np.flatnonzero(~truth.any(axis=0)).tolist()
    if absent:
        raise RefusedError(f"the AUC is undefined: no test case is of class {absent}")
    if not cases.logits.multi_label and truth.shape[1] == 2:
        truth = truth[:, 1:]
    return auc_influence(_ranking(cases.logits), truth, cases.cluster)


def _ranking(logits: Logits) -> Floats:
    """Return what ranks the cases, [R, N, K]: of two classes one column, which cannot saturate."""
    if logits.multi_label:
        return logits.values.astype(np.float64)
    if logits.values.shape[2] == 2:
        return np.diff(logits.values.astype(np.float64), axis=2)
    return logits.probabilities


def _decisions_of_both(
    a: Logits, b: Logits, cluster: Ints, metrics: Collection[str], paired: bool
) -> dict[str, Outcome]:
    known = _counted(a)
    counted = {name: known[name] for name in sorted(metrics) if name in known}
    if not counted:
        return {}
    try:
        return hierarchical_counts(a.truth, a.decisions, b.decisions, cluster, counted, paired)
    except RefusedError as reason:
        return dict.fromkeys(counted, reason)
