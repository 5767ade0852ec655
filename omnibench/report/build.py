"""From records' values and comparisons to results."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, TypeVar

import pandas as pd

from omnibench.report.results import Result, ResultRow, Results
from omnibench.stats.compare import Standings
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Key, Unit, split_decoding, undecoded, units_of

Label = tuple[str, str]  # backbone, adaptation
DecodedLabel = tuple[str, str, str]  # and decoding
Column = dict[Label, Result]
AnyLabel = TypeVar("AnyLabel", bound=tuple[str, ...])

_DECIMALS = 12  # means that differ only beyond these are tied: rounding noise of float64


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        expected: one row for each cell: task, dataset, backbone, adaptation, repetition, state
            (done, failed, or anything else for missing) and, if known, its decodings and other
            views. None: what has records.
        backbones: the order of the rows; others follow as they appear.
    """

    expected: pd.DataFrame | None = None
    backbones: Sequence[str] = ()


@dataclass(frozen=True)
class Verdicts:
    """What the statistics say.

    Attributes:
        comparisons: of pairs (backbone, baseline).
        baseline: the backbone that daggers refer to.
        standings: of units among those of their column.
        correction: of the p-values, as a suite names it.
    """

    comparisons: Collection[Comparison] = ()
    baseline: str | None = None
    standings: Standings = field(default_factory=dict)
    correction: str = "holm"


@dataclass(frozen=True)
class Scales:
    """How the values of metrics are read, by "definition/name".

    Attributes:
        units: what they are in, where they are no fractions.
        lower_is_better: those that improve downwards.
        undirected: those of which no value is better than another.
    """

    units: Mapping[str, str] = field(default_factory=dict)
    lower_is_better: Collection[str] = ()
    undirected: Collection[str] = ()


@dataclass(frozen=True)
class Remarks:
    """What captions must say.

    Attributes:
        notes: dataset -> a sentence.
        seen: (backbone, dataset) -> collections that both the backbone's pretraining data and the
            dataset's images come from.
        mixed: (task, dataset) -> in which precisions its models ran, where they are several.
    """

    notes: Mapping[str, str] = field(default_factory=dict)
    seen: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    mixed: Mapping[tuple[str, str], str] = field(default_factory=dict)


def build_results(
    values: pd.DataFrame,
    verdicts: Verdicts,
    plan: Plan = Plan(),
    scales: Scales = Scales(),
    remarks: Remarks = Remarks(),
) -> list[Results]:
    """Return the results of each task, definition and metric, in order of appearance.

    Every decoding of generated texts is a definition of its own here: see `gather_decodings`.

    Args:
        values: the long table of `units.COLUMNS`, of the metrics that are to be shown.

    Raises:
        StoreError: two records claim the same repetition of a unit.
    """
    units = units_of(values)
    states = _expected(plan.expected, "state")
    planned = _expected(plan.expected, "decodings")
    decodings = {key: {*chain(*lists)} for key, lists in planned.items()}
    compared = {
        (c.task, c.dataset, c.adaptation, c.backbone_a, c.definition, c.metric): c
        for c in verdicts.comparisons
        if c.backbone_b == verdicts.baseline
    }
    every = []
    for task, keys in _by_task([*states, *units]).items():
        recorded = {key: units[key] for key in keys if key in units}
        datasets = {key[1] for key in recorded}
        for score in dict.fromkeys(score for unit in recorded.values() for score in unit.scores):
            _, decoding = split_decoding(score[0])
            metric = undecoded(score)
            falling = metric in scales.lower_is_better
            undirected = metric in scales.undirected
            columns: dict[str, Column] = {}
            for key in keys:
                if decoding and decoding not in decodings.get(key, {decoding}):
                    continue
                place = (*key, *score)
                cell = _result(units.get(key), states.get(key, []), score, compared.get(place))
                columns.setdefault(key[1], {})[key[3], key[2]] = replace(
                    cell,
                    standing=verdicts.standings.get(place),
                    seen=remarks.seen.get((key[3], key[1]), ()),
                )
            columns = {
                dataset: column if undirected else ranked(column, falling)
                for dataset, column in columns.items()
                # A dataset without any record may have the metric one day.
                if dataset not in datasets or any(cell.n for cell in column.values())
            }
            labels = _labels(keys, plan.backbones)
            notes = [(name, text) for name, text in remarks.notes.items() if name in columns]
            notes += [(d, remarks.mixed[task, d]) for d in columns if (task, d) in remarks.mixed]
            every.append(
                Results(
                    task,
                    *score,
                    tuple(columns),
                    _rows(columns, labels, recorded, plan.expected is None),
                    verdicts.baseline,
                    frozenset({score[1]} if falling else ()),
                    tuple(notes),
                    {score[1]: scales.units[metric]} if metric in scales.units else {},
                    correction=verdicts.correction,
                    undirected=frozenset({score[1]} if undirected else ()),
                )
            )
    return every


def _expected(expected: pd.DataFrame | None, fact: str) -> dict[Key, list[Any]]:
    """Return a fact of every planned cell by unit; empty where the frame does not hold it."""
    facts: dict[Key, list[Any]] = {}
    if expected is not None and fact in expected:
        columns = (expected[c] for c in ("task", "dataset", "adaptation", "backbone", fact))
        for task, dataset, adaptation, backbone, value in zip(*columns, strict=True):
            facts.setdefault((task, dataset, adaptation, backbone), []).append(value)
    return facts


def _by_task(keys: Iterable[Key]) -> dict[str, list[Key]]:
    tasks: dict[str, list[Key]] = {}
    for key in dict.fromkeys(keys):
        tasks.setdefault(key[0], []).append(key)
    return tasks


