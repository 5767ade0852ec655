"""The suite `retfound`: it runs, and its recipe is the named one."""

import json
from pathlib import Path

import pytest

from omnibench.tasks.classification.retfound import NAMES
from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.mark.systems
def test_it_runs_and_has_retfounds_metrics(bench: Bench, tmp_path: Path) -> None:
    status, _, err = bench(*command_of("retfound"))
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    assert len(records) == 2
    for record in records:
        recipe, metrics = record["spec"]["recipe"], record["metrics"]
        assert recipe["layer_decay"] == 0.65
        assert recipe["randaugment"] == "rand-m9-mstd0.5-inc1"
        for name in NAMES:
            assert -1 <= metrics[f"retfound/{name}"] <= 1
        assert metrics["retfound/auroc"] == metrics["omnirad-classification/auc"]
        assert record["notes"]["chosen"]["val_retfound_score"] <= 1
    status, out, err = bench("rescore", "retfound")
    assert status == 0, err
    assert "2 records scored, 0 changed" in out
