"""The suite `anymc3d`, cut to few studies: poolings, shares of the labels, and where it looks."""

import json
from pathlib import Path
from typing import Any

import yaml

from omnibench.suite import shipped
from tests.conftest import Bench


def test_it_runs_on_few_studies_and_shows_where_it_looks(bench: Bench, tmp_path: Path) -> None:
    suite: Any = yaml.safe_load(shipped()["anymc3d"].read_text())
    suite["repetitions"] = 1
    for block in suite["matrix"]:
        block["recipe"]["limit"] = 24
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    status, _, err = bench("run", path)
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 2 * 3 * 4 + 2
    for record in records:
        weighed = record["spec"]["short"].split("@")[0] in ("attention", "anymc3d")
        assert ("slices/weight-auc" in record["metrics"]) == weighed
        assert record["metrics"]["omnirad-classification/auc"] is not None
    assert len(list(tmp_path.glob("results/records/**/*.heatmap.png"))) == 1
    status, _, err = bench("report", path)
    assert status == 0, err
    page = (tmp_path / "results" / "reports" / "anymc3d" / "report.html").read_text()
    assert "Of the test studies that the model is surest of" in page
