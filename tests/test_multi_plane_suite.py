"""The shipped suite of several views: what it runs, shows and shares."""

import csv
import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

ROWS = ["mean", "attention", "multi-plane-flate", "multi-plane"]


@pytest.mark.systems
def test_views_are_averaged_attended_to_and_joined_and_their_lack_is_reported(
    bench: Bench, tmp_path: Path
) -> None:
    status, out, _ = bench(*command_of("multi-plane"))
    assert status == 0, out
    records = [json.loads(p.read_text()) for p in (tmp_path / "results").rglob("rep-*.json")]
    assert len(records) == len(ROWS)
    patterns = ("axial", "axial+sagittal", "sagittal")
    for record in records:
        metrics = record["metrics"]
        areas = [metrics[f"missing/auc-{pattern}"] for pattern in patterns]
        assert metrics["missing/worst"] == min(areas)
        assert metrics["missing/drop"] == pytest.approx(areas[1] - min(areas))
    status, out, _ = bench("rescore", "multi-plane")
    assert (status, "0 changed" in out) == (0, True)
    status, out, _ = bench("report", "multi-plane")
    assert status == 0, out
    table = (tmp_path / "results/reports/multi-plane/multi-plane.csv").read_text()
    rows = [row for row in csv.DictReader(table.splitlines()) if row["metric"] == "drop"]
    assert {row["adaptation"] for row in rows} == set(ROWS)
