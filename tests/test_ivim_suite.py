"""The shipped suite of quantitative MRI, cut to few voxels: networks stand beside the fits."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnibench.suite import shipped
from tests.conftest import Bench


@pytest.fixture
def small(tmp_path: Path) -> Path:
    suite: Any = yaml.safe_load(shipped()["ivim"].read_text())
    suite["repetitions"] = 2
    suite["matrix"][0]["datasets"] = ["ivim"]
    suite["matrix"][0]["recipe"] |= {"limit": 20, "batch": 10, "epochs": 4}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def test_networks_and_fits_are_judged_rescored_and_reported(
    bench: Bench, small: Path, tmp_path: Path
) -> None:
    status, out, err = bench("run", str(small))
    assert status == 0, out + err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 2 * 2 + 2
    assert {record["spec"]["short"] for record in records} == {
        "mlp",
        "mlp-tfitted",
        "fit",
        "fit-lgaussian",
    }
    assert all(record["metrics"]["estimates/rmse-f"] > 0 for record in records)
    status, out, err = bench("rescore", str(small))
    assert (status, "0 changed" in out) == (0, True), out + err
    status, out, err = bench("report", str(small))
    assert status == 0, out + err
    page = (tmp_path / "results/reports/ivim/ivim.md").read_text()
    assert "mean of the true parameters" in page
    assert "are biased: at" in page


def test_another_backbone_is_blocked_by_a_sentence(bench: Bench, small: Path) -> None:
    status, out, err = bench("plan", str(small), "--backbones", "random-conv")
    assert status == 0, err
    assert "6 cells in 4 units; 6 blocked" in out
    assert "random-conv has nothing to look at; write `backbones: [pixels]`" in out
