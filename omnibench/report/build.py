"""From records' values and comparisons to tables."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, TypeVar

import pandas as pd

from omnibench.report.numbers import POINTS
from omnibench.report.table import Cell, Row, Table
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Key, Unit, split_decoding, units_of

Label = tuple[str, str]  # backbone, adaptation
Column = dict[Label, Cell]
AnyLabel = TypeVar("AnyLabel", bound=tuple[str, ...])

_DECIMALS = 12  # means that differ only beyond these are tied: rounding noise of float64


def build_tables(
    values: pd.DataFrame,
    comparisons: Iterable[Comparison],
    expected: pd.DataFrame | None = None,
    backbones: Sequence[str] = (),
    baseline: str | None = None,
    notes: Mapping[str, str] | None = None,
    lower_is_better: Collection[str] = (),
    in_unit: Mapping[str, str] | None = None,
    standings: pd.DataFrame | None = None,
    seen: Mapping[tuple[str, str], tuple[str, ...]] | None = None,
    mixed: Mapping[tuple[str, str], str] | None = None,
) -> list[Table]:
    """Return one table for each task, definition and metric, in order of appearance.

    Every decoding of generated texts is a definition of its own here: see `gather_decodings`.

    Args:
        values: the long table of `units.COLUMNS`, of the metrics that are to be shown.
        comparisons: what `compare_pairs` returned for pairs (backbone, baseline).
        expected: one row for each cell that is asked for: task, dataset, backbone, adaptation,
            repetition, state (done, failed, or anything else for missing) and, if known, its
            decodings. None: what has records.
        backbones: the order of the rows; others follow as they appear.
        baseline: the backbone that daggers refer to.
        notes: dataset -> what its captions must say.
        lower_is_better: metrics that improve downwards.
        in_unit: definition -> what its values are in, where that is not a fraction.
        standings: what `tied_with_best` returned.
        seen: (backbone, dataset) -> collections that both the backbone's pretraining data and the
            dataset's images come from.
        mixed: (task, dataset) -> in which precisions its models ran, where they are several.

    Raises:
        StoreError: two records claim the same repetition of a unit.
    """
    units = units_of(values)
    asked = _asked(expected, "state")
    decodings = {key: {*chain(*found)} for key, found in _asked(expected, "decodings").items()}
    compared = {
        (c.task, c.dataset, c.adaptation, c.backbone_a, c.definition, c.metric): c
        for c in comparisons
        if c.backbone_b == baseline
    }
    standing = _standings(standings)
    tables = []
    for task, keys in _by_task([*asked, *units]).items():
        recorded = {key: units[key] for key in keys if key in units}
        datasets = {key[1] for key in recorded}
        for score in dict.fromkeys(score for unit in recorded.values() for score in unit.scores):
            name, decoding = split_decoding(score[0])
            falling = frozenset({score[1]}.intersection(lower_is_better))
            grid: dict[str, Column] = {}
            for key in keys:
                if decoding and decoding not in decodings.get(key, {decoding}):
                    continue
                place = (*key, *score)
                cell = replace(
                    _cell(units.get(key), asked.get(key, []), score, compared.get(place)),
                    standing=standing.get(place, ""),
                    seen=(seen or {}).get((key[3], key[1]), ()),
                )
                grid.setdefault(key[1], {})[key[3], key[2]] = cell
            grid = {
                dataset: ranked(column, bool(falling))
                for dataset, column in grid.items()
                # A dataset without any record may have the metric one day.
                if dataset not in datasets or any(cell.n for cell in column.values())
            }
            rows = _rows(grid, _labels(keys, backbones), recorded, expected is None)
            noted = tuple((name, text) for name, text in (notes or {}).items() if name in grid)
            noted += tuple((d, (mixed or {})[task, d]) for d in grid if (task, d) in (mixed or {}))
            unit = (in_unit or {}).get(name, POINTS)
            tables.append(Table(task, *score, tuple(grid), rows, baseline, falling, noted, unit))
    return tables


def _asked(expected: pd.DataFrame | None, fact: str) -> dict[Key, list[Any]]:
    """A fact of every cell that is asked for, by unit; empty where the frame does not tell it."""
    facts: dict[Key, list[Any]] = {}
    if expected is not None and fact in expected:
        columns = (expected[c] for c in ("task", "dataset", "adaptation", "backbone", fact))
        for *key, found in zip(*columns, strict=True):
            facts.setdefault((key[0], key[1], key[2], key[3]), []).append(found)
    return facts


def _standings(frame: pd.DataFrame | None) -> dict[tuple[str, ...], str]:
    """Each model's standing by task, dataset, adaptation, backbone, definition and metric."""
    if frame is None:
        return {}
    names = ("task", "dataset", "adaptation", "backbone", "definition", "metric")
    places = zip(*(frame[name] for name in names), strict=True)
    return dict(zip(places, frame["standing"], strict=True))


