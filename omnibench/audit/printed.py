"""Say what one printed cell is, as the columns of a row, and what was taken for granted."""

from dataclasses import dataclass, field

from omnibench.audit.cells import Value, value
from omnibench.audit.facts import Facts
from omnibench.audit.grids import Grid
from omnibench.audit.published import Row
from omnibench.errors import RequestError
from omnibench.terminal import printable

_READINGS = {
    "std": "a standard deviation over runs (ddof = 1)",
    "se": "a standard error over runs",
    "ci": "half of a 95 % interval",
}


@dataclass
class Reading:
    """Rows of a table, and what was taken for granted: sentences, in the order they came up."""

    rows: list[Row] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def assume(self, sentence: str) -> None:
        """Add a sentence, unless it is there."""
        if sentence not in self.assumed:
            self.assumed.append(sentence)


def columns_of(cell: Value, facts: Facts, reading: Reading, place: str) -> dict[str, str]:
    """Return the columns that a cell fills.

    Raises:
        RequestError: a whole number stands in brackets behind one with decimals: named by place.
    """
    texts = {"mean": cell.mean, "mark": cell.mark, "unit": "percent" if cell.percent else ""}
    texts |= {"ci_low": cell.low, "ci_high": cell.high}
    if cell.level:
        texts["ci_level"] = cell.level
    if cell.low and not cell.level:
        reading.assume("an interval without a level is one of 95 %")
    if cell.size:
        if cell.bracketed and "." in cell.mean and "." not in cell.size and not facts.spread:
            raise RequestError(
                f"{place}: {cell.mean} ({cell.size}) may be a spread of {cell.size} or of so many "
                "last digits, a rank or a reference; write what it is, or say --spread"
            )
        spread = facts.spread or "std"
        where = "one number in brackets" if cell.bracketed else "what follows ±"
        why = " (--spread)" if facts.spread else "; --spread says else"
        reading.assume(f"{where} is {_READINGS[spread]}{why}")
        texts |= _spread(cell, spread)
    return texts


def _spread(cell: Value, spread: str) -> dict[str, str]:
    if spread != "ci":
        return {spread: cell.size}
    digits = max(len(text.partition(".")[2]) for text in (cell.mean, cell.size))
    mean, half = float(cell.mean), float(cell.size)
    return {"ci_low": f"{mean - half:.{digits}f}", "ci_high": f"{mean + half:.{digits}f}"}


def number(text: str, grid: Grid, line: int, column: str, model: str = "") -> Value | None:
    """Read a cell; None of an absent number.

    Raises:
        RequestError: it is no number, named by line and column.
    """
    try:
        return value(text)
    except RequestError as reason:
        shown = printable(text)[:60]
        raise RequestError(f"{place(grid, line, column, model)}: '{shown}' {reason}") from None


def place(grid: Grid, line: int, column: str, model: str = "") -> str:
    """Return where a cell stands, in words."""
    of = f" ({model})" if model else ""
    return f"{grid.source}: line {line}{of}, column '{column}'"
