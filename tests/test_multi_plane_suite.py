"""The shipped suite of several views, cut to few studies: what it runs, shows and shares."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnibench.suite import shipped
from tests.conftest import Bench

ROWS = ["mean", "attention", "multi-plane-flate", "multi-plane"]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The suite's file with few studies to train on, a small backbone and little training."""
    suite: Any = yaml.safe_load(shipped()["multi-plane"].read_text())
    suite["backbones"] = ["random-vit-nano"]
    suite["repetitions"] = 2
    suite["report"] = {}
    suite["matrix"][0]["recipe"] = {"input_size": 32, "limit": 24, "epochs": 2}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def test_views_are_averaged_attended_to_and_joined_and_their_lack_is_reported(
    bench: Bench, small: Path, tmp_path: Path
) -> None:
    status, out, _ = bench("run", str(small))
    assert status == 0, out
    records = [json.loads(p.read_text()) for p in (tmp_path / "results").rglob("rep-*.json")]
    assert len(records) == 2 * len(ROWS)
    patterns = ("axial", "axial+sagittal", "sagittal")
    for record in records:
        metrics = record["metrics"]
        areas = [metrics[f"missing/auc-{pattern}"] for pattern in patterns]
        assert metrics["missing/worst"] == min(areas)
        assert metrics["missing/drop"] == pytest.approx(areas[1] - min(areas))
    status, out, _ = bench("rescore", str(small))
    assert (status, "0 changed" in out) == (0, True)
    status, out, _ = bench("report", str(small))
    assert status == 0, out
    table = (tmp_path / "results/reports/multi-plane/multi-plane.csv").read_text()
    rows = [row for row in csv.DictReader(table.splitlines()) if row["metric"] == "drop"]
    assert {row["adaptation"] for row in rows} == set(ROWS)
