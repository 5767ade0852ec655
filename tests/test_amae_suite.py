"""The shipped suite of contrasts, cut small: from a masked autoencoder to the Dice of every set."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnibench.suite import shipped
from tests.conftest import Bench

pytest.importorskip("nilearn")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """The suite's file with few studies, a small backbone, one row and little training."""
    suite: Any = yaml.safe_load(shipped()["amae"].read_text())
    recipe = {"input_size": 32, "limit": 4, "epochs": 2, "batch": 2, "warmup_epochs": 0}
    suite["backbones"] = suite["backbones"][1:]
    suite["backbones"][0]["pretrain"] |= {"architecture": "vit-nano", "recipe": recipe}
    suite["repetitions"] = 1
    suite["report"] = {}
    block = suite["matrix"][0]
    block["recipe"] = recipe
    block["adaptations"] = block["adaptations"][-1:]
    block["adaptations"][0]["contrast-tokens"]["subsets"] = ["FLAIR", "PD+T2w", "T1w"]
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def test_a_backbone_is_pretrained_and_judged_by_every_set(
    bench: Bench, small: Path, tmp_path: Path
) -> None:
    status, out, _ = bench("run", str(small))
    assert status == 0, out
    records = [json.loads(p.read_text()) for p in (tmp_path / "results").rglob("rep-*.json")]
    assert len(records) == 2
    for record in records:
        metrics = record["metrics"]
        if record["spec"]["adaptation"] == "amae":
            assert metrics["reconstruction/masked-mse"] > 0
            continue
        each = [metrics[f"contrast-sets/dice-{name}"] for name in ("FLAIR", "PD+T2w", "T1w")]
        assert metrics["contrast-sets/mean"] == pytest.approx(sum(each) / 3)
        assert metrics["contrast-sets/worst"] == min(each)
        assert metrics["contrast-sets/backward-transfer"] is not None
    status, out, _ = bench("rescore", str(small))
    assert (status, "0 changed" in out) == (0, True)
    status, out, _ = bench("report", str(small))
    assert status == 0, out
    with (tmp_path / "results/reports/amae/amae.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"mean", "worst", "zero-shot", "backward-transfer"} <= {row["metric"] for row in rows}
