"""The rows of reference.yaml as every installation computes them, in rows.csv.

`python -m tests.reference.rows` computes them again and writes the file: after a task's version was
raised, or when the suite changes. A number that moves by more than its tolerance without that is
a fault, of the change or of the installation.
"""

import csv
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from omnibench.cell import Unit
from omnibench.execute import execute_unit
from omnibench.session import Places, Session

FOLDER = Path(__file__).parent
SUITE, ROWS = FOLDER / "reference.yaml", FOLDER / "rows.csv"
DECIMALS = 5
# Over one and two threads and over AVX2 and AVX-512 the largest differences were .0033 of frozen
# rows (an AUC by neighbours that are all but equally near) and .0055 of trained ones.
FROZEN, TRAINED = 0.01, 0.03
METRICS = (
    "omnirad-classification/macro-f1",
    "omnirad-classification/auc",
    "omnibench-classification/brier",
    "per-image-foreground/dice",
    "omnibench-captioning@b1-t64/bleu-1",
    "omnibench-captioning@b1-t64/rouge-l",
)


class Row(NamedTuple):
    """A number and how far it may be off."""

    unit: str
    repetition: int
    metric: str
    value: float
    tolerance: float


def computed(results: Path) -> Iterator[Row]:
    """Yield every row of the suite, computed on one thread of the CPU."""
    session = Session.open(Places(results=results, data=results / "data"))
    context = session.context("cpu", 1)
    for unit in session.suite(str(SUITE))[1]:
        finished = execute_unit(unit, context)
        assert not any(finished.repetitions.values()), finished.repetitions
        for cell in unit.cells:
            record = session.store.read(cell)
            assert record is not None
            for metric in METRICS:
                if metric in record["metrics"]:
                    value = round(record["metrics"][metric], DECIMALS)
                    yield Row(unit.name, cell.repetition, metric, value, _tolerance(unit))


def _tolerance(unit: Unit) -> float:
    return FROZEN if unit.task == "classification" and unit.adaptation != "full" else TRAINED


def shipped() -> list[Row]:
    """Return the rows as they stand in the file."""
    with ROWS.open(newline="") as file:
        return [
            Row(
                row["unit"],
                int(row["repetition"]),
                row["metric"],
                *map(float, (row["value"], row["tolerance"])),
            )
            for row in csv.DictReader(file)
        ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        rows = list(computed(Path(folder)))
    with ROWS.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([Row._fields, *rows])
