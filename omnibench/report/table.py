"""The table that every renderer takes: typed columns, rows of cells, a caption, a picture."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

DASH = "\N{EN DASH}"  # where there is no number

# What a reader may select: a column under one of these heads says of what each row is.
FACETS = ("task", "dataset", "adaptation", "metric")
Facets = Mapping[str, tuple[str, ...]]

Mark = Literal["best", "second", "differs", "seen"]
# What follows a mean; how the best and the second look is each renderer's.
SIGNS: dict[Mark, str] = {"differs": "\N{DAGGER}", "seen": "\N{DOUBLE DAGGER}"}


@dataclass(frozen=True)
class Column:
    """What the cells below a head are.

    Attributes:
        kind: "text"; "number", sorted as one; or "value", a mean with its spread and its marks.
        falling: whether less is better, so that the first sorting is upwards.
        unit: what its numbers are in, where the head says it.
        right: whether print aligns its texts to the right.
        facets: facet -> the values that all of its cells are of.
    """

    head: str
    kind: Literal["text", "number", "value"] = "text"
    falling: bool = False
    unit: str = ""
    right: bool = False
    facets: Facets = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Return the head with its unit."""
        return f"{self.head} ({self.unit})" if self.unit else self.head


@dataclass(frozen=True)
class Cell:
    """What stands in a row below a column.

    Attributes:
        text: as it is printed; of a "value" the mean alone.
        kind: "absent" is a cell of a "value" column without a number.
        value: what its column is sorted by, and what a CSV holds; None comes last.
        std: as it is printed; "" where there is none.
        marks: how it stands to the others of its column.
        partial: "2/3" where the mean is of two repetitions of three.
        details: sentences that are shown when the cell is pointed at, focused or tapped.
        source: what it was made from, as a comment says it.
        key: under which LaTeX cites what it names.
    """

    text: str
    kind: Literal["text", "number", "value", "absent"] = "text"
    value: Any = None
    std: str = ""
    marks: tuple[Mark, ...] = ()
    partial: str = ""
    details: tuple[str, ...] = ()
    source: str = ""
    key: str = ""

    @classmethod
    def from_number(cls, value: float | None, text: str) -> "Cell":
        """Return a number as it is printed; a dash where there is none."""
        return cls(DASH if value is None else text, "number", value)

    @property
    def signs(self) -> str:
        """Return the signs of its marks and the share of its repetitions, to stand behind it."""
        signs = "".join(SIGNS.get(mark, "") for mark in self.marks)
        return f"{signs} ({self.partial})" if self.partial else signs


@dataclass(frozen=True)
class Row:
    """Cells, one a column; the first is its header.

    Attributes:
        group: a line stands between rows of different groups.
    """

    cells: tuple[Cell, ...]
    group: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under a title.

    Attributes:
        rows: none where the caption says it all.
        caption: what a reader must know of it at once.
        picture: name, without its ending, of a picture beside the report that stands above it.
        name: what its label in LaTeX is made of; "" for the title.
        labels: how many of its first columns name a row, and stand in each part of a long table.
        details: sentences on what its numbers rest on, to be read on demand.
        facets: facet -> the values that all of its cells are of.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    caption: str = ""
    picture: str = ""
    name: str = ""
    labels: int = 1
    details: tuple[str, ...] = ()
    facets: Facets = field(default_factory=dict)

    @classmethod
    def from_cells(
        cls,
        title: str,
        columns: Iterable[Column],
        rows: Iterable[Sequence[Cell]],
        caption: str = "",
    ) -> "Table":
        """Return a table of one group of rows."""
        return cls(title, tuple(columns), tuple(Row(tuple(cells)) for cells in rows), caption)

    @classmethod
    def from_texts(
        cls,
        title: str,
        heads: Sequence[str],
        rows: Iterable[Sequence[str]],
        caption: str,
        picture: str = "",
    ) -> "Table":
        """Return a table of texts whose first column names the rows.

        The others are aligned to the right, and are numbers where they hold some.
        """
        body = tuple(
            Row(tuple(Cell(text, "number" if k else "text", _number(text))
                      for k, text in enumerate(row)))
            for row in rows
        )  # fmt: skip
        numbers = [any(row.cells[k].value is not None for row in body) for k in range(len(heads))]
        columns = tuple(
            Column(head, "number" if numbers[k] else "text", right=k > 0)
            for k, head in enumerate(heads)
        )
        return cls(title, columns, body, caption, picture)

    @property
    def heads(self) -> tuple[str, ...]:
        """Return the heads of its columns."""
        return tuple(column.title for column in self.columns)

    @property
    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Return the texts of its cells, row by row."""
        return tuple(tuple(cell.text for cell in row.cells) for row in self.rows)


def _number(text: str) -> float | None:
    try:
        value = float(text.removeprefix("< ").replace("\N{MINUS SIGN}", "-"))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
