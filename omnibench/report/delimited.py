"""Tables as CSV, in full precision."""

import csv
import io
import math
from typing import Any

from omnibench.report.table import Cell, Table


def to_csv(table: Table) -> str:
    """Return a line of heads and one for each row; what does not exist is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.heads)
    writer.writerows([_plain(cell) for cell in row.cells] for row in table.rows)
    return out.getvalue()


def _plain(cell: Cell) -> Any:
    """Return what a cell is, not how it is printed."""
    value = cell.text if cell.value is None else cell.value
    return None if isinstance(value, float) and not math.isfinite(value) else value
