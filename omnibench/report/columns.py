"""Further columns of the tables: what records tell of a unit beside its metrics."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from omnibench.cards import BackboneCard
from omnibench.catalogue import columns
from omnibench.errors import RequestError
from omnibench.report.table import Cell, Column
from omnibench.report.words import failure

log = logging.getLogger("omnibench")


@dataclass(frozen=True)
class RowFacts:
    """What a row of a table is of.

    Attributes:
        task, adaptation: the adaptation as its short form names it.
        records: the done ones, of one unit; in a table of results, of all its datasets.
    """

    task: str
    backbone: BackboneCard
    adaptation: str
    records: Sequence[Mapping[str, Any]]

    def costs(self, name: str) -> list[float]:
        """Return what the records say of one cost, as measured."""
        costs = (record["cost"].get(name) for record in self.records)
        return [cost for cost in costs if isinstance(cost, int | float)]


@dataclass(frozen=True)
class FurtherColumn:
    """A column that is computed from the records of a row.

    Attributes:
        compute: a number, a text, or None where there is none.
        unit: what its numbers are in, as the head says it.
        decimals: of its numbers.
        falling: whether less is better, so that the first sorting is upwards.
        table: "results", behind the metrics of every printed table, or "costs".
    """

    name: str
    head: str
    compute: Callable[[RowFacts], float | str | None]
    unit: str = ""
    decimals: int = 2
    falling: bool = False
    table: Literal["results", "costs"] = "results"


def check_column(column: FurtherColumn) -> None:
    """Refuse what is no further column.

    Raises:
        RequestError: naming the member.
    """
    if not isinstance(column, FurtherColumn):
        raise RequestError(f"a column is {column!r:.60}, where a FurtherColumn is due")
    if not callable(column.compute):
        raise RequestError(f"the column '{column.name}': `compute` is no function of a row's facts")
    if column.table not in ("results", "costs"):
        raise RequestError(
            f"the column '{column.name}': `table` is '{column.table}', neither results nor costs"
        )


def further_columns(
    table: Literal["results", "costs"], rows: Sequence[RowFacts | None]
) -> Iterator[tuple[Column, list[Cell]]]:
    """Yield each registered column of a kind of table, with a cell for each of its rows.

    Of costs, those that no row has are left out.
    A column that raises is left out and named in a warning with its file.

    Args:
        rows: None where a row is of no record.
    """
    for name in columns:
        try:
            column = columns.get(name)
        except RequestError as error:
            log.warning("The column '%s' is left out: %s", name, error)
            continue
        if column.table != table:
            continue
        try:
            values = [None if facts is None else column.compute(facts) for facts in rows]
            cells = [_cell(value, column.decimals) for value in values]
        except Exception as error:
            log.warning("%s", failure(f"column '{name}'", column.compute, error))
            continue
        if table == "costs" and all(value is None for value in values):
            continue  # of what nothing here has measured
        texts = any(isinstance(value, str) for value in values)
        kind: Literal["text", "number"] = "text" if texts else "number"
        yield Column(column.head, kind, column.falling, column.unit, right=not texts), cells


def _cell(value: float | str | None, decimals: int) -> Cell:
    if isinstance(value, str):
        return Cell(value)
    return Cell.from_number(value, "" if value is None else f"{value:,.{decimals}f}")
