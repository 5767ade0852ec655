"""Measure start-up: help, lists and reports, none of which imports torch."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import Measure, best_seconds
from benchmarks.records import write_records

RECORDS = 1000
CASES = 300
SUITE = """
name: thousand
repetitions: {repetitions}
backbones: [random-vit-tiny, random-vit-small, random-efficientnet-lite0, efficientnet-lite0]
matrix: [{{task: classification, datasets: [phantom], adaptations: [linear]}}]
report: {{baseline: random-vit-tiny}}
"""


def measure(device: str) -> Iterator[Measure]:
    """Yield the times of --help, list, status and report of 1,000 records."""
    bare = _seconds([sys.executable, "-c", "pass"], 20)
    yield Measure("startup", "python -c pass", 1e3 * bare, "ms")
    command = [sys.executable, "-m", "omnibench"]
    seconds = _seconds([*command, "--help"], 20)
    yield Measure(
        "startup", "--help, against python -c pass", 1e3 * seconds, "ms", seconds / bare, "<= 10"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        suite = root / "thousand.yaml"
        suite.write_text(SUITE.format(repetitions=RECORDS // 4), encoding="utf-8")
        places = ["--results", str(root / "results"), "--data", str(root / "data")]
        write_records(suite, root / "results", root / "data", CASES)
        for name, arguments in (
            ("list backbones", ["list", "backbones", *places]),
            (f"status of {RECORDS} records", ["status", str(suite), *places]),
            (f"report of {RECORDS} records", ["report", str(suite), *places]),
        ):
            yield Measure("startup", name, _seconds([*command, *arguments], 3), "s")
            yield Measure("startup", f"{name}: torch imported", _torch(arguments), "", None, "<= 0")


def _seconds(command: list[str], repeats: int) -> float:
    return best_seconds(
        lambda: subprocess.run(command, check=True, capture_output=True), repeats, budget=20
    )


def _torch(arguments: list[str]) -> float:
    """Return 1 where the command imports torch, else 0."""
    code = (
        "import sys; from omnibench.cli import app; sys.argv[1:] = sys.argv[1:]\n"
        "app(standalone_mode=False)\n"
        "sys.exit(7 if 'torch' in sys.modules else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, check=False
    )
    if done.returncode not in (0, 7):
        raise RuntimeError(f"{arguments} failed: {done.stderr.decode()[-300:]}")
    return float(done.returncode == 7)
