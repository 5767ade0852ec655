"""The suite `deployment`: graphs, their parity, their times, and what a report says."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from omnibench.suite import shipped
from tests.conftest import Bench
from tests.systems import command_of

pytestmark = pytest.mark.usefixtures("in_process", "undrawn")

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    suite: Any = yaml.safe_load(shipped()["deployment"].read_text())
    suite["backbones"] = [{"id": "tiny", "source": "random:test_vit", "pool": "cls"}]
    suite["report"] = {}
    suite["matrix"][0]["adaptations"] = ["onnx"]
    suite["matrix"][0]["recipe"] = {"input_size": 32, "limit": 24, "precision": "fp32"}
    path = tmp_path / "small.yaml"
    path.write_text(yaml.safe_dump(suite))
    return path


@pytest.mark.systems
def test_a_graph_is_compared_timed_rescored_and_reported(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from omnibench.tasks.deployment import latency

    monkeypatch.setattr(latency, "RUNS", 20)
    status, _, err = bench(*command_of("deployment"))
    assert status == 0, err
    records = {
        (record := json.loads(path.read_text()))["spec"]["short"]: record
        for path in (tmp_path / "results").rglob("rep-*.json")
    }
    record, small = records.pop("onnx"), records.pop("onnx-pint8")
    assert not records
    assert small["cost"]["graph_mb"] < record["cost"]["graph_mb"]
    metrics, graph = record["metrics"], record["notes"]["graph"]
    assert (graph["preprocess"], graph["moved_outside"]) == ("in-graph", None)
    assert metrics["onnx-parity/passed"] == 1
    assert metrics["onnx-parity/max-rel"] < 1e-4
    assert metrics["omnirad-classification/auc"] is not None
    for runtime in ("torch", "onnxruntime"):
        for batch in ("1", "8"):
            timed = record["cost"]["latency"][runtime][batch]
            assert 0 < timed["p50_low_ms"] <= timed["p50_ms"] <= timed["p50_high_ms"]
            assert timed["p50_ms"] <= timed["p95_ms"]
            assert timed["runs"] == 20
    status, out, err = bench("rescore", "deployment")
    assert (status, "0 changed" in out) == (0, True), err
    status, _, err = bench("report", "deployment")
    assert status == 0, err
    folder = tmp_path / "results/reports/deployment"
    page = (folder / "report.html").read_text()
    assert "ONNX Runtime p50, 1 image" in page
    assert "equal to torch: logits differ by up to" in page
    with (folder / "deployment.csv").open(newline="") as file:
        shown = {f"{row['definition']}/{row['metric']}" for row in csv.DictReader(file)}
    assert {"omnirad-classification/auc", "onnx-parity/max-rel"} <= shown


def test_what_cannot_be_deployed_is_blocked_by_the_plan(bench: Bench, small: Path) -> None:
    suite = yaml.safe_load(small.read_text())
    suite["backbones"] += ["pixels", {"id": "both", "fuse": ["tiny", "random-vit-tiny"]}]
    suite["backbones"].insert(1, "random-vit-tiny")
    small.write_text(yaml.safe_dump(suite))
    needs = {
        cell["backbone"]: " ".join(cell["needs"])
        for cell in json.loads(bench("plan", small, "--json")[1])["cells"]
    }
    assert needs["tiny"] == ""
    assert "pixels is a floor and no network" in needs["pixels"]
    assert "both joins frozen embeddings and is no network" in needs["both"]
