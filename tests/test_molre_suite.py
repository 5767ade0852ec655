"""The suite `molre`, cut to few images and epochs: its rows run, and tell how experts are used."""

import json
import math
from pathlib import Path
from typing import Any

import yaml

from omnibench.suite import shipped
from tests.conftest import Bench

LORA_48, MOLRE = "lora-r48-a48-d0.0-sembedding", "molre"
ROWS = {"head", "lora-r8-a8-d0.0-sembedding", LORA_48, MOLRE, "molre-router=uniform"}


def test_it_runs_beside_its_parameter_matched_rows(bench: Bench, tmp_path: Path) -> None:
    suite: Any = yaml.safe_load(shipped()["molre"].read_text())
    suite["repetitions"] = 1
    suite["matrix"][0]["recipe"] |= {"epochs": 2, "limit": 160}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    status, _, err = bench("run", path)
    assert status == 0, err
    records = [json.loads(p.read_text()) for p in tmp_path.glob("results/records/**/rep-*.json")]
    by_place = {(r["spec"]["backbone"], r["spec"]["short"]): r for r in records}
    assert len(records) == 10
    assert {short for _, short in by_place} == ROWS
    for (_, short), record in by_place.items():
        metrics = record["metrics"]
        assert 0 <= metrics["multi-label/auc-at-least-90"] <= 4
        assert ("routing/entropy" in metrics) == (short == MOLRE)
        if short == MOLRE:
            assert 0 <= metrics["routing/entropy"] <= math.log(6) + 1e-6
            assert metrics["routing/load-cv"] >= 0
    for backbone, width in (("efficientnet-lite0", 1280), ("random-vit-nano", 64)):
        trained = {
            short: record["cost"]["trainable_parameters"]
            for (own, short), record in by_place.items()
            if own == backbone
        }
        inner = width // 4
        assert trained[LORA_48] == trained["molre-router=uniform"]
        assert trained[MOLRE] == trained[LORA_48] + inner * (width + 1) + 6 * (inner + 1)
    status, out, err = bench("rescore", path)
    assert status == 0, err
    assert "10 records scored, 0 changed" in out
    status, _, err = bench("report", path)
    assert status == 0, err
    assert "findings" in (tmp_path / "results/reports/molre/report.html").read_text()
