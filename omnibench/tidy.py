"""Records as a tidy table: one row for each cell, metric and view. No torch here."""

import functools
import io
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from omnibench.catalogue import tasks
from omnibench.scoring import metrics_of
from omnibench.task import Metric

COLUMNS = (
    "task", "dataset", "backbone", "adaptation", "repetition", "definition", "metric", "view",
    "value", "unit", "direction", "status", "error", "digest", "pairing",
)  # fmt: skip


def tidy(records: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row for each cell, metric and view of its predictions.

    | column | content |
    | --- | --- |
    | task, dataset, backbone, adaptation, repetition | the cell; the adaptation with its options |
    | definition, metric | the metric's id is `definition/metric` |
    | view | how the predictions were made, as in "b5-t64"; "" where there is one way |
    | value | as recorded: a fraction where the unit is "points"; NaN where it is undefined |
    | unit, direction | of the metric: "points" or what its values are in; "up", "down" or "" |
    | status | "done" or "failed" |
    | error | the message of a cell that failed |
    | digest | the cell's identity |
    | pairing | equal for cells that share their seeds, whatever their backbone |

    A cell that failed has one row, whose definition, metric and value are empty, so that it is
    left out of no count unseen. Unit and direction are empty where nothing registers the metric;
    direction alone where no value of it is better than another.
    """
    rows: list[tuple[Any, ...]] = []
    for record in records:
        if record["status"] not in ("done", "failed"):  # of a newer omnibench
            continue
        spec = record["spec"]
        place = tuple(spec[key] for key in ("task", "dataset", "backbone", "short", "repetition"))
        # A message may hold a lone surrogate of a broken file name, which no table of texts takes.
        message = (record["error"] or {}).get("message", "")
        message = message.encode("utf-8", "backslashreplace").decode()
        facts = (record["status"], message, record["digest"], record["pairing"])
        values = record["metrics"] if record["status"] == "done" else {"": None}
        for key, value in values.items():
            viewed, _, metric = key.partition("/")
            definition, _, view = viewed.partition("@")
            known = _metric(spec["task"], definition, metric)
            about = (known.unit, known.direction or "") if known else ("", "")
            value = float("nan") if value is None else float(value)
            rows.append((*place, definition, metric, view, value, *about, *facts))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def to_parquet(frame: pd.DataFrame) -> bytes:
    """Return a table as a Parquet file."""
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


@functools.lru_cache(maxsize=1024)
def _metric(task: str, definition: str, name: str) -> Metric | None:
    """Return the metric that a record's value is of; None where nothing registers it."""
    if task not in tasks:
        return None
    own = (metric for metric in metrics_of(task) if metric.definition == definition)
    return next((metric for metric in own if metric.covers(name)), None)
