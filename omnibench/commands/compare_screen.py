"""The screen of `compare`: a row a comparison, a line a metric, the conclusion in one sentence."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from omnibench.report.comparisons import metric_names
from omnibench.report.words import number, probability
from omnibench.stats.details import Detail, improvement
from omnibench.stats.exact_tests import wilcoxon
from omnibench.stats.pair import Comparison
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.units import undecoded
from omnibench.task import POINTS
from omnibench.terminal import columns

Rows = list[dict[str, Any]]

_EQUIVALENT = {True: "shown", False: "not shown", None: "-"}
_ANEW = "new images and runs"


@dataclass(frozen=True)
class Screen:
    """Prints how backbones a and b compare.

    Attributes:
        rows, sums: as in the JSON.
        details, anew: of each row; `anew` the hierarchical bootstrap's.
        words: of each sum.
        units: "definition/name" -> what the values of a metric are in.
        margin: of equivalence, in points; None where it was not asked for.
    """

    a: str
    b: str
    rows: Rows
    sums: Rows
    details: Sequence[Detail]
    anew: Sequence[Answer | RefusedError]
    words: Sequence[str]
    units: Mapping[str, str]
    margin: float | None

    def lines(self) -> Iterator[str]:
        """Yield the screen from top to bottom."""
        names = metric_names((row["definition"], row["metric"]) for row in self.rows)
        labels = [names[row["definition"], row["metric"]] for row in self.rows]
        yield columns([self._row(k, label) for k, label in enumerate(labels)], self._header())
        if self._any_anew:
            yield (
                f"'{_ANEW}': 95 % interval of the difference by the hierarchical bootstrap over "
                "cases and repetitions, not corrected"
            )
        for row, label in zip(self.rows, labels, strict=True):
            if row["test"] == "none":
                yield f"not tested: {row['dataset']}, {row['adaptation']}, {label}: {row['note']}"
        for row, words in zip(self.sums, self.words, strict=True):
            unit = self._unit(row)
            yield (
                f"{row['adaptation']}, {names[row['definition'], row['metric']]}: {self.a} is "
                f"ahead on {row['wins']} and behind on {row['losses']} of {row['datasets']} "
                f"datasets, {_number(row['mean_difference'], unit)} {unit} on average; {words}"
            )
        yield conclusion(self.a, self.b, self.details, self.margin)

    @property
    def _any_anew(self) -> bool:
        return any(isinstance(result, Answer) for result in self.anew)

    def _header(self) -> tuple[str, ...]:
        first = ("task", "dataset", "adaptation", "metric", "n", self.a, self.b, "difference")
        further = ("low", "high", "unit", "test", "p", "p (Holm)", "Hedges g", "P(better)")
        anew = [_ANEW] * self._any_anew
        return (*first, *further, *anew, *["equivalent"] * (self.margin is not None))

    def _row(self, index: int, label: str) -> tuple[str, ...]:
        row, detail, anew = self.rows[index], self.details[index], self.anew[index]
        unit = self._unit(row)
        values = ("mean_a", "mean_b", "difference", "low", "high")
        return (
            *(row["task"], row["dataset"], row["adaptation"], label),
            f"{row['n_a']}/{row['n_b']}",
            *(_number(row[key], unit) for key in values),
            *(unit, row["test"], _p(row["p"]), _p(row["p_corrected"]), _effect(detail)),
            "-" if detail.chance is None else f"{detail.chance:.2f}",
            *[_interval(anew, unit)] * self._any_anew,
            *[_EQUIVALENT[detail.equivalent]] * (self.margin is not None),
        )

    def _unit(self, row: Mapping[str, Any]) -> str:
        return self.units.get(undecoded((row["definition"], row["metric"])), POINTS)


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else number(value, unit)


def _interval(result: Answer | RefusedError, unit: str) -> str:
    if isinstance(result, RefusedError):
        return "-"
    return f"[{number(result.low, unit)}, {number(result.high, unit)}]"


def _effect(detail: Detail) -> str:
    g = detail.effect
    return "-" if g is None else f"{g.g:.2f} [{g.low:.2f}, {g.high:.2f}]"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"


def improvement_words(
    a: str, b: str, values: pd.DataFrame, rows: Sequence[Comparison], lower_is_better: bool
) -> str:
    """Say how likely a run of a beats one of b, or why that is not told.

    Args:
        values: the long table.
        rows: comparisons of one metric and adaptation.
    """
    try:
        chance = improvement(values, rows, lower_is_better)
    except RefusedError as reason:
        return f"probability of improvement not told: {reason}"
    return (
        f"a run of {a} beats one of {b} with probability {chance.value:.2f} "
        f"[{chance.low:.2f}, {chance.high:.2f}] over {chance.datasets} datasets"
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
    counts = Counter(detail.verdict for detail in details)
    tested = counts.total() - counts["untested"]
    if not tested:
        return f"Conclusion: none of {counts.total()} comparisons of {a} with {b} could be tested."
    parts = [f"better in {counts['better']}", f"worse in {counts['worse']}"]
    if margin is not None:
        parts.append(f"equivalent within {margin:g} points in {counts['equivalent']}")
    text = f"Conclusion: {_verdict(a, b, counts, tested)}: {a} is {', '.join(parts)} and "
    text += f"undecided in {counts['open']} of {tested} comparisons (5 % level, differences "
    text += "corrected, equivalence not)" if margin is not None else "corrected)"
    return text + (f"; {counts['untested']} could not be tested." if counts["untested"] else ".")


def _verdict(a: str, b: str, counts: Counter[str], tested: int) -> str:
    if counts["better"] and counts["worse"]:
        return f"neither of {a} and {b} is better throughout"
    if counts["better"] or counts["worse"]:
        first, second = (a, b) if counts["better"] else (b, a)
        everywhere = counts["better"] + counts["worse"] == tested
        return f"{first} is better than {second}{'' if everywhere else ' in part'}"
    if counts["equivalent"] == tested:
        return f"{a} matches {b}"
    return f"these records do not tell {a} and {b} apart"
