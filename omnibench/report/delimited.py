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
    "published",
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
    "standing",
    "baseline",
    *_COMPARED,
    "seen",
    "digests",
)


def to_csv(tables: Iterable[Table]) -> str:
    """Return one row a cell with `COLUMNS`; what does not exist is empty.

    Values are fractions, or in the unit of their definition (pixels). `p_seed` is the paired t over
    head seeds alone; `rank` is 1 for the best mean of a column, 2 for the second; `standing` is
    that among the same adaptation and decoding; `seen` (collections that the backbone's pretraining
    shares with the test images) and `digests` are separated by spaces.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for column, row, cell in table.cells:
            # One's own rows of a table in a published shape stand in the other tables already.
            if cell.state != "unplanned" and bool(row.published) == bool(table.study):
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
        "published": f"{table.study} ({row.published})" if row.published else None,
        "definition": row.definition or table.definition,
        "metric": metric,
        "state": cell.state,
        "mean": cell.mean,
        "std": cell.std,
        "n": cell.n,
        "expected": cell.expected,
        "varies": row.varies,
        "rank": cell.rank or None,
        "standing": cell.standing or None,
        "seen": " ".join(cell.seen),
        "digests": " ".join(cell.digests),
    }
    line |= dict(zip(("beams", "max_tokens"), row.settings, strict=False))
    if cell.against is not None:
        line["baseline"] = table.baseline
        line |= {name: getattr(cell.against, name) for name in _COMPARED}
    return {name: _plain(value) for name, value in line.items()}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
