"""The suite `anymc3d`: LoRA below attention over slices or their mean, and where it looks."""

import json
from pathlib import Path

import pytest

from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")


@pytest.mark.systems
def test_it_runs_and_shows_where_it_looks(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench(*command_of("anymc3d"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 2
    for record in records:
        weighed = record["spec"]["short"] == "anymc3d"
        assert ("slices/weight-auc" in record["metrics"]) == weighed
        assert record["metrics"]["omnirad-classification/auc"] is not None
    assert len(list(tmp_path.glob("results/records/**/*.heatmap.png"))) == 1
    status, _, err = bench("report", "anymc3d")
    assert status == 0, err
    page = (tmp_path / "results" / "reports" / "anymc3d" / "report.html").read_text()
    assert "Of the test studies that the model is surest of" in page
