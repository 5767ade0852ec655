"""The row's command, narrowed to one backbone: its cells, views and report."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.systems import run_and_report

VIEWS = ("m1", "m4", "m16", "m64")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_and_report("translate-diffusion", tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def metrics(results: Path) -> Any:
    (path,) = (results / "records").rglob("rep-0-*.json")
    return json.loads(path.read_text())["metrics"]


@pytest.mark.systems
def test_the_report_sets_samples_and_their_averages_beside_the_baselines(results: Path) -> None:
    [table] = (results / "reports").rglob("translate-diffusion.csv")
    text = table.with_suffix(".md").read_text()
    for name in ("mean-image", "input", "affine", "diffusion"):
        assert f"| {name} |" in text
    again = text.partition("## Predicted again")[2]
    assert all(f"| diffusion | {view} |" in again for view in VIEWS)
    with table.open(newline="") as file:
        metrics = {f"{row['definition']}/{row['metric']}" for row in csv.DictReader(file)}
    assert {"dense-error@m4/mae", "sample-spread/sd", "structure/false-rate"} <= metrics


def test_averages_are_nearer_to_the_truth_the_more_samples_they_are_of(metrics: Any) -> None:
    errors = [metrics[f"dense-error@{view}/mae"] for view in VIEWS]
    assert errors == sorted(errors, reverse=True)
    assert metrics["dense-error/mae"] == errors[-1]
    assert metrics["dense-gain/over-mean-image"] > 0


def test_every_average_has_its_agreement_and_samples_have_a_spread(metrics: Any) -> None:
    for view in VIEWS:
        assert 0.5 < metrics[f"threshold-agreement@{view}/balanced-accuracy"] <= 1
    assert metrics["sample-spread/sd"] > 0
