"""Results as tables: as they are printed, each number with what it rests on, and as CSV."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from omnibench.report.captions import caption, details
from omnibench.report.columns import RowFacts, further_columns
from omnibench.report.names import NO_NAMES, Names
from omnibench.report.results import SETTINGS, Result, ResultRow, Results
from omnibench.report.table import DASH, Cell, Column, Facets, Mark, Row, Table
from omnibench.report.truth import Truths, chance_details, chance_rows
from omnibench.report.words import VERDICTS, listed, number, probability
from omnibench.stats.best import Standing
from omnibench.stats.pair import FROZEN, Comparison
from omnibench.stats.t_tests import t_tails
from omnibench.stats.units import split_decoding

SHOWN_DIGESTS = 6
BACKBONES = ("backbone", "made from")  # heads over ids of backbones
Place = tuple[str, str, str]  # task, backbone, adaptation
_COMPARED = (
    *("difference", "low", "high", "test", "p", "p_corrected", "family", "verdict", "equivalent"),
    *("test_runs", "low_runs", "high_runs", "p_runs", "effect", "note"),
)
COLUMNS = (
    *("task", "dataset", "backbone", "adaptation", "control", "published", "definition"),
    *("metric", "beams", "max_tokens", "state", "mean", "std", "n", "expected", "varies"),
    *("rank", "standing", "rank_low", "rank_high", "baseline", *_COMPARED, "seen", "digests"),
)
STANDINGS = {
    "best": "May be the best of its column and adaptation (95 % confidence set).",
    "behind": "Not the best of its column and adaptation (95 % confidence set).",
    "undecided": "None of its column and adaptation can be ruled out as the best.",
    "incomplete": "It lacks repetitions, so it takes no part in the ranks.",
    "untested": "Not tested for the best of its column and adaptation.",
}


def result_table(
    results: Results,
    facts: Mapping[Place, RowFacts] | None = None,
    names: Names = NO_NAMES,
    truths: Truths | None = None,
) -> Table:
    """Return results as they are printed, with the further columns that are registered.

    Args:
        facts: what those columns are computed from; without any, there are none.
        names: of its backbones and datasets.
        truths: of its datasets: where a guess is known, its scores are the last rows.
    """
    labels = [
        Column(text, "number", right=True) if text in SETTINGS else Column(text)
        for text in results.heads
    ]
    values = [_column(results, name, names) for name in results.columns]
    places = [(results.task, row.backbone, row.adaptation) for row in results.rows]
    further = list(further_columns("results", [(facts or {}).get(p) for p in places]))
    rows = [
        _row(results, row, [cells[k] for _, cells in further], names)
        for k, row in enumerate(results.rows)
    ]
    guessed = list(chance_rows(results, truths or {}, names, len(further)))
    kind = results.metric or results.dataset
    return Table(
        results.title,
        (*labels, *values, *(column for column, _ in further)),
        (*rows, *guessed),
        caption(results, names),
        name=f"{results.task} {results.study} {kind} {results.definition}",
        labels=len(labels),
        details=(*details(results, names), *chance_details(results, truths or {}, names)),
        facets=_facets(results),
    )


def _facets(results: Results) -> Facets:
    """Return what all cells are of; what else there is, columns and rows say."""
    facets = {"task": results.task, "metric": results.metric, "dataset": results.dataset}
    return {facet: (value,) for facet, value in facets.items() if value}


def _column(results: Results, name: str, names: Names) -> Column:
    falling = results.place(name)[1] in results.lower_is_better
    unit = results.unit_of(name)
    head = names.dataset(name) if results.metric else name
    facets: Facets = {"metric": (results.score(name)[1],)}
    if results.metric and not results.members:
        facets = {"dataset": (name,)}
    return Column(head, "value", falling, "" if unit == results.unit else unit, facets=facets)


def _row(results: Results, row: ResultRow, further: Sequence[Cell], names: Names) -> Row:
    labels = (
        _label(head, text, names)
        for head, text in zip(results.heads, results.labels(row), strict=True)
    )
    pairs = zip(results.columns, row.cells, strict=True)
    values = (_cell(results, column, row, cell, names) for column, cell in pairs)
    group = f"{row.dataset} {row.adaptation} {row.decoding}" if results.scores else ""
    return Row((*labels, *values, *further), "published" if row.published else group)


def _label(head: str, text: str, names: Names) -> Cell:
    if head in BACKBONES:
        return Cell(names.backbone(text), key=names.keys.get(text, ""))
    if head == "dataset":
        return Cell(names.dataset(text))
    return Cell(text, value=float(text) if text.isdecimal() else None)


def _cell(results: Results, column: str, row: ResultRow, cell: Result, names: Names) -> Cell:
    dataset, unit = results.place(column, row)[0], results.unit_of(column)
    digests = " ".join(digest[:8] for digest in cell.digests)
    source = f"{dataset}: {digests}" if digests else ""
    details = _details(results, column, row, cell, names)
    if cell.state != "done":
        # What a dash means is said in the caption.
        text = DASH if cell.state in ("undefined", "unplanned") else cell.state
        return Cell(text, "absent", details=details, source=source)
    marks: dict[Mark, bool] = {
        "best": cell.leading,
        "second": cell.rank == 2,
        "differs": cell.significant,
        "seen": bool(cell.seen),
    }
    return Cell(
        number(cell.mean, unit, decimals=cell.decimals),
        "value",
        cell.mean,
        "" if cell.std is None else number(cell.std, unit, decimals=cell.decimals),
        tuple(mark for mark, holds in marks.items() if holds),
        f"{cell.n}/{cell.expected}" if cell.partial else "",
        details,
        source,
    )


def long_table(every: Iterable[Results]) -> Table:
    """Return one row a cell with `COLUMNS`, as the CSV holds them; what does not exist is empty.

    Values are fractions, or in the unit of their metric (pixels). `test`, `p` and `verdict` are for
    new images and new runs; `test_runs` and `p_runs` over repetitions on these test images. `rank`
    is 1 for the best mean of a column, 2 for the second; `standing` says whether it may be the best
    among the same adaptation and decoding, `rank_low` and `rank_high` bound its rank there. `seen`
    (collections that the backbone's pretraining shares with the test images) and `digests` are
    separated by spaces.
    """
    lines = [
        _line(results, column, row, cell)
        for results in every
        for column, row, cell in results.cells
        # One's own rows of a table in a published shape stand in the other tables already.
        if cell.state != "unplanned" and bool(row.published) == bool(results.study)
    ]
    rows = ([Cell("", value=line.get(name)) for name in COLUMNS] for line in lines)
    return Table.from_cells("results", map(Column, COLUMNS), rows)


def _line(results: Results, column: str, row: ResultRow, cell: Result) -> Mapping[str, Any]:
    dataset, metric = results.place(column)
    view = f"@{row.decoding}" if row.decoding and not row.settings else ""
    line: dict[str, Any] = {
        "task": results.task,
        "dataset": dataset,
        "backbone": row.backbone,
        "adaptation": row.adaptation,
        "control": row.control,
        "published": f"{results.study} ({row.published})" if row.published else None,
        "definition": (row.definition or results.definition) + view,
        "metric": metric,
        "state": cell.state,
        "mean": cell.mean,
        "std": cell.std,
        "n": cell.n,
        "expected": cell.expected,
        "varies": row.varies,
        "rank": cell.rank or None,
        **_standing(cell.standing),
        "seen": " ".join(cell.seen),
        "digests": " ".join(cell.digests),
    }
    line |= dict(zip(("beams", "max_tokens"), row.settings, strict=False))
    if cell.against is not None:
        line["baseline"] = results.baseline
        line |= {name: getattr(cell.against, name) for name in _COMPARED}
        line["family"] = cell.against.family or None
    return line


def _details(
    results: Results, column: str, row: ResultRow, cell: Result, names: Names
) -> tuple[str, ...]:
    """Return sentences on one cell, in the order of their weight."""
    dataset, metric = results.place(column, row)
    name = " ".join((names.backbone(row.backbone), row.adaptation, row.decoding)).strip()
    where = f"{name} on {names.dataset(dataset)}, {metric}."
    return (where, *_facts(results, column, row, cell, names))


def _facts(
    results: Results, column: str, row: ResultRow, cell: Result, names: Names
) -> Iterator[str]:
    unit = results.unit_of(column)
    if cell.state == "unplanned":
        yield "The suite does not ask for this cell."
        return
    if cell.state == "missing":
        yield f"No record of {cell.expected or 'its'} repetitions."
        return
    if cell.state == "failed":
        yield f"None of {cell.expected} repetitions is done; the section on failures says why."
        return
    if row.published:
        claimed = f"n = {cell.n} as claimed" if cell.n else "no n claimed"
        yield f"Published in {results.study} ({row.published}), {claimed}; not computed here."
        yield f"Metric definition: {_definition(results, column, row)}."
        return
    yield _repetitions(results, row, cell)
    if cell.state == "undefined":
        yield "The metric is undefined in at least one repetition."
    else:
        yield from _ranked(results, row, cell, unit)
    if cell.against is not None:
        yield from _comparison(cell.against, unit, names)
    elif row.backbone == results.baseline:
        yield "It is the baseline that the others are compared with."
    if cell.seen:
        yield f"The backbone's pretraining data hold images of its source: {listed(cell.seen)}."
    yield f"Metric definition: {_definition(results, column, row)}."
    if cell.digests:
        yield _records(cell)


def _definition(results: Results, column: str, row: ResultRow) -> str:
    decoding = f", decoding {row.decoding}" if row.decoding else ""
    return f"{row.definition or split_decoding(results.score(column)[0])[0]}{decoding}"


def _repetitions(results: Results, row: ResultRow, cell: Result) -> str:
    if results.members:
        return f"n = {cell.n}: all repetitions of {listed(results.members)}."
    if row.varies == "nothing":
        return "n = 1: deterministic, so there is nothing to repeat."
    of = f" of {cell.expected}" if cell.partial else ""
    return f"n = {cell.n}{of} repetitions; {row.varies} varies."


def _standing(standing: Standing | None) -> Mapping[str, Any]:
    if standing is None:
        return {}
    return {
        "standing": standing.place,
        "rank_low": standing.low,
        "rank_high": standing.high,
    }


def _ranked(results: Results, row: ResultRow, cell: Result, unit: str) -> Iterator[str]:
    if cell.rank:
        place = ("Best", "Second")[cell.rank - 1]
        yield f"{place} mean of its column and adaptation, picked on the test images."
    if cell.standing is not None:
        yield STANDINGS[cell.standing.place]
        if cell.standing.low is not None:
            first, last, models = cell.standing.low, cell.standing.high, cell.standing.models
            rank = f"{first}" if first == last else f"{first} to {last}"
            yield f"Rank {rank} of {models} (95 % interval, new images and new runs)."
    if cell.std and cell.n > 1 and not results.members:
        error = cell.std / math.sqrt(cell.n)
        _, margin = t_tails(cell.mean, error, cell.n - 1)
        low, high = (number(cell.mean + sign * margin, unit) for sign in (-1, 1))
        only = f" ({row.varies} only)" if row.varies in FROZEN else ""
        yield (
            f"95 % t interval of the mean over repetitions{only}, on these test images: {low} to "
            f"{high} {unit}."
        )


def _comparison(c: Comparison, unit: str, names: Names) -> Iterator[str]:
    if math.isfinite(c.difference):
        difference = number(c.difference, unit, signed=True)
        text = f"Difference from {names.backbone(c.backbone_b)}: {difference} {unit}"
        if math.isfinite(c.low) and math.isfinite(c.high):
            low, high = (number(bound, unit, signed=True) for bound in (c.low, c.high))
            text += f", 95 % interval {low} to {high}"
        yield f"{text}."
    if c.test == "none":
        yield f"Not tested: {c.note.rstrip('.')}."
        return
    yield f"Verdict: {VERDICTS[c.verdict]}."
    yield f"Tested for {c.test}, two-sided: p {probability(c.p)}."
    if c.primary:
        yield f"Corrected over its family of {c.family}: p {probability(c.p_corrected)}."
    if c.equivalent is not None:
        yield f"Equivalence within the margin: {'shown' if c.equivalent else 'not shown'}."
    if c.test_runs != "none":
        text = f"On these test images, over repetitions: {c.test_runs}, p {probability(c.p_runs)}"
        yield f"{text}, Hedges g {c.effect:.2f}." if math.isfinite(c.effect) else f"{text}."
    if c.note:
        yield f"{c.note[:1].upper()}{c.note[1:].rstrip('.')}."


def _records(cell: Result) -> str:
    shown = " ".join(digest[:12] for digest in cell.digests[:SHOWN_DIGESTS])
    more = len(cell.digests) - SHOWN_DIGESTS
    return f"Records: {shown}{f' and {more} more' if more > 0 else ''}."
