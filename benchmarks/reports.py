"""Measure a report of 10,000 records: seconds and memory of one fresh process."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Measure
from benchmarks.records import write_records

DATASETS = (
    "breastmnist", "pneumoniamnist", "dermamnist", "octmnist", "retinamnist",
    "bloodmnist", "tissuemnist", "organamnist", "organcmnist", "organsmnist",
)  # fmt: skip
BACKBONES, REPETITIONS, CASES = 20, 25, 100
SUITE = """
name: ten-thousand
repetitions: {repetitions}
backbones: [{backbones}]
matrix: [{{task: classification, datasets: [{datasets}], adaptations: [linear, full]}}]
report: {{baseline: b0, equivalence_margin: 0.5}}
"""
CHILD = """
import sys
from omnibench.cli import app
app(sys.argv[1:], standalone_mode=False)
# Of this process alone: getrusage would count what its parent held before the exec.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) / 2**20)
"""


def measure(device: str) -> Iterator[Measure]:
    """Yield seconds and peak memory of a report of 20 models on 10 datasets, 25 times each."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        suite = root / "ten-thousand.yaml"
        cards = (f"{{id: b{k}, source: 'random:test_vit'}}" for k in range(BACKBONES))
        suite.write_text(
            SUITE.format(
                repetitions=REPETITIONS,
                backbones=", ".join(cards),
                datasets=", ".join(DATASETS),
            ),
            encoding="utf-8",
        )
        count = write_records(suite, root / "results", root / "data", CASES)
        places = ["--results", str(root / "results"), "--data", str(root / "data")]
        began = time.perf_counter()
        output = subprocess.run(
            [sys.executable, "-c", CHILD, "report", str(suite), *places],
            check=True, capture_output=True, text=True,
        ).stdout  # fmt: skip
        seconds = time.perf_counter() - began
        name = f"report of {count:,} records of {CASES} test cases"
        yield Measure("report", name, seconds, "s", None, "<= 30")
        yield Measure(
            "report", f"{name}: peak memory", float(output.split()[-1]), "GiB", None, "<= 1"
        )
