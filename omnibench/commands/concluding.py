"""The words under a comparison: each metric over datasets, and the conclusion in one sentence."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from omnibench.report.words import probability
from omnibench.stats.details import Detail, improvement
from omnibench.stats.exact_tests import wilcoxon
from omnibench.stats.pair import Comparison
from omnibench.stats.result import RefusedError


def improvement_words(
    a: str, b: str, values: pd.DataFrame, rows: Sequence[Comparison], lower_is_better: bool
) -> str:
    """Say how likely a run of a beats one of b, or why that is not told.

    Args:
        values: the long table.
        rows: comparisons of one metric and adaptation.
    """
    try:
        found = improvement(values, rows, lower_is_better)
    except RefusedError as reason:
        return f"probability of improvement not told: {reason}"
    return (
        f"a run of {a} beats one of {b} with probability {found.value:.2f} "
        f"[{found.low:.2f}, {found.high:.2f}] over {found.datasets} datasets"
    )


def over_datasets_words(rows: Iterable[Comparison]) -> str:
    """Say what Wilcoxon's test over datasets finds, or why it cannot; "" of one dataset.

    Args:
        rows: comparisons of one metric and adaptation.
    """
    differences = {row.dataset: row.difference for row in rows if not math.isnan(row.difference)}
    names = [*differences]
    if len(names) < 2:
        return ""
    try:
        p = wilcoxon(np.array([*differences.values()]), np.zeros(len(names)), names, names).p
    except RefusedError as reason:
        return f"over datasets: {reason}"
    return f"over datasets Wilcoxon p {probability(p)}"


def conclusion(a: str, b: str, details: Iterable[Detail], margin: float | None) -> str:
    """Return one plain sentence on all comparisons of a with b, none left out.

    Args:
        margin: in points; None where equivalence was not asked for.
    """
    found = Counter(detail.verdict for detail in details)
    tested = found.total() - found["untested"]
    if not tested:
        return f"Conclusion: none of {found.total()} comparisons of {a} with {b} could be tested."
    counts = [f"better in {found['better']}", f"worse in {found['worse']}"]
    if margin is not None:
        counts.append(f"equivalent within {margin:g} points in {found['equivalent']}")
    text = f"Conclusion: {_verdict(a, b, found, tested)}: {a} is {', '.join(counts)} and "
    text += f"undecided in {found['open']} of {tested} comparisons (5 % level, differences "
    text += "corrected, equivalence not)" if margin is not None else "corrected)"
    return text + (f"; {found['untested']} could not be tested." if found["untested"] else ".")


def _verdict(a: str, b: str, found: Counter[str], tested: int) -> str:
    if found["better"] and found["worse"]:
        return f"neither of {a} and {b} is better throughout"
    if found["better"] or found["worse"]:
        first, second = (a, b) if found["better"] else (b, a)
        everywhere = found["better"] + found["worse"] == tested
        return f"{first} is better than {second}{'' if everywhere else ' in part'}"
    if found["equivalent"] == tested:
        return f"{a} matches {b}"
    return f"these records do not tell {a} and {b} apart"
