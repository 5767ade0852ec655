"""What the records of one definition say: means, spreads, ranks and comparisons."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from omnibench.stats.best import Standing
from omnibench.stats.pair import Comparison
from omnibench.stats.units import Score
from omnibench.task import POINTS

State = Literal["done", "undefined", "failed", "missing", "unplanned"]
SETTINGS = ("beams", "max tokens")
TEXTS = re.compile(r"b(\d+)-t(\d+)")


@dataclass(frozen=True)
class Result:
    """One unit under one metric; values are fractions, or in the metric's unit.

    Attributes:
        state: "undefined" where a repetition has no value, "unplanned" where the suite asks for
            none. Only a done cell has a mean.
        std: sample standard deviation (ddof = 1); None for a single repetition.
        n, expected: repetitions that are there and that were asked for.
        rank: 1 for the best mean of its column and adaptation, 2 for the second, equal ones alike;
            else 0, as where repetitions are missing.
        standing: among the backbones of the same column, adaptation and decoding; None where that
            was not asked.
        against: the comparison with the baseline; None for the baseline itself or without one.
        seen: collections of images that both its test images and its backbone's pretraining
            data come from.
        digests: of the records behind it.
        decimals: of points, as a published number was printed.
    """

    state: State
    mean: float = math.nan
    std: float | None = None
    n: int = 0
    expected: int = 0
    rank: int = 0
    standing: Standing | None = None
    against: Comparison | None = None
    seen: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    decimals: int = 2

    @property
    def significant(self) -> bool:
        """Return whether it differs from the baseline after correction."""
        return self.against is not None and self.against.verdict in ("better", "worse")

    @property
    def leading(self) -> bool:
        """Return whether it may be the best of its column; unless asked, whether its mean is."""
        return self.rank == 1 if self.standing is None else self.standing.place == "best"

    @property
    def partial(self) -> bool:
        """Return whether repetitions are missing from its mean."""
        return self.state == "done" and self.n < self.expected


@dataclass(frozen=True)
class ResultRow:
    """One backbone with one adaptation and, of generated texts, one decoding.

    Attributes:
        varies: what differs between its repetitions; "" where there is no record.
        control: whether the backbone is a control: one draw of random weights, or a floor.
        cells: one for each column.
        decoding: "b5-t64" for 5 beams and at most 64 tokens, or another view of the predictions;
            "" of a test set itself.
        published: "own", "rerun" or "cited" for numbers that the table's study printed; "" for
            one's own.
        definition: of its numbers, in a table that holds several; else "".
        dataset: that its cells are of, in a table whose columns are metrics; else "".
        made: the backbone that was made of this one; "" where none was.
    """

    backbone: str
    adaptation: str
    varies: str
    control: bool
    cells: tuple[Result, ...]
    decoding: str = ""
    published: str = ""
    definition: str = ""
    dataset: str = ""
    made: str = ""

    @property
    def settings(self) -> tuple[str, ...]:
        """Return beams and the largest number of tokens; () without generated texts."""
        match = TEXTS.fullmatch(self.decoding)
        return match.groups() if match else ()


@dataclass(frozen=True)
class Results:
    """Results of one task: a metric over datasets, or metrics on datasets or on generated texts.

    Attributes:
        metric: what all cells are; "" where each column is another metric.
        columns: datasets; of generated texts, metrics.
        baseline: the backbone that the others are tested against, if any.
        lower_is_better: those of its metrics that improve downwards.
        notes: dataset -> what a reader must know of it.
        units: metric -> what its values are in, where they are no fractions, printed x 100.
        dataset: what all cells are of; "" where each column is another dataset.
        correction: of the daggers' p-values.
        study: "STUDY, Table 3" of a table in the shape of a published one, with its numbers.
        members: datasets that each cell is taken over; () where it is of one.
        scores: column -> definition and metric, in a table whose columns are metrics of several
            definitions; {} in others.
        left: metrics that are undefined in every row, and so no columns.
        undirected: those of its metrics of which no value is better than another.
    """

    task: str
    definition: str
    metric: str
    columns: tuple[str, ...]
    rows: tuple[ResultRow, ...]
    baseline: str | None
    lower_is_better: frozenset[str] = frozenset()
    notes: tuple[tuple[str, str], ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    dataset: str = ""
    correction: str = "holm"
    study: str = ""
    members: tuple[str, ...] = ()
    scores: Mapping[str, Score] = field(default_factory=dict)
    left: tuple[str, ...] = ()
    undirected: frozenset[str] = frozenset()

    @property
    def title(self) -> str:
        """Return the task and what the table is of."""
        if self.study:
            return f"{self.task}: as in {self.study}, {self.metric or self.dataset}"
        if self.scores:
            return f"{self.task}: {self.dataset}" if self.dataset else self.task
        return f"{self.task}: {self.metric or f'{self.definition} on {self.dataset}'}"

    @property
    def decoded(self) -> bool:
        """Return whether it is of generated texts."""
        return any(row.settings for row in self.rows)

    @property
    def several(self) -> bool:
        """Return whether its rows are of several datasets."""
        return len({row.dataset for row in self.rows}) > 1

    @property
    def heads(self) -> tuple[str, ...]:
        """Return what stands over a row's labels."""
        source = ("source", "definition") if self.study else ()
        backbone = (
            ("backbone", "made from") if any(row.made for row in self.rows) else ("backbone",)
        )
        dataset = ("dataset",) * self.several
        return (*dataset, *backbone, "adaptation", *source, *(SETTINGS * self.decoded))

    def labels(self, row: ResultRow) -> tuple[str, ...]:
        """Return what stands before a row's values, under `heads`; backbones by their ids."""
        source = f"published ({row.published})" if row.published else "this suite"
        origin = (source, row.definition) if self.study else ()
        settings = row.settings or ("", "") * self.decoded
        start = (row.made, row.backbone) if "made from" in self.heads else (row.backbone,)
        dataset = (row.dataset,) * self.several
        return (*dataset, *start, row.adaptation, *origin, *settings)

    def place(self, column: str, row: ResultRow | None = None) -> tuple[str, str]:
        """Return dataset and metric of a column, or of a cell.

        Args:
            row: of the cell, where rows are of several datasets.
        """
        if self.metric:
            return column, self.metric
        return (row.dataset if row else "") or self.dataset, column

    def score(self, column: str) -> Score:
        """Return definition and metric of a column."""
        return self.scores.get(column, (self.definition, self.place(column)[1]))

    def unit_of(self, column: str) -> str:
        """Return what the values of a column are in."""
        return self.units.get(self.place(column)[1], POINTS)

    @property
    def unit(self) -> str:
        """Return what its values are in; where that differs by metric, what most are in."""
        units = Counter(map(self.unit_of, self.columns or (self.metric,)))
        return units.most_common(1)[0][0]

    @property
    def cells(self) -> list[tuple[str, ResultRow, Result]]:
        """Return (column, row, cell) of every cell, row by row."""
        return [
            (column, row, cell)
            for row in self.rows
            for column, cell in zip(self.columns, row.cells, strict=True)
        ]
