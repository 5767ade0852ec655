"""Tables as one long CSV, in full precision."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from typing import Any

from omnibench.report.table import Cell, Row, Table

_COMPARED = (
    "difference",
    "low",
    "high",
    "test",
    "p",
    "p_corrected",
    "family",
    "effect",
    "p_seed",
    "note",
)
COLUMNS = (
    "task",
    "dataset",
    "backbone",
    "adaptation",
    "control",
    "definition",
    "metric",
    "beams",
    "max_tokens",
    "state",
    "mean",
    "std",
    "n",
    "expected",
    "varies",
    "rank",
    "baseline",
    *_COMPARED,
    "digests",
)


def to_csv(tables: Iterable[Table]) -> str:
    """Return one row a cell with `COLUMNS`; what does not exist is empty.

    Values are fractions, or in the unit of their definition (pixels). `p_seed` is the paired t over
    head seeds alone; `rank` is 1 for the best of a column, 2 for the second; `digests` are
    separated by spaces.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for column, row, cell in table.cells:
            if cell.state != "unplanned":
                writer.writerow(_line(table, column, row, cell))
    return out.getvalue()


def _line(table: Table, column: str, row: Row, cell: Cell) -> Mapping[str, Any]:
    dataset, metric = table.place(column)
    line: dict[str, Any] = {
        "task": table.task,
        "dataset": dataset,
        "backbone": row.backbone,
        "adaptation": row.adaptation,
        "control": row.control,
        "definition": table.definition,
        "metric": metric,
        "state": cell.state,
        "mean": cell.mean,
        "std": cell.std,
        "n": cell.n,
        "expected": cell.expected,
        "varies": row.varies,
        "rank": cell.rank or None,
        "digests": " ".join(cell.digests),
    }
    line |= dict(zip(("beams", "max_tokens"), row.settings, strict=False))
    if cell.against is not None:
        line["baseline"] = table.baseline
        line |= {name: getattr(cell.against, name) for name in _COMPARED}
    return {name: _plain(value) for name, value in line.items()}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
