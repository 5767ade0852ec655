"""The package's folder on the path, and its suite run to its end, once for all tests."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "examples" / "vessel-graph"
sys.path.append(str(PACKAGE))


@dataclass(frozen=True)
class Ran:
    """What the suite's narrowed run left, and the report that was printed of it."""

    results: Path
    report: str


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """Run and report the suite on the smallest backbone, with one repetition."""
    folder = tmp_path_factory.mktemp("vessel-graph")
    variables = {
        "OMNIBENCH_RESULTS": str(folder / "results"),
        "OMNIBENCH_DATA": str(folder / "data"),
    }
    narrowed = ("--backbones", "random-vit-nano", "--adaptations", "gat")
    for name, *options in (("run", *narrowed, "--repetitions", "0"), ("report",)):
        done = subprocess.run(
            [sys.executable, "-m", "omnibench", name, PACKAGE / "vessel_graph.yaml", *options],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
    report = (folder / "results/reports/vessel-graph/vessel-graph.md").read_text()
    return Ran(folder / "results", report)
