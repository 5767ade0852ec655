"""The suite `tangerine`, cut to few volumes: pretrained on volumes, judged beside its start."""

import json
from pathlib import Path
from typing import Any

import yaml

from omnibench.suite import shipped
from tests.conftest import Bench


def test_it_pretrains_on_few_volumes_and_judges_both(bench: Bench, tmp_path: Path) -> None:
    suite: Any = yaml.safe_load(shipped()["tangerine"].read_text())
    suite["repetitions"] = 1
    suite["backbones"][1]["pretrain"]["recipe"] |= {
        "epochs": 2,
        "batch": 8,
        "limit": 8,
        "input_size": 32,
    }
    suite["backbones"][1]["pretrain"].pop("knn")
    suite["matrix"][0]["recipe"] |= {"limit": 12, "input_size": 32}
    suite["matrix"][0]["labels"] = ["50%", "100%"]
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    status, _, err = bench("run", path)
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    made = [record for record in records if record["spec"]["task"] == "pretraining"]
    assert len(made) == 1
    assert made[0]["metrics"]["reconstruction/psnr"] > 0
    judged = {r["spec"]["backbone"] for r in records if r["spec"]["task"] == "volumes"}
    assert judged == {"random-vit3d-tiny", "mae3d-tiny"}
    assert len(records) == 1 + 2 * 2
    status, _, err = bench("report", path)
    assert status == 0, err