def _result(
    unit: Unit | None, states: list[str], score: tuple[str, str], against: Comparison | None
) -> Result:
    if unit is None or score not in unit.scores:
        return Result("failed" if "failed" in states else "missing", expected=len(states))
    values = unit.values(*score)
    n = len(values)
    digests = tuple(unit.digests[k] for k in sorted(unit.scores[score]))
    expected = max(n, len(states))
    mean = float(values.mean())
    if not math.isfinite(mean):
        return Result("undefined", n=n, expected=expected, against=against, digests=digests)
    std = float(values.std(ddof=1)) if n > 1 else None
    return Result("done", mean, std, n, expected, against=against, digests=digests)


def ranked(column: dict[AnyLabel, Result], falling: bool) -> dict[AnyLabel, Result]:
    """Mark the best mean and the second; a lone cell is neither, nor is one that lacks runs.

    Backbones are ranked with one adaptation (and decoding), as nothing else is tested; where there
    is one backbone alone, what is done with it is.

    Args:
        column: label -> cell; what follows the backbone in a label is what the ranked ones share.
    """
    groups: dict[tuple[str, ...], dict[AnyLabel, Result]] = {}
    one_backbone = len({label[0] for label, cell in column.items() if cell.state == "done"}) == 1
    for label, cell in column.items():
        groups.setdefault(() if one_backbone else label[1:], {})[label] = cell
    marked = {k: cell for group in groups.values() for k, cell in _ranked(group, falling).items()}
    return {label: marked[label] for label in column}


def rounded_mean(mean: float) -> float:
    """Return a mean without rounding noise, so that equal ones are tied."""
    return round(mean, _DECIMALS)


def _ranked(column: dict[AnyLabel, Result], falling: bool) -> dict[AnyLabel, Result]:
    means = {
        label: rounded_mean(c.mean)
        for label, c in column.items()
        if c.state == "done" and not c.partial
    }
    if len(means) < 2:
        return column
    best = sorted(set(means.values()), reverse=not falling)[:2]
    ranks = {label: best.index(mean) + 1 for label, mean in means.items() if mean in best}
    return {label: replace(cell, rank=ranks.get(label, 0)) for label, cell in column.items()}


def _labels(keys: Iterable[Key], backbones: Sequence[str]) -> list[Label]:
    """Return the rows: backbones as listed, then as they appear; adaptations within each."""
    labels = dict.fromkeys((key[3], key[2]) for key in keys)
    first = {b: i for i, b in enumerate(dict.fromkeys([*backbones, *(b for b, _ in labels)]))}
    second = {a: i for i, a in enumerate(dict.fromkeys(a for _, a in labels))}
    return sorted(labels, key=lambda label: (first[label[0]], second[label[1]]))


def _rows(
    columns: Mapping[str, Column],
    labels: Iterable[Label],
    units: Mapping[Key, Unit],
    all_planned: bool,
) -> tuple[ResultRow, ...]:
    """Return the rows that have a planned cell.

    Args:
        all_planned: whether what has no record counts as missing.
    """
    absent = Result("missing" if all_planned else "unplanned")
    first: dict[Label, Unit] = {}
    for key, unit in units.items():
        first.setdefault((key[3], key[2]), unit)
    rows = []
    for label in labels:
        cells = tuple(column.get(label, absent) for column in columns.values())
        unit = first.get(label, Unit("", False))
        if any(cell is not absent for cell in cells):
            rows.append(ResultRow(*label, unit.varies, unit.control, cells))
    return tuple(rows)


def gather_decodings(every: Iterable[Results]) -> list[Results]:
    """Join the metrics of one task, definition and dataset of generated texts; keep the others.

    A row is a decoding of a model, a column a metric. Best and second, standings and comparisons
    are those within one adaptation and decoding.

    Args:
        every: one for each task, definition (with its decoding) and metric.
    """
    groups: dict[tuple[str, str, str], list[Results]] = {}
    for results in every:
        definition, decoding = split_decoding(results.definition)
        for place in results.columns if decoding else (results.metric,):
            groups.setdefault((results.task, definition, place), []).append(results)
    return [
        _gathered(group, definition, place) if group[0].definition != definition else group[0]
        for (_, definition, place), group in groups.items()
    ]


def _gathered(group: Sequence[Results], definition: str, dataset: str) -> Results:
    rows: dict[DecodedLabel, ResultRow] = {}
    columns: dict[str, dict[DecodedLabel, Result]] = {}
    for results in group:
        _, decoding = split_decoding(results.definition)
        at = results.columns.index(dataset)
        for row in results.rows:
            if row.cells[at].state != "unplanned":
                label = (row.backbone, row.adaptation, decoding)
                rows.setdefault(label, replace(row, decoding=decoding))
                columns.setdefault(results.metric, {})[label] = row.cells[at]
    falling = frozenset[str]().union(*(results.lower_is_better for results in group))
    undirected = frozenset[str]().union(*(results.undirected for results in group))
    columns = {
        metric: column if metric in undirected else ranked(column, metric in falling)
        for metric, column in columns.items()
    }
    models = list(dict.fromkeys(label[:2] for label in rows))
    absent = Result("unplanned")
    return replace(
        group[0],
        definition=definition,
        metric="",
        dataset=dataset,
        columns=tuple(columns),
        rows=tuple(
            replace(
                rows[label],
                cells=tuple(column.get(label, absent) for column in columns.values()),
            )
            for label in sorted(rows, key=lambda label: models.index(label[:2]))
        ),
        lower_is_better=falling,
        undirected=undirected,
        units={metric: unit for results in group for metric, unit in results.units.items()},
        notes=tuple(note for note in group[0].notes if note[0] == dataset),
    )
