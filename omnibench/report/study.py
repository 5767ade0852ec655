"""Everything that a report's page and its figures are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from omnibench.report.across import across_tables
from omnibench.report.complete import Complete, completed
from omnibench.report.numbers import POINTS
from omnibench.report.plain import PlainTable
from omnibench.report.table import Table
from omnibench.report.write_latent import Latent
from omnibench.states import CellState
from omnibench.stats.cases import Stored
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score, split_decoding
from omnibench.store import RecordStore
from omnibench.unregistered import Unregistered


@dataclass(frozen=True)
class Study:
    """A suite, what its records say, and what the statistics made of them.

    Attributes:
        correction: as the suite names it.
        states: of every cell that the suite asks for.
        values: the long table of `units.COLUMNS`.
        comparisons: of the printed metrics with the baseline.
        chosen: the printed tables, one for each definition (with its decoding) and metric.
        shown: the same as they are printed.
        every: the tables of every metric there is, as the CSV holds them.
        published: tables of published studies in their own shape, one's own numbers beside them.
        predictions: digest of a record -> what it stored.
        reproduction: each published number that one's own stands beside, compared.
        margin: declared for equivalence, in points of the primary metric.
        unregistered: backbones whose records lie beside these and that nothing registers now.
        equivalence: of comparisons of a primary metric whether it is shown within the margin.
    """

    name: str
    baseline: str | None
    correction: str
    states: Sequence[CellState]
    store: RecordStore
    values: pd.DataFrame
    comparisons: Sequence[Comparison]
    chosen: Sequence[Table]
    shown: Sequence[Table]
    every: Sequence[Table]
    predictions: Callable[[str], Stored]
    latent: Latent = field(default_factory=Latent)
    published: Sequence[Table] = ()
    reproduction: Sequence[PlainTable] = ()
    margin: float | None = None
    equivalence: Mapping[Comparison, bool] = field(default_factory=dict)
    unregistered: Sequence[Unregistered] = ()

    @property
    def finished(self) -> list[tuple[CellState, Mapping[str, Any]]]:
        """Return every done cell and its record, in the suite's order."""
        return [
            (state, state.record)
            for state in self.states
            if state.state == "done" and state.record is not None
        ]

    @property
    def primary(self) -> dict[str, Table]:
        """Return the table of each task's first metric that has a mean anywhere.

        Of texts under the last decoding.
        """
        first: dict[str, tuple[Score, Table]] = {}
        for table in self.chosen:
            if all(cell.state != "done" for _, _, cell in table.cells):
                continue
            score = (split_decoding(table.definition)[0], table.metric)
            if table.task not in first or first[table.task][0] == score:
                first[table.task] = (score, table)
        return {task: table for task, (_, table) in first.items()}

    def unit_of(self, definition: str) -> str:
        """Return what the values of a definition are in."""
        name = split_decoding(definition)[0]
        units = {split_decoding(t.definition)[0]: t.unit for t in self.chosen}
        return units.get(name, POINTS)

    @cached_property
    def complete(self) -> list[Complete]:
        """Return what of each task's first metric is complete over several datasets."""
        return list(completed(self.primary.values(), self.values))

    @cached_property
    def across(self) -> list[PlainTable]:
        """Return what is said over several datasets; made once, as its bootstrap takes a while."""
        return across_tables(self.complete, self.baseline, self.correction)
