"""How results are laid out: a table a metric, or a table a dataset or task, metrics its columns."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from omnibench.report.results import Result, ResultRow, Results
from omnibench.stats.units import Score
from omnibench.suite import Layout

Label = tuple[str, str, str]  # backbone, adaptation, decoding
Made = Mapping[tuple[str, str, str, str], str]  # task, dataset, start, adaptation -> its id
Placed = tuple[str, Results, int]  # a column's dataset, its results, where it stands in them


def laid_out(printed: Iterable[Results], layout: Layout | None, made: Made) -> list[Results]:
    """Return results as tables of a layout.

    Where metrics stand beside each other, rows are grouped by adaptation (and decoding), in the
    order of the suite, and within that sorted by the first metric, which is the task's primary.

    Args:
        printed: what `build.gather_decodings` returned.
        layout: None for one table a task, or one a dataset where it has several.
        made: (task, dataset, start, adaptation) -> the backbone that this made.
    """
    every = list(printed)
    if layout == "per-metric":
        return [_named(results, made) for results in every]
    tables: list[Results] = []
    for task in dict.fromkeys(results.task for results in every):
        of_task = [results for results in every if results.task == task]
        places = [
            (results.dataset or column, results, at)
            for results in of_task
            for at, column in enumerate(results.columns)
        ]
        datasets = list(dict.fromkeys(dataset for dataset, _, _ in places))
        each = [
            _of_dataset(dataset, [place for place in places if place[0] == dataset], made)
            for dataset in datasets
        ]
        tables += [_joined(each)] if layout == "per-task" and len(each) > 1 else each
    return tables


def _of_dataset(dataset: str, places: Sequence[Placed], made: Made) -> Results:
    """Return the table of one dataset: a column for each metric, under its definition."""
    first = places[0][1]
    defined = [place for place in places if not _undefined(*place[1:])]
    left = [_score(*place[1:])[1] for place in places if place not in defined]
    places = defined or places
    scores = [_score(results, at) for _, results, at in places]
    names = _heads(scores)
    rows: dict[Label, ResultRow] = {}
    cells: dict[Label, dict[str, Result]] = {}
    for name, (_, results, at) in zip(names, places, strict=True):
        for row in results.rows:
            label = (row.backbone, row.adaptation, row.decoding)
            rows.setdefault(label, row)
            if row.cells[at].state != "unplanned":
                cells.setdefault(label, {})[name] = row.cells[at]
    absent = Result("unplanned")
    sources = list(zip(names, scores, places, strict=True))
    falling = frozenset(n for n, score, (_, r, _) in sources if score[1] in r.lower_is_better)
    undirected = frozenset(n for n, score, (_, r, _) in sources if score[1] in r.undirected)
    ordered = _ordered([label for label in rows if label in cells], cells, names[0], falling)
    return replace(
        first,
        definition="",
        metric="",
        dataset=dataset,
        columns=tuple(names),
        scores=dict(zip(names, scores, strict=True)),
        rows=tuple(
            replace(
                rows[label],
                dataset=dataset,
                made=made.get((first.task, dataset, label[0], label[1]), ""),
                cells=tuple(cells[label].get(name, absent) for name in names),
            )
            for label in ordered
        ),
        left=tuple(left) if defined else (),
        lower_is_better=falling,
        undirected=undirected,
        units={
            name: results.units[score[1]]
            for name, score, (_, results, _) in sources
            if score[1] in results.units
        },
        notes=tuple(
            dict.fromkeys(n for _, results, _ in places for n in results.notes if n[0] == dataset)
        ),
    )


def _score(results: Results, at: int) -> Score:
    return results.definition, results.metric or results.columns[at]


def _undefined(results: Results, at: int) -> bool:
    states = {row.cells[at].state for row in results.rows}
    return "undefined" in states and "done" not in states


def _heads(scores: Sequence[Score]) -> list[str]:
    """Return what each column is called: the metric, with its definition where two share one."""
    metrics = [metric for _, metric in scores]
    return [
        metric if metrics.count(metric) == 1 else f"{definition}/{metric}"
        for definition, metric in scores
    ]


def _ordered(
    labels: Sequence[Label],
    cells: Mapping[Label, Mapping[str, Result]],
    first: str,
    falling: frozenset[str],
) -> list[Label]:
    groups = list(dict.fromkeys(label[1:] for label in labels))
    sign = 1 if first in falling else -1

    def key(label: Label) -> tuple[int, bool, float]:
        cell = cells[label].get(first)
        done = cell is not None and cell.state == "done"
        return groups.index(label[1:]), not done, sign * cell.mean if cell and done else 0.0

    return sorted(labels, key=key)


def _joined(each: Sequence[Results]) -> Results:
    """Return the tables of several datasets as one, below each other."""
    names = list(dict.fromkeys(name for results in each for name in results.columns))
    absent = Result("unplanned")
    rows = []
    for results in each:
        for row in results.rows:
            cells = dict(zip(results.columns, row.cells, strict=True))
            rows.append(replace(row, cells=tuple(cells.get(name, absent) for name in names)))
    return replace(
        each[0],
        dataset="",
        columns=tuple(names),
        rows=tuple(rows),
        scores={name: score for results in each for name, score in results.scores.items()},
        lower_is_better=frozenset[str]().union(*(results.lower_is_better for results in each)),
        undirected=frozenset[str]().union(*(results.undirected for results in each)),
        units={name: unit for results in each for name, unit in results.units.items()},
        notes=tuple(note for results in each for note in results.notes),
    )


def _named(results: Results, made: Made) -> Results:
    """Return results a row of which says what it made, on any of its datasets."""
    datasets = [results.dataset] if results.dataset else results.columns
    rows = []
    for row in results.rows:
        places = ((results.task, dataset, row.backbone, row.adaptation) for dataset in datasets)
        names = dict.fromkeys(made[place] for place in places if place in made)
        rows.append(replace(row, made=", ".join(names)))
    return replace(results, rows=tuple(rows))
