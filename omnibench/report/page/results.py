"""The printed tables and their comparisons as grids."""

import math
from collections.abc import Iterable, Mapping

from omnibench.report.captions import caption
from omnibench.report.numbers import POINTS, number, probability
from omnibench.report.page.details import details
from omnibench.report.page.grid import Entry, Grid, Head, number_entry
from omnibench.report.page.words import listed
from omnibench.report.plain import PlainTable
from omnibench.report.sentences import EQUIVALENCE
from omnibench.report.table import NO_NUMBER, SETTINGS, Cell, Row, Table
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, split_decoding


def metric_grid(table: Table) -> Grid:
    """Return a printed table, each cell with its details."""
    heads = [Head(text, number=text in SETTINGS) for text in table.heads]
    heads += [
        Head(column, True, table.place(column)[1] in table.lower_is_better)
        for column in table.columns
    ]
    rows = [
        (
            *(_label(text) for text in table.labels(row)),
            *(
                _entry(table, column, row, cell)
                for column, cell in zip(table.columns, row.cells, strict=True)
            ),
        )
        for row in table.rows
    ]
    return Grid(table.title, tuple(heads), tuple(rows), caption(table))


def _label(text: str) -> Entry:
    return Entry(text, order=float(text) if text.isdecimal() else None)


def _entry(table: Table, column: str, row: Row, cell: Cell) -> Entry:
    said = details(table, column, row, cell)
    if cell.state != "done":
        text = "\N{EN DASH}" if cell.state in NO_NUMBER else cell.state
        return Entry(text, "absent", details=said)
    marks = "\N{DAGGER}" if cell.significant else ""
    marks += "\N{DOUBLE DAGGER}" if cell.seen else ""
    marks += f" ({cell.n}/{cell.expected})" if cell.partial else ""
    std = "" if cell.std is None else number(cell.std, table.unit, decimals=cell.decimals)
    mean = number(cell.mean, table.unit, decimals=cell.decimals)
    return Entry(mean, "value", cell.mean, std, marks, cell.leading, cell.rank == 2, said)


def comparison_grid(
    comparisons: Iterable[Comparison],
    names: Mapping[Score, str],
    units: Mapping[str, str],
    equivalence: Mapping[Comparison, bool] | None = None,
) -> Grid:
    """Return a row for each comparison, all of them with one baseline.

    Args:
        names: what each metric is called.
        units: definition -> what its values are in.
        equivalence: whether it is shown within the suite's margin, where that was asked.
    """
    found, shown = list(comparisons), equivalence or {}
    rows = [
        _compared(c, names[c.definition, c.metric], units.get(_definition(c), POINTS))
        for c in found
    ]
    heads: tuple[Head, ...] = (
        *(Head("backbone"), Head("dataset"), Head("metric"), Head("adaptation")),
        *(Head("difference", True), Head("95 % interval", True), Head("p", True, True)),
        *(Head("corrected p", True, True), Head("Hedges g", True), Head("test"), Head("note")),
    )
    if shown:
        heads = (*heads, Head("equivalence"))
        words = [EQUIVALENCE[shown[c]] if c in shown else "" for c in found]
        rows = [(*row, Entry(word)) for row, word in zip(rows, words, strict=True)]
    baselines = listed(c.backbone_b for c in found)
    return Grid(f"Differences from {baselines}", heads, tuple(rows))


def _definition(c: Comparison) -> str:
    return split_decoding(c.definition)[0]


def _compared(c: Comparison, metric: str, unit: str) -> tuple[Entry, ...]:
    known = math.isfinite(c.low) and math.isfinite(c.high)
    interval = f"{number(c.low, unit)} to {number(c.high, unit)}" if known else "\N{EN DASH}"
    difference = number(c.difference, unit, signed=True)
    difference += "" if unit == POINTS else f" {unit}"
    return (
        *map(Entry, (c.backbone_a, c.dataset, metric, c.adaptation)),
        number_entry(_finite(c.difference), difference),
        Entry(interval, "number", _finite(c.low)),
        number_entry(_finite(c.p), _p(c.p)),
        number_entry(_finite(c.p_corrected), _p(c.p_corrected)),
        number_entry(_finite(c.effect), f"{c.effect:.2f}"),
        Entry("not tested" if c.test == "none" else c.test),
        Entry(c.note),
    )


def plain_grid(table: PlainTable) -> Grid:
    """Return a table of texts; columns are sorted as numbers where they hold some."""
    rows = tuple(
        tuple(Entry(text, "number" if k else "text", _number(text)) for k, text in enumerate(row))
        for row in table.rows
    )
    heads = tuple(
        Head(head, any(row[k].order is not None for row in rows))
        for k, head in enumerate(table.heads)
    )
    return Grid(table.title, heads, rows, table.caption)


def _p(p: float) -> str:
    return probability(p).removeprefix("= ") if math.isfinite(p) else ""


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(text: str) -> float | None:
    try:
        return _finite(float(text.removeprefix("< ").replace("\N{MINUS SIGN}", "-")))
    except ValueError:
        return None