def _by_task(keys: Iterable[Key]) -> dict[str, list[Key]]:
    tasks: dict[str, list[Key]] = {}
    for key in dict.fromkeys(keys):
        tasks.setdefault(key[0], []).append(key)
    return tasks


def _cell(
    unit: Unit | None, asked: list[str], score: tuple[str, str], against: Comparison | None
) -> Cell:
    if unit is None or score not in unit.scores:
        return Cell("failed" if "failed" in asked else "missing", expected=len(asked))
    values = unit.values(*score)
    n = len(values)
    digests = tuple(unit.digests[k] for k in sorted(unit.scores[score]))
    expected = max(n, len(asked))
    mean = float(values.mean())
    if not math.isfinite(mean):
        return Cell("undefined", n=n, expected=expected, against=against, digests=digests)
    std = float(values.std(ddof=1)) if n > 1 else None
    return Cell("done", mean, std, n, expected, against=against, digests=digests)


def ranked(column: dict[AnyLabel, Cell], falling: bool) -> dict[AnyLabel, Cell]:
    """Mark the best mean, those not told apart from it, and the second; a lone cell is neither.

    Backbones are ranked with one adaptation (and decoding), as nothing else is tested; where there
    is one backbone alone, what is done with it is.

    Args:
        column: label -> cell; what follows the backbone in a label is what the ranked ones share.
    """
    groups: dict[tuple[str, ...], dict[AnyLabel, Cell]] = {}
    one_backbone = len({label[0] for label, cell in column.items() if cell.state == "done"}) == 1
    for label, cell in column.items():
        groups.setdefault(() if one_backbone else label[1:], {})[label] = cell
    marked = {k: cell for group in groups.values() for k, cell in _ranked(group, falling).items()}
    return {label: marked[label] for label in column}


def _ranked(column: dict[AnyLabel, Cell], falling: bool) -> dict[AnyLabel, Cell]:
    means = {label: round(c.mean, _DECIMALS) for label, c in column.items() if c.state == "done"}
    if len(means) < 2:
        return column
    best = sorted(set(means.values()), reverse=not falling)[:2]
    ranks = {label: best.index(mean) + 1 for label, mean in means.items() if mean in best}
    return {
        label: replace(
            cell,
            rank=ranks.get(label, 0),
            leading=ranks.get(label) == 1 or cell.standing == "tied",
        )
        for label, cell in column.items()
    }


def _labels(keys: Iterable[Key], backbones: Sequence[str]) -> list[Label]:
    """The rows: backbones as listed, then as they appear; within each, adaptations likewise."""
    labels = dict.fromkeys((key[3], key[2]) for key in keys)
    first = {b: i for i, b in enumerate(dict.fromkeys([*backbones, *(b for b, _ in labels)]))}
    second = {a: i for i, a in enumerate(dict.fromkeys(a for _, a in labels))}
    return sorted(labels, key=lambda label: (first[label[0]], second[label[1]]))


def _rows(
    grid: Mapping[str, Column], labels: Iterable[Label], units: Mapping[Key, Unit], all_asked: bool
) -> tuple[Row, ...]:
    """The rows that have a planned cell; `all_asked`: what has no record counts as missing."""
    absent = Cell("missing" if all_asked else "unplanned")
    facts: dict[Label, Unit] = {}
    for key, known in units.items():
        facts.setdefault((key[3], key[2]), known)
    rows = []
    for label in labels:
        cells = tuple(column.get(label, absent) for column in grid.values())
        unit = facts.get(label, Unit("", False))
        if any(cell is not absent for cell in cells):
            rows.append(Row(*label, unit.varies, unit.control, cells))
    return tuple(rows)
