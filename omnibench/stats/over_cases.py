"""Case-level tests of two units, by definition and metric."""

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from omnibench.stats.bootstrap import bootstrap_means
from omnibench.stats.cases import Cases, refuse_other_cases
from omnibench.stats.over_logits import compare_logits
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.units import Score

Found = dict[Score, Answer | RefusedError]


def compare_cases(a: Cases, b: Cases, scores: Collection[Score]) -> Found:
    """Test a against b over test cases, by patient where patients are known.

    Each model's metric is its mean over repetitions. A mean over cases: paired bootstrap; what
    follows from logits: see `over_logits`.

    Args:
        scores: those wanted; what has no case-level test is left out of the answer.

    Raises:
        RefusedError: the two were not tested on the same cases.
    """
    refuse_other_cases(a, b, "the two models")
    found = _over_values(a, b, [s for s in scores if s in a.values and s in b.values])
    if a.logits is not None and b.logits is not None:
        others = [score for score in scores if score not in found]
        by_name = compare_logits(a, b, {metric for _, metric in others})
        found |= {score: by_name[score[1]] for score in others if score[1] in by_name}
    how = ("" if a.groups is None else " by patient") + _averaged(a.repetitions, b.repetitions)
    return {
        score: replace(one, test=one.test + how) if isinstance(one, Answer) else one
        for score, one in found.items()
    }


def _over_values(a: Cases, b: Cases, scores: Collection[Score]) -> Found:
    found: Found = {}
    differences = {}
    for score in scores:
        d = a.values[score].mean(axis=0) - b.values[score].mean(axis=0)
        undefined = int(np.count_nonzero(~np.isfinite(d)))
        if undefined:
            found[score] = RefusedError(f"{score[1]} is undefined in {undefined} test cases")
        else:
            differences[score] = d
    if differences:
        answers = bootstrap_means(np.column_stack([*differences.values()]), a.cluster)
        found |= dict(zip(differences, answers, strict=True))
    return found


def _averaged(n_a: int, n_b: int) -> str:
    if n_a != n_b:
        return f" (means of {n_a} and {n_b} repetitions)"
    return f" (mean of {n_a} repetitions)" if n_a > 1 else ""
