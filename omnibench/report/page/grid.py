"""What the page's template draws: tables that can be sorted and filtered, and pictures."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["text", "number", "value", "absent"]


@dataclass(frozen=True)
class Head:
    """A column's head.

    Attributes:
        number: whether its entries are sorted as numbers.
        falling: whether less is better, so that the first sorting is upwards.
    """

    text: str
    number: bool = False
    falling: bool = False


@dataclass(frozen=True)
class Entry:
    """A table's cell.

    Attributes:
        text: of a "value" its mean.
        kind: "value" is a mean with its spread, "absent" a cell without a number.
        order: what a column of numbers is sorted by; None comes last, whichever the direction.
        std, marks: printed after a mean.
        leading: whether it is the best mean of its column or not told apart from it.
        second: whether it is the second mean.
        details: sentences that are shown when the cell is pointed at, focused or tapped.
    """

    text: str
    kind: Kind = "text"
    order: float | None = None
    std: str = ""
    marks: str = ""
    leading: bool = False
    second: bool = False
    details: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """A table; the first entry of each row is its header.

    Attributes:
        note: what stands below it.
    """

    title: str
    heads: tuple[Head, ...]
    rows: tuple[tuple[Entry, ...], ...]
    note: str = ""

    @property
    def mean_width(self) -> int:
        """Return the characters of the longest mean."""
        return max((len(e.text) for row in self.rows for e in row if e.kind == "value"), default=0)

    @property
    def std_width(self) -> int:
        """Return the characters of the longest spread."""
        return max((len(e.std) for row in self.rows for e in row), default=0)

    @property
    def marks_width(self) -> int:
        """Return the characters of the longest marks."""
        return max((len(e.marks) for row in self.rows for e in row), default=0)


@dataclass(frozen=True)
class Image:
    """A picture inside the page.

    Attributes:
        source: a `data:` address.
        alt: what it shows, for those who do not see it.
        folded: whether it is shown on demand only.
        width: in pixels, at which its letters are as large as the page's; a narrower screen
            scrolls it. None: as wide as it is, or as the screen.
    """

    title: str
    source: str
    alt: str
    caption: str = ""
    folded: bool = False
    width: int | None = None


def number_entry(value: float | None, text: str) -> Entry:
    """Return a number as text, sorted by its value; a dash where there is none."""
    return Entry("\N{EN DASH}" if value is None else text, "number", value)
