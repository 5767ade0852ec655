"""The screen of `compare`: a row a comparison, a line a metric, the conclusion in one sentence."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from omnibench.report.comparisons import metric_names
from omnibench.report.words import VERDICTS, counted, listed, number, probability, questions
from omnibench.stats.across import Overall
from omnibench.stats.deciding import NEW_RUNS
from omnibench.stats.details import Detail, improvement
from omnibench.stats.exact_tests import wilcoxon
from omnibench.stats.pair import HEAD_SEED, Comparison
from omnibench.stats.result import RefusedError
from omnibench.stats.units import undecoded
from omnibench.task import POINTS
from omnibench.terminal import columns

_EQUIVALENT = {True: "shown", False: "not shown", None: "-"}
# Verdicts on a, as seen from the one that is ahead.
_AHEAD = {"better": "is better than", "worse": "is worse than"}
_LEVEL = "Conclusion (new images and runs, 5 % level)"


@dataclass(frozen=True)
class Screen:
    """Prints how backbones a and b compare.

    Attributes:
        details: of each row, what its repetitions say.
        sums: on average over datasets; words: what is said of each group of rows beside it.
        units: "definition/name" -> what the values of a metric are in.
        family: whose p these are, as a sentence.
        margin: of equivalence, in points; None without one.
    """

    a: str
    b: str
    rows: Sequence[Comparison]
    sums: Sequence[Overall]
    details: Sequence[Detail]
    words: Sequence[str]
    units: Mapping[str, str]
    family: str
    margin: float | None

    def lines(self) -> Iterator[str]:
        """Yield the screen from top to bottom."""
        names = metric_names(row.score for row in self.rows)
        labels = [names[row.score] for row in self.rows]
        yield columns([self._row(k, label) for k, label in enumerate(labels)], self._header())
        tests = [row.test for row in self.rows if row.test != "none"]
        yield (
            f"difference, low (95 %), high, p and verdict: for {questions(tests or [NEW_RUNS])}; "
            "over runs, p (runs), Hedges g and P(better): on these test images alone, which "
            "decides nothing"
        )
        yield self.family
        for row, label in zip(self.rows, labels, strict=True):
            if row.test == "none":
                yield f"not tested: {row.dataset}, {row.adaptation}, {label}: {row.note}"
        for total, words in zip(self.sums, self.words, strict=True):
            if total.datasets > 1:
                yield "; ".join(filter(None, (self._sum(total, names[total.score]), words)))
        yield conclusion(self.a, self.b, self.rows, self.sums)

    def _header(self) -> tuple[str, ...]:
        first = ("task", "dataset", "adaptation", "metric", "n", self.a, self.b, "difference")
        deciding = ("low", "high", "unit", "p", "p (corrected)", "verdict")
        margin = ("equivalent",) * (self.margin is not None)
        return (*first, *deciding, *margin, "over runs", "p (runs)", "Hedges g", "P(better)")

    def _row(self, index: int, label: str) -> tuple[str, ...]:
        row, detail = self.rows[index], self.details[index]
        unit = self._unit(row)
        values = (row.mean_a, row.mean_b, row.difference, row.low, row.high)
        return (
            *(row.task, row.dataset, row.adaptation, label),
            f"{row.n_a}/{row.n_b}",
            *(_number(value, unit) for value in values),
            *(unit, _p(row.p), _p(row.p_corrected), row.verdict),
            *[_EQUIVALENT[row.equivalent]] * (self.margin is not None),
            *("-" if row.test_runs == "none" else row.test_runs, _p(row.p_runs), _effect(detail)),
            "-" if detail.chance is None else f"{detail.chance:.2f}",
        )

    def _sum(self, total: Overall, name: str) -> str:
        unit = self._unit(total)
        text = f"{total.adaptation}, {name}: "
        if total.wins is not None:
            text += (
                f"{self.a} is ahead on {total.wins} and behind on {total.losses} of "
                f"{total.datasets} datasets, "
            )
        text += f"{_number(total.mean_difference, unit)} {unit} on average"
        if math.isnan(total.p):
            return text
        text += f" [{_number(total.low, unit)}, {_number(total.high, unit)}], p {_p(total.p)}"
        if not math.isnan(total.p_corrected):
            text += f", corrected {_p(total.p_corrected)}: {total.verdict}"
        return text

    def _unit(self, row: Comparison | Overall) -> str:
        return self.units.get(undecoded(row.score), POINTS)


def _number(value: float, unit: str) -> str:
    return "-" if math.isnan(value) else number(value, unit)


def _effect(detail: Detail) -> str:
    g = detail.effect
    return "-" if g is None else f"{g.g:.2f} [{g.low:.2f}, {g.high:.2f}]"


def _p(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.4f}" if value >= 0.0001 else "<0.0001"


def improvement_words(
    a: str, b: str, values: pd.DataFrame, rows: Sequence[Comparison], lower_is_better: bool
) -> str:
    """Say how likely a run of a beats one of b on these test images, or why that is not told.

    Args:
        values: the long table.
        rows: comparisons of one metric and adaptation.
    """
    try:
        chance = improvement(values, rows, lower_is_better)
    except RefusedError as reason:
        return f"probability of improvement not told: {reason}"
    label = f" ({HEAD_SEED})" if any(HEAD_SEED in row.test_runs for row in rows) else ""
    return (
        f"on these test images a run of {a} beats one of {b}{label} with probability "
        f"{chance.value:.2f} [{chance.low:.2f}, {chance.high:.2f}] over "
        f"{counted(chance.datasets, 'dataset')}"
    )


def over_datasets_words(rows: Iterable[Comparison]) -> str:
    """Say what Wilcoxon's test says with datasets as the sample, or why it cannot; "" of one.

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
        return f"datasets as the sample: {reason}"
    return f"datasets as the sample: Wilcoxon p {probability(p)}"


def conclusion(a: str, b: str, rows: Sequence[Comparison], sums: Sequence[Overall]) -> str:
    """Return one plain sentence on the primary metrics of all comparisons, none left out.

    With several datasets the verdict is on their average, else on the one.
    """
    primary = [row for row in rows if row.primary]
    if not primary:
        return f"{_LEVEL}: none, as no primary metric is among these; other metrics are described."
    groups: dict[str, list[str]] = {}
    for total in sums:
        own = [
            row
            for row in primary
            if (row.task, row.adaptation, row.score) == (total.task, total.adaptation, total.score)
        ]
        if not own:
            continue
        if not math.isnan(total.p):
            verdict, where = total.verdict, f"on average over {total.datasets} datasets"
            groups.setdefault(_words(a, b, verdict), []).append(
                f"{total.task} with {total.adaptation} {where}"
            )
        for row in own if math.isnan(total.p) else ():
            groups.setdefault(_words(a, b, row.verdict), []).append(
                f"{row.task} with {row.adaptation} on {row.dataset}"
            )
    return f"{_LEVEL}: {'; '.join(f'{what} in {listed(some)}' for what, some in groups.items())}."


def _words(a: str, b: str, verdict: str) -> str:
    if verdict in _AHEAD:
        return f"{a} {_AHEAD[verdict]} {b}"
    if verdict == "identical":
        return f"{a} and {b} are identical, patient by patient,"
    if verdict == "equivalent":
        return f"{a} matches {b} within the margin"
    if verdict == "untested":
        return f"{a} and {b} could not be tested"
    return f"{a} and {b} are not told apart ({VERDICTS[verdict]})"
