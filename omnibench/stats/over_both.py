"""Tests over cases and repetitions together of two units' stored predictions."""

from collections.abc import Collection

from omnibench.stats.bootstrap import Floats, Ints
from omnibench.stats.cases import Cases, refuse_other_cases
from omnibench.stats.hierarchical import hierarchical_counts, hierarchical_means
from omnibench.stats.logits import Logits
from omnibench.stats.over_cases import Found
from omnibench.stats.rates import MULTI_LABEL, SINGLE_LABEL
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.units import Score


def compare_both(a: Cases, b: Cases, scores: Collection[Score], paired: bool) -> Found:
    """Test a against b on new cases and with new runs, by patient where patients are known.

    Answers for means over cases, the Brier score and what follows from counts of decisions
    (accuracy, balanced accuracy, macro-F1); see `hierarchical` for how and what is assumed.

    Args:
        scores: those wanted; what has no such test is left out of the answer.
        paired: whether repetition k of a and of b share their seeds.

    Raises:
        RefusedError: the two were not tested on the same cases.
    """
    refuse_other_cases(a, b, "the two models")
    found = {
        score: _means(a.values[score], b.values[score], a.cluster, paired)
        for score in scores
        if score in a.values and score in b.values
    }
    if a.logits is not None and b.logits is not None:
        others = [score for score in scores if score not in found]
        metrics = {metric for _, metric in others}
        by_name = _of_logits(a.logits, b.logits, a.cluster, metrics, paired)
        found |= {score: by_name[score[1]] for score in others if score[1] in by_name}
    return found


def _means(a: Floats, b: Floats, cluster: Ints, paired: bool) -> Answer | RefusedError:
    try:
        return hierarchical_means(a, b, cluster, paired)
    except RefusedError as reason:
        return reason


def _of_logits(
    a: Logits, b: Logits, cluster: Ints, metrics: Collection[str], paired: bool
) -> dict[str, Answer | RefusedError]:
    known = MULTI_LABEL if a.multi_label else SINGLE_LABEL
    counted = {name: known[name] for name in sorted(metrics) if name in known}
    found: dict[str, Answer | RefusedError] = {}
    if counted:
        try:
            found |= hierarchical_counts(
                a.truth, a.decisions, b.decisions, cluster, counted, paired
            )
        except RefusedError as reason:
            found |= dict.fromkeys(counted, reason)
    if "brier" in metrics and not a.multi_label:
        found["brier"] = _means(a.squared_errors, b.squared_errors, cluster, paired)
    return found
