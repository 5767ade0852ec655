"""A study's published tables in their own shape, one's own numbers above the printed ones."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from omnibench.audit import published
from omnibench.audit.reading import read_table
from omnibench.audit.shipped import find_tables
from omnibench.report.build import ranked
from omnibench.report.results import Result, ResultRow, Results
from omnibench.stats.units import split_decoding

Column = tuple[str, str]  # dataset ("" of an aggregate), metric
Label = tuple[str, str, str]  # backbone, adaptation, definition
ALL = "all"  # what the CSV calls the dataset of an aggregate


def published_results(study: str, tables: Sequence[Results]) -> list[Results]:
    """Return the study's tables of which one's own hold a dataset, adaptation and definition.

    Args:
        study: a shipped one.
        tables: one's own, one for each definition (with its decoding) and metric.
    """
    rows = [row for path in find_tables(study) for row in read_table(path)]
    by_table = {name: list(group) for name, group in groupby(rows, lambda row: row.table)}
    shaped = (
        _shaped(f"{study}, Table {name}", group, members_of(group, by_table), tables)
        for name, group in by_table.items()
    )
    return [table for table in shaped if table is not None]


def members_of(
    rows: Sequence[published.Row], by_table: Mapping[str, list[published.Row]]
) -> list[str]:
    """Return the datasets that an aggregate is taken over."""
    parts = dict.fromkeys(name for row in rows for name in row.members)
    return list(dict.fromkeys(row.dataset_id for name in parts for row in by_table[name]))


def _shaped(
    title: str, printed: Sequence[published.Row], members: list[str], tables: Sequence[Results]
) -> Results | None:
    """Return one table; None where the suite has nothing of it."""
    task = printed[0].task
    computed = [row for row in printed if row.role != "cited"]
    columns = list(dict.fromkeys((row.dataset_id, row.metric) for row in computed))
    known = {(t.definition, t.metric): t for t in tables if t.task == task}
    adaptations = {row.adaptation for row in computed}
    # A table of several adaptations is of its own backbones; any other takes every backbone.
    only = {row.backbone_id for row in computed} if len(adaptations) > 1 else None
    grid: dict[Label, dict[Column, Result]] = {}
    facts: dict[Label, ResultRow] = {}
    for definition, metric in dict.fromkeys((row.definition, row.metric) for row in computed):
        own = known.get((definition, metric))
        for row in own.rows if own else ():
            if row.adaptation not in adaptations or (only and row.backbone not in only):
                continue
            label = (row.backbone, row.adaptation, definition)
            cells = dict(zip(own.columns, row.cells, strict=True)) if own else {}
            facts.setdefault(label, row)
            for dataset, _ in columns:
                cell = pooled(cells, members) if members else cells.get(dataset)
                if cell is not None:
                    grid.setdefault(label, {})[dataset, metric] = cell
    if not grid:
        return None
    marked = _ranked(grid, columns, known)
    return _table(title, task, columns, marked, facts, printed, members, known)


def _ranked(
    grid: Mapping[Label, dict[Column, Result]],
    columns: Iterable[Column],
    known: Mapping[tuple[str, str], Results],
) -> dict[Label, dict[Column, Result]]:
    """Mark the best and the second of each column among one's own rows."""
    marked: dict[Label, dict[Column, Result]] = {label: {} for label in grid}
    for column in columns:
        falling = any(column[1] in table.lower_is_better for table in known.values())
        cells = {label: cells[column] for label, cells in grid.items() if column in cells}
        undirected = any(column[1] in table.undirected for table in known.values())
        for label, cell in (cells if undirected else ranked(cells, falling)).items():
            marked[label][column] = cell
    return marked


def _table(
    title: str,
    task: str,
    columns: Sequence[Column],
    grid: Mapping[Label, Mapping[Column, Result]],
    facts: Mapping[Label, ResultRow],
    printed: Sequence[published.Row],
    members: Sequence[str],
    known: Mapping[tuple[str, str], Results],
) -> Results:
    metrics = {metric for _, metric in columns}
    names = {row.dataset_id: row.dataset for row in printed}
    single = len({dataset for dataset, _ in columns}) == 1
    own = [
        replace(
            facts[label],
            cells=tuple(cells.get(column, Result("unplanned")) for column in columns),
            definition=split_decoding(label[2])[0],
            decoding=split_decoding(label[2])[1],
        )
        for label, cells in grid.items()
    ]
    any_own = next(iter(known.values()))
    dataset = columns[0][0] or f"{len(members)} datasets"
    return Results(
        task=task,
        definition="",
        metric="" if single else next(iter(metrics)),
        columns=tuple(metric if single else dataset for dataset, metric in columns),
        rows=(*own, *_printed_rows(printed, columns)),
        baseline=any_own.baseline,
        lower_is_better=frozenset().union(*(t.lower_is_better for t in known.values())) & metrics,
        notes=tuple(note for note in any_own.notes if note[0] in names),
        undirected=frozenset().union(*(t.undirected for t in known.values())) & metrics,
        units={metric: unit for t in known.values() for metric, unit in t.units.items()},
        dataset=dataset if single else "",
        correction=any_own.correction,
        study=title,
        members=tuple(members),
    )


def _printed_rows(
    printed: Sequence[published.Row], columns: Sequence[Column]
) -> Iterator[ResultRow]:
    """Yield a row for each model, adaptation and definition of the study, cited ones too."""
    rows: dict[tuple[str, ...], dict[Column, published.Row]] = {}
    for row in printed:
        label = (row.model, row.adaptation, row.definition, row.role, row.citation)
        rows.setdefault(label, {})[row.dataset_id, row.metric] = row
    for (model, adaptation, definition, role, citation), printed_cells in rows.items():
        name, decoding = split_decoding(definition)
        cells = tuple(_printed(printed_cells.get(column)) for column in columns)
        if any(cell.n or cell.state == "done" for cell in cells):
            yield ResultRow(
                f"{model} {citation}".strip(), adaptation, "", False, cells, decoding, role, name
            )


def _printed(row: published.Row | None) -> Result:
    if row is None:
        return Result("unplanned")
    scale = 1 / 100 if row.unit == "percent" else 1.0
    std = None if row.deviation is None else row.deviation * scale
    decimals = len(row.mean.partition(".")[2])
    return Result("done", row.value * scale, std, row.n or 0, row.n or 0, decimals=decimals)


def pooled(cells: Mapping[str, Result], members: Sequence[str]) -> Result | None:
    """Return mean and standard deviation (ddof = 1) of all repetitions of all datasets.

    None where one's own suite has none of the datasets; missing where it lacks one of them.
    """
    parts = [cells[name] for name in members if name in cells]
    if not parts:
        return None
    if len(parts) < len(members) or any(c.state != "done" or c.partial for c in parts):
        return Result("missing", expected=sum(cell.expected for cell in parts))
    total = sum(cell.n for cell in parts)
    mean = sum(cell.n * cell.mean for cell in parts) / total
    squares = sum(
        (cell.n - 1) * (cell.std or 0.0) ** 2 + cell.n * (cell.mean - mean) ** 2 for cell in parts
    )
    digests = tuple(digest for cell in parts for digest in cell.digests)
    seen = tuple(sorted({name for cell in parts for name in cell.seen}))
    std = math.sqrt(squares / (total - 1))
    return Result("done", mean, std, total, total, seen=seen, digests=digests)
