"""The suite `retfound`, cut to few images and epochs: it runs, and its recipe is the named one."""

import json
from pathlib import Path
from typing import Any

import yaml

from omnibench.suite import shipped
from omnibench.tasks.classification.retfound import NAMES
from tests.conftest import Bench


def test_it_runs_and_has_retfounds_metrics(bench: Bench, tmp_path: Path) -> None:
    suite: Any = yaml.safe_load(shipped()["retfound"].read_text())
    suite |= {"repetitions": 1, "backbones": ["random-vit-nano"], "report": {}}
    suite["matrix"][0]["recipe"] |= {"input_size": 32, "limit": 30, "epochs": 2}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    status, _, err = bench("run", path)
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
    status, out, err = bench("rescore", path)
    assert status == 0, err
    assert "2 records scored, 0 changed" in out
