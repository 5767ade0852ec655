"""Published numbers of a study, each with the finished number of one's own that answers it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from omnibench.audit import published
from omnibench.audit.implied import aggregate, allowed, claimed_n, implied_n
from omnibench.audit.reproduction import Prediction, predicted
from omnibench.audit.shipped import find_tables
from omnibench.audit.study import FOUR_DECIMALS
from omnibench.report.published import members_of, pooled
from omnibench.report.table import Cell, Table
from omnibench.states import CellState
from omnibench.stats.result import RefusedError
from omnibench.stats.t_tests import Summary

Place = tuple[str, str, str, str]  # task, dataset, backbone, adaptation


@dataclass(frozen=True)
class Line:
    """One published number and one's own; own values in the published unit.

    Attributes:
        own: None while it is not finished, and `state` says how it is.
        expected: repetitions that the suite asks for.
        claimed, implied: where one's own mean is expected by the printed numbers, for n as claimed
            and as implied; None where that cannot be told, for the reasons in `refused`.
    """

    row: published.Row
    own: Summary | None
    state: str
    expected: int
    claimed: Prediction | None = None
    implied: Prediction | None = None
    refused: str = ""


@dataclass(frozen=True)
class Reproduced:
    """One published table.

    Attributes:
        lines: of the numbers that the suite asks for.
        printed: all that the study's authors computed.
        implied: the n that the study's numbers imply instead of the one claimed, if any.
    """

    table: str
    lines: tuple[Line, ...]
    printed: tuple[published.Row, ...]
    implied: int | None


def reproduced(
    study: str, tables: Sequence[Table], states: Sequence[CellState]
) -> Iterator[Reproduced]:
    """Yield each published table of a shipped study, with arguments as `reproduction_tables`."""
    everything = [row for path in find_tables(study) for row in published.read_table(path)]
    claimed, implied = _repetitions(everything)
    by_name = {name: list(group) for name, group in groupby(everything, lambda row: row.table)}
    planned = Counter(_place_of(state) for state in states)
    known = {(table.definition, table.metric): table for table in tables}
    for name, group in by_name.items():
        rows = [row for row in group if row.role != "cited" and row.backbone_id]
        members = members_of(group, by_name)
        lines = tuple(
            _line(row, known.get((row.definition, row.metric)), members, expected, claimed, implied)
            for row in rows
            if (expected := _expected(row, members, planned))
        )
        yield Reproduced(name, lines, tuple(rows), implied)


def _repetitions(rows: Sequence[published.Row]) -> tuple[int | None, int | None]:
    """The n that the study claims, and the one that its numbers imply instead, if any."""
    claimed = claimed_n(rows)
    grims = [allowed(row, FOUR_DECIMALS) for row in rows]
    aggregates = [aggregate(row, rows) for row in rows if row.members]
    return claimed, implied_n(claimed, grims, aggregates)


def _place_of(state: CellState) -> Place:
    unit = state.cell.unit
    return unit.task, unit.dataset.id, unit.backbone.id, unit.short


def _expected(row: published.Row, members: Sequence[str], planned: Counter[Place]) -> int:
    """Repetitions that the suite asks for; 0 where an aggregate lacks one of its datasets."""
    datasets = members if row.members else [row.dataset_id]
    return min(planned[row.task, name, row.backbone_id, row.adaptation] for name in datasets)


def _line(
    row: published.Row,
    table: Table | None,
    members: Sequence[str],
    expected: int,
    claimed: int | None,
    implied: int | None,
) -> Line:
    cell = _own(row, table, members)
    if cell is None or cell.state != "done":
        return Line(row, None, cell.state if cell else "missing", expected)
    scale = 100 if row.unit == "percent" else 1
    std = None if cell.std is None else scale * cell.std
    if row.members:  # what its runs and datasets spread is no interval of the mean
        own = Summary(scale * cell.mean, None, cell.n // len(members), row.definition)
        return Line(row, own, "done", expected, refused="its ± is over datasets")
    own = Summary(scale * cell.mean, std, cell.n, row.definition)
    try:
        as_claimed = predicted(own, row.summary(row.n))
    except RefusedError as reason:
        return Line(row, own, "done", expected, refused=str(reason))
    if implied is None or row.n != claimed:
        return Line(row, own, "done", expected, as_claimed)
    return Line(row, own, "done", expected, as_claimed, predicted(own, row.summary(implied)))


def _own(row: published.Row, table: Table | None, members: Sequence[str]) -> Cell | None:
    for candidate in table.rows if table else ():
        if (candidate.backbone, candidate.adaptation) == (row.backbone_id, row.adaptation):
            cells = dict(zip(table.columns, candidate.cells, strict=True)) if table else {}
            return pooled(cells, members) if row.members else cells.get(row.dataset_id)
    return None
