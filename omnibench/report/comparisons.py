"""The comparisons with the baseline: in sentences, and as tables for the page and for print."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from omnibench.report.names import NO_NAMES, Names
from omnibench.report.results import Results
from omnibench.report.table import DASH, Cell, Column, Table
from omnibench.report.words import (
    CORRECTED,
    VERDICTS,
    bare_probability,
    listed,
    number,
    probability,
    questions,
    ranged,
)
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, split_decoding
from omnibench.task import POINTS

if TYPE_CHECKING:
    from omnibench.report.study import Study

EQUIVALENCE = {True: "shown", False: "not shown"}
HEADS = (
    *("compared", "difference", "95 % interval", "p", "corrected p", "verdict"),
    *("p, these images", "Hedges g"),
)
SHORT = {"described": DASH, "untested": "not tested"}  # a verdict in a column


def worth_a_sentence(
    comparisons: Iterable[Comparison], printed: Iterable[Results], names: Names = NO_NAMES
) -> list[Comparison]:
    """Return all but those of generated texts: of them, the first column under the last decoding.

    Args:
        printed: what `gather_decodings` returned.
        names: by which backbones and datasets are called in what is returned.
    """
    first = {results.definition: results.columns[0] for results in printed if results.dataset}
    chosen: dict[tuple[str, ...], Comparison] = {}
    for c in comparisons:
        definition, decoding = split_decoding(c.definition)
        if not decoding or c.metric == first.get(definition):
            place = (c.task, c.dataset, c.adaptation, c.backbone_a, c.backbone_b)
            chosen[*place, definition, c.metric] = c
    return [
        replace(
            c,
            dataset=names.dataset(c.dataset),
            backbone_a=names.backbone(c.backbone_a),
            backbone_b=names.backbone(c.backbone_b),
        )
        for c in chosen.values()
    ]


def metric_names(scores: Iterable[Score]) -> dict[Score, str]:
    """Return what to call each: the metric, or "definition/metric" where that is not enough.

    It is not where a metric has several definitions, nor of generated texts: "id@b5-t64/meteor".
    """
    distinct = dict.fromkeys(scores)
    metrics = [metric for _, metric in distinct]
    return {
        (definition, metric): f"{definition}/{metric}"
        if metrics.count(metric) > 1 or split_decoding(definition)[1]
        else metric
        for definition, metric in distinct
    }


def names_of(comparisons: Iterable[Comparison]) -> dict[Score, str]:
    """Return what to call the metric of each comparison."""
    return metric_names((c.definition, c.metric) for c in comparisons)


def sentences(study: "Study") -> list[str]:
    """Return a sentence for each comparison that is worth one."""
    chosen = worth_a_sentence(study.comparisons, study.shown, study.names)
    names = names_of(chosen)
    return [
        sentence(
            c,
            names[c.definition, c.metric],
            study.unit_of((c.definition, c.metric)),
            study.correction,
        )
        for c in chosen
    ]


def sentence(
    comparison: Comparison,
    metric: str | None = None,
    unit: str = POINTS,
    correction: str = "holm",
) -> str:
    """Return where, what, the difference with its interval, p and verdict, and the runs' test.

    Args:
        metric: what to call the metric, if not by its name alone.
        unit: what its values are in.
        correction: of its p, as a suite names it.
    """
    c = comparison
    text = f"{c.dataset}, {metric or c.metric}, {c.adaptation}: {c.backbone_a} - {c.backbone_b} = "
    text += number(c.difference, unit, signed=True)
    text += f" {unit}" if math.isfinite(c.difference) else ""
    if c.test == "none":
        return f"{text}, not tested: {c.note}.{_over_runs(c)}"
    text += f" [{number(c.low, unit)}, {number(c.high, unit)}] for {c.test}, p {probability(c.p)}"
    if c.primary:
        text += (
            f", {CORRECTED[correction]}-corrected p {probability(c.p_corrected)} over its family"
        )
        text += f" of {c.family}: {VERDICTS[c.verdict]}"
        if c.equivalent is not None:
            text += f", equivalence {EQUIVALENCE[c.equivalent]} within the margin"
    else:
        text += f": {VERDICTS[c.verdict]}"
    text += f" ({c.note})" if c.note else ""
    return f"{text}.{_over_runs(c)}"


def _over_runs(c: Comparison) -> str:
    """Return a sentence on the test over repetitions; "" without one."""
    if c.test_runs == "none":
        return ""
    effect = f", Hedges g {c.effect:.2f}" if math.isfinite(c.effect) else ""
    return f" On these test images over runs: {c.test_runs}, p {probability(c.p_runs)}{effect}."


def left_out(study: "Study", verb: str = "said") -> list[str]:
    """Return sentences on the comparisons that are not named, and on margins that do not apply."""
    notes = []
    if len(worth_a_sentence(study.comparisons, study.shown)) < len(study.comparisons):
        notes.append(
            f"Of generated texts only the first metric of each definition is {verb} here, under "
            "the last decoding; the CSV holds all comparisons."
        )
    return [*notes, *study.beyond_margin]


def difference_tables(study: "Study") -> list[Table]:
    """Return a table for each task, definition and metric that is worth a sentence, for print."""
    chosen = worth_a_sentence(study.comparisons, study.shown, study.names)
    names = names_of(chosen)
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for c in chosen:
        groups.setdefault((c.task, names[c.definition, c.metric]), []).append(c)
    return [
        Table.from_texts(
            f"Differences from {group[0].backbone_b}: {task}, {name}",
            HEADS,
            [_texts(c, study.unit_of((c.definition, c.metric))) for c in group],
            _caption(study, name, group),
        )
        for (task, name), group in groups.items()
    ]


def _texts(c: Comparison, unit: str) -> tuple[str, ...]:
    name = f"{c.dataset}, {c.adaptation}: {c.backbone_a}"
    difference = number(c.difference, unit, signed=True)
    if c.test == "none":
        numbers: tuple[str, ...] = (difference, "not tested", "", "", "")
    else:
        numbers = (
            difference,
            f"{number(c.low, unit)} to {number(c.high, unit)}",
            bare_probability(c.p),
            bare_probability(c.p_corrected) or DASH,
            SHORT.get(c.verdict, c.verdict),
        )
    numbers += (
        bare_probability(c.p_runs) or DASH,
        f"{c.effect:.2f}" if math.isfinite(c.effect) else DASH,
    )
    return (name, *(text.replace("-", "\N{MINUS SIGN}") for text in numbers))


def _caption(study: "Study", name: str, group: Sequence[Comparison]) -> str:
    definition = group[0].definition
    text = (
        f"{name} ({definition}) in {study.unit_of((definition, group[0].metric))}: difference from "
        f"{group[0].backbone_b} in the same dataset and adaptation."
    )
    tested = [c for c in group if c.test != "none"]
    if tested:
        what = questions(c.test for c in tested)
        text += f" Interval and p: for {what}, two-sided, not corrected."
    deciding = [c for c in tested if c.primary]
    if deciding:
        text += (
            f" Corrected by {CORRECTED[study.correction]} over the "
            f"{ranged((c.family for c in deciding), 'backbone')} compared with "
            f"{group[0].backbone_b} on one dataset with one adaptation."
        )
    elif tested:
        text += " Described, not decided: this is not the task's primary metric."
    runs = sorted({c.test_runs for c in group if c.test_runs != "none"})
    if runs:
        text += f" p, these images, and Hedges g: over repetitions alone, by {listed(runs)}."
    reasons = sorted({c.note for c in group if c.test == "none"})
    return f"{text} Not tested: {'; '.join(reasons)}." if reasons else text


def comparison_table(
    comparisons: Sequence[Comparison],
    names: Mapping[Score, str],
    units: Mapping[Score, str],
) -> Table:
    """Return a row for each comparison, all of them with one baseline, for the page.

    Args:
        names: what each metric is called.
        units: what the values of each metric are in, where that is not points.
    """
    columns = [
        *(Column("backbone"), Column("dataset"), Column("metric"), Column("adaptation")),
        *(Column("difference", "number"), Column("95 % interval", "number")),
        *(Column("p", "number", True), Column("corrected p", "number", True)),
        *(Column("verdict"), Column("for"), Column("p, these images", "number", True)),
        *(Column("Hedges g", "number"), Column("over runs by"), Column("note")),
    ]
    with_margin = any(c.equivalent is not None for c in comparisons)
    if with_margin:
        columns.append(Column("equivalence"))
    rows = []
    for c in comparisons:
        row = _compared(c, names[c.score], units.get(c.score, POINTS))
        if with_margin:
            row.append(Cell("" if c.equivalent is None else EQUIVALENCE[c.equivalent]))
        rows.append(row)
    baselines = listed(c.backbone_b for c in comparisons)
    return Table.from_cells(f"Differences from {baselines}", columns, rows)


def _compared(c: Comparison, metric: str, unit: str) -> list[Cell]:
    known = math.isfinite(c.low) and math.isfinite(c.high)
    interval = f"{number(c.low, unit)} to {number(c.high, unit)}" if known else DASH
    difference = number(c.difference, unit, signed=True)
    difference += "" if unit == POINTS else f" {unit}"
    return [
        *map(Cell, (c.backbone_a, c.dataset, metric, c.adaptation)),
        Cell.from_number(_finite(c.difference), difference),
        Cell(interval, "number", _finite(c.low)),
        Cell.from_number(_finite(c.p), bare_probability(c.p)),
        Cell.from_number(_finite(c.p_corrected), bare_probability(c.p_corrected)),
        *(Cell(SHORT.get(c.verdict, c.verdict)), Cell(DASH if c.test == "none" else c.test)),
        Cell.from_number(_finite(c.p_runs), bare_probability(c.p_runs)),
        Cell.from_number(_finite(c.effect), f"{c.effect:.2f}"),
        Cell(DASH if c.test_runs == "none" else c.test_runs),
        Cell(c.note),
    ]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
