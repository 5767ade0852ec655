"""The table model that every renderer reads."""

import math
from dataclasses import dataclass
from typing import Literal

from omnibench.report.numbers import POINTS
from omnibench.stats.pair import Comparison

SIGNIFICANT = 0.05

State = Literal["done", "undefined", "failed", "missing", "unplanned"]


@dataclass(frozen=True)
class Cell:
    """One unit under one metric; values are fractions, or in the unit of its table.

    Attributes:
        state: "undefined" where a repetition has no value, "unplanned" where the suite asks for
            none. Only a done cell has a mean.
        std: sample standard deviation (ddof = 1); None for a single repetition.
        n, expected: repetitions that are there and that were asked for.
        rank: 1 for the best of its column, 2 for the second, all tied alike; else 0.
        against: the comparison with the baseline; None for the baseline itself or without one.
        digests: of the records behind it.
    """

    state: State
    mean: float = math.nan
    std: float | None = None
    n: int = 0
    expected: int = 0
    rank: int = 0
    against: Comparison | None = None
    digests: tuple[str, ...] = ()

    @property
    def significant(self) -> bool:
        """Whether it differs from the baseline after correction."""
        return self.against is not None and self.against.p_corrected < SIGNIFICANT

    @property
    def partial(self) -> bool:
        """Whether repetitions are missing from its mean."""
        return self.state == "done" and self.n < self.expected


@dataclass(frozen=True)
class Row:
    """One backbone with one adaptation.

    Attributes:
        varies: what differs between its repetitions; "" where there is no record.
        control: whether the backbone is a `random:` control.
        cells: one for each column.
    """

    backbone: str
    adaptation: str
    varies: str
    control: bool
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """One metric of one task under one definition.

    Attributes:
        columns: datasets.
        baseline: the backbone that the others are tested against, if any.
        lower_is_better: whether the metric improves downwards.
        notes: dataset -> what a reader must know of it.
        unit: "points" where values are fractions, printed x 100; else what they are in.
    """

    task: str
    definition: str
    metric: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    baseline: str | None
    lower_is_better: bool
    notes: tuple[tuple[str, str], ...] = ()
    unit: str = POINTS

    @property
    def title(self) -> str:
        """Return task and metric."""
        return f"{self.task}: {self.metric}"

    @property
    def cells(self) -> list[tuple[str, Row, Cell]]:
        """Return (dataset, row, cell) of every cell, row by row."""
        return [
            (column, row, cell)
            for row in self.rows
            for column, cell in zip(self.columns, row.cells, strict=True)
        ]
