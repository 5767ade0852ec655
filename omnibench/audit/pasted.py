"""Make rows of a pasted table, whether it has a number a line or many."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from omnibench.audit.columns import NUMBERS, check_header, is_long, row_from_texts
from omnibench.audit.facts import Facts
from omnibench.audit.grids import Grid
from omnibench.audit.headings import canonical
from omnibench.audit.markup import name, plain
from omnibench.audit.printed import Reading, columns_of, number, place
from omnibench.audit.published import Row
from omnibench.audit.wide import wide_texts
from omnibench.errors import RequestError

# Other names of the columns of a table with a number a line.
_NAMES = {
    "method": "model", "backbone": "model", "encoder": "model", "network": "model",
    "value": "mean", "score": "mean", "result": "mean", "sd": "std", "stdev": "std",
    "sem": "se", "runs": "n", "seeds": "n", "repetitions": "n", "data": "dataset",
}  # fmt: skip


def read_grid(grid: Grid, facts: Facts) -> Reading:
    """Return the rows of a table.

    Raises:
        RequestError: a cell cannot be read, named by line and column; a number stands twice; or
            there is none.
    """
    if not grid.lines:
        raise RequestError(f"{grid.source} holds a table without lines")
    reading = Reading(assumed=[f"table {grid.name}: {note}" for note in grid.notes])
    header = _column_names(grid.lines[0].cells)
    if is_long(header):
        texts: Iterable[tuple[int, str, Mapping[str, str]]] = _long(grid, header, facts, reading)
    else:
        texts = wide_texts(grid, facts, reading)
    marks: dict[str, str] = {}
    rows: dict[tuple[str, ...], Row] = {}
    for line, column, cells in texts:
        where = place(grid, line, column) if column else f"{grid.source}: line {line}"
        _refuse_mixed_marks(cells.get("mark", ""), where, marks)
        row = row_from_texts(cells, grid.source, line, where)
        if row.place in rows:
            raise RequestError(
                f"{where}: {row.metric} of {row.model} on {row.dataset} in table {row.table} "
                f"stands twice, on line {rows[row.place].line} too"
            )
        rows[row.place] = row
    if not rows:
        why = "".join(f"; {sentence}" for sentence in reading.assumed)
        raise RequestError(f"{grid.source}: table {grid.name} has no rows of numbers{why}")
    reading.rows = list(rows.values())
    return reading


def _column_names(cells: Sequence[str]) -> list[str]:
    """Return the names of columns, in other words where the usual one does not stand beside."""
    texts = [name(cell).casefold().replace(" ", "_") for cell in cells]
    return [text if _NAMES.get(text) in texts else _NAMES.get(text, text) for text in texts]


def _refuse_mixed_marks(mark: str, place: str, marks: dict[str, str]) -> None:
    """Refuse decimal commas beside decimal points: one of them is a slip or parts thousands."""
    marks.setdefault(mark, place)
    if "." in marks and "," in marks:
        other = next(seen for seen in marks if seen and seen != mark)
        raise RequestError(
            f"{place} has a decimal {'comma' if mark == ',' else 'point'}, but {marks[other]} a "
            f"decimal {'comma' if other == ',' else 'point'}; write all numbers of the table alike"
        )


def _long(
    grid: Grid, header: list[str], facts: Facts, reading: Reading
) -> Iterator[tuple[int, str, dict[str, str]]]:
    for sentence in check_header(header, grid.source):
        reading.assume(sentence)
    for line in grid.lines[1:]:
        cells = line.cells if grid.separator else map(plain, line.cells)
        texts = dict(zip(header, cells, strict=True))
        for column in NUMBERS[1:]:
            if texts.get(column):
                size = number(texts[column], grid, line.number, column)
                texts[column] = size.mean if size else ""
        cell = number(texts["mean"], grid, line.number, "mean")
        if cell is None:
            raise RequestError(
                f"{grid.source}: line {line.number}: mean is '{texts['mean']}', not a number such "
                "as 91.67"
            )
        printed = columns_of(cell, facts, reading, place(grid, line.number, "mean"))
        texts.update({key: text for key, text in printed.items() if not texts.get(key)})
        texts["mean"] = cell.mean
        texts["metric"] = canonical(texts["metric"])
        texts.setdefault("table", grid.source.stem)
        texts.setdefault("role", "rerun")
        yield line.number, "", texts
