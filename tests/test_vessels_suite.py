"""The shipped suite of vessels, cut to few images: overlap and shape stand side by side."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnibench.suite import shipped
from tests.conftest import Bench

SHAPE = ("cldice/cldice", "centreline/f1-2px", "betti-error/b0", "nsd-surfel-1mm/nsd")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    suite: Any = yaml.safe_load(shipped()["vessels"].read_text())
    suite["backbones"] = ["random-vit-nano"]
    suite["repetitions"] = 1
    suite["report"] = {}
    blocks = suite["matrix"]
    blocks[0]["backbones"] = ["random-vit-nano"]
    blocks[0]["adaptations"] = ["decoder"]
    blocks[0]["recipe"] |= {"input_size": 64, "limit": 16, "epochs": 1}
    del blocks[1]["adaptations"][1]  # one target of centrelines is enough
    blocks[1]["recipe"] |= {"input_size": 64, "limit": 16, "epochs": 1}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


def test_shape_is_measured_rescored_and_reported_beside_overlap(
    bench: Bench, small: Path, tmp_path: Path
) -> None:
    status, out, _ = bench("run", str(small))
    assert status == 0, out
    records = [json.loads(p.read_text()) for p in (tmp_path / "results").rglob("rep-*.json")]
    assert len(records) == 3
    for record in records:
        assert all(record["metrics"][name] is not None for name in SHAPE)
    status, out, _ = bench("rescore", str(small))
    assert (status, "0 changed" in out) == (0, True)
    status, out, _ = bench("report", str(small))
    assert status == 0, out
    with (tmp_path / "results/reports/vessels/vessels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = {(row["adaptation"], f"{row['definition']}/{row['metric']}") for row in rows}
    for adaptation in ("decoder", "linear", "linear-tcentreline-s8.0"):
        assert {(adaptation, name) for name in ("per-image-foreground/dice", *SHAPE)} <= shown
