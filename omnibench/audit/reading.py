"""Read published tables from files, whatever their layout, and say what was taken for granted."""

from pathlib import Path

from omnibench.audit.facts import Facts
from omnibench.audit.grids import read_grids
from omnibench.audit.pasted import read_grid
from omnibench.audit.printed import Reading
from omnibench.audit.published import Row

NOTHING = Facts()


def read_table(path: Path) -> list[Row]:
    """Read one file as `read_tables` does, and say nothing of what was taken for granted."""
    return read_tables(path, NOTHING).rows


def read_tables(path: Path, facts: Facts) -> Reading:
    """Read the tables of one file: CSV with a number a row, or pasted ones.

    Several tables of a pasted file are of one study.

    Raises:
        RequestError: the file or a cell cannot be read, or a number stands twice: named with its
            line and column.
    """
    reading = Reading()
    for grid in read_grids(path):
        part = read_grid(grid, facts)
        reading.rows += part.rows
        for sentence in part.assumed:
            reading.assume(sentence)
    return reading
