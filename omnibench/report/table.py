"""The table model that every renderer reads."""

import math
from dataclasses import dataclass
from typing import Literal

from omnibench.report.numbers import POINTS
from omnibench.stats.pair import Comparison

SIGNIFICANT = 0.05

State = Literal["done", "undefined", "failed", "missing", "unplanned"]
NO_NUMBER = ("undefined", "unplanned")  # printed as a dash, said in the caption


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
    """One backbone with one adaptation and, of generated texts, one decoding.

    Attributes:
        varies: what differs between its repetitions; "" where there is no record.
        control: whether the backbone is a `random:` control.
        cells: one for each column.
        decoding: "b5-t64" for 5 beams and at most 64 tokens; "" without generated texts.
    """

    backbone: str
    adaptation: str
    varies: str
    control: bool
    cells: tuple[Cell, ...]
    decoding: str = ""

    @property
    def settings(self) -> tuple[str, ...]:
        """Return beams and the largest number of tokens; () without generated texts."""
        beams, _, tokens = self.decoding.removeprefix("b").partition("-t")
        return (beams, tokens) if self.decoding else ()

    @property
    def labels(self) -> tuple[str, ...]:
        """Return what stands before its values, under the table's `heads`."""
        return (self.backbone, self.adaptation, *self.settings)


@dataclass(frozen=True)
class Table:
    """One definition of one task: a metric over datasets, or metrics on the texts of a dataset.

    Attributes:
        metric: what all cells are; "" where each column is another metric.
        columns: datasets; of generated texts, metrics.
        baseline: the backbone that the others are tested against, if any.
        lower_is_better: those of its metrics that improve downwards.
        notes: dataset -> what a reader must know of it.
        unit: "points" where values are fractions, printed x 100; else what they are in.
        dataset: what all cells are of; "" where each column is another dataset.
    """

    task: str
    definition: str
    metric: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    baseline: str | None
    lower_is_better: frozenset[str] = frozenset()
    notes: tuple[tuple[str, str], ...] = ()
    unit: str = POINTS
    dataset: str = ""

    @property
    def title(self) -> str:
        """Return the task and what the table is of."""
        return f"{self.task}: {self.metric or f'{self.definition} on {self.dataset}'}"

    @property
    def heads(self) -> tuple[str, ...]:
        """Return what stands over a row's labels."""
        return ("backbone", "adaptation", *(() if self.metric else ("beams", "max tokens")))

    def place(self, column: str) -> tuple[str, str]:
        """Return dataset and metric of a column."""
        return (column, self.metric) if self.metric else (self.dataset, column)

    @property
    def cells(self) -> list[tuple[str, Row, Cell]]:
        """Return (column, row, cell) of every cell, row by row."""
        return [
            (column, row, cell)
            for row in self.rows
            for column, cell in zip(self.columns, row.cells, strict=True)
        ]
