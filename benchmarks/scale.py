"""Measure `plan` of 100,000 cells and `status` of their records, each in a fresh process."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import Measure
from benchmarks.reports import CHILD, DATASETS
from omnibench.cell import Unit
from omnibench.files import SETTLED_NS
from omnibench.record import as_bytes, blank, checksum
from omnibench.session import Places, Session
from omnibench.store import record_name

BACKBONES, REPETITIONS = 25, 100
ADAPTATIONS = "linear, head, full, {lora: {r: 8, alpha: 16}}"
SUITE = """
name: hundred-thousand
repetitions: {repetitions}
backbones: [{backbones}]
matrix: [{{task: classification, datasets: [{datasets}], adaptations: [{adaptations}]}}]
"""
# Of one record: what a trained classifier leaves, in bytes.
METRICS, ENVIRONMENT, PREDICTIONS = 40, 1500, 300


def measure(device: str) -> Iterator[Measure]:
    """Yield seconds and peak memory of `plan`, then of `status`, called twice."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        suite = root / "hundred-thousand.yaml"
        cards = (f"{{id: b{k}, source: 'random:test_vit'}}" for k in range(BACKBONES))
        suite.write_text(
            SUITE.format(
                repetitions=REPETITIONS,
                backbones=", ".join(cards),
                datasets=", ".join(DATASETS),
                adaptations=ADAPTATIONS,
            ),
            encoding="utf-8",
        )
        session = Session.open(Places(results=root / "results", data=root / "data"))
        _, units = session.suite(str(suite))
        count = sum(len(unit.repetitions) for unit in units)
        places = ["--results", str(session.results), "--data", str(session.data)]
        for options in ([], ["--json"]):
            name = f"{' '.join(['plan', *options])} of {count:,} cells"
            seconds, peak = _fresh(["plan", str(suite), *options, *places])
            yield Measure("scale", name, seconds, "s", None, "<= 5")
            yield Measure("scale", f"{name}: peak memory", peak, "MB", None, "<= 500")
        _write_records(units, session.store.root)
        time.sleep(SETTLED_NS / 1e9)  # what is younger is read again by the second call too
        for call, bound in (("first", None), ("second", "<= 3")):
            seconds, peak = _fresh(["status", str(suite), *places])
            name = f"status of {count:,} records, {call} call"
            yield Measure("scale", name, seconds, "s", None, bound)
            yield Measure("scale", f"{name}: peak memory", peak, "MB")


def _fresh(arguments: Sequence[str]) -> tuple[float, float]:
    """Return the seconds of a command in a process of its own, and its peak memory in MB."""
    began = time.perf_counter()
    output = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], check=True, capture_output=True, text=True
    ).stdout
    return time.perf_counter() - began, float(output.split()[-1]) * 2**30 / 1e6


def _write_records(units: Sequence[Unit], root: Path) -> None:
    """Write every cell as done, plainly: a sync a record would take many minutes."""
    common: dict[str, Any] = {
        "status": "done",
        "metrics": {f"definition/metric-{k}": k / METRICS for k in range(METRICS)},
        "environment": {"packages": {"all": "x" * ENVIRONMENT}},
        "finished": "2026-01-01T00:00:00.000+00:00",
        "files": {"predictions.npz": checksum(bytes(PREDICTIONS))},
    }
    for unit in units:
        folder = root / unit.name
        folder.mkdir(parents=True)
        first: Path | None = None
        for cell in unit.cells:
            path = folder / record_name(cell)
            path.write_bytes(as_bytes({**blank(cell), **common}))
            # One file under many names: half the writing.
            beside = path.with_suffix(".predictions.npz")
            if first is None:
                first = beside
                first.write_bytes(bytes(PREDICTIONS))
            else:
                beside.hardlink_to(first)
