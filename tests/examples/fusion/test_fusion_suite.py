"""The suite of the example `fusion`, run to its end by the command, cut to one cell."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.systems import run_and_report


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_and_report("fusion", tmp_path_factory.mktemp("fusion"))


@pytest.fixture(scope="module")
def record(results: Path) -> Any:
    [path] = results.glob("records/**/rep-0-*.json")
    return json.loads(path.read_text())


@pytest.mark.systems
def test_the_command_ends_in_a_report_with_the_law(results: Path, record: Any) -> None:
    assert record["status"] == "done"
    [report] = results.glob("reports/**/fusion.md")
    page = report.read_text()
    [head] = [
        line for line in page.splitlines() if line.startswith("| backbone | adaptation | acc")
    ]
    assert all(name in head for name in ("b1", "b2", "b3", "r2", "mae"))
    assert "Other datasets: phantom-easy, accuracy" in page


def test_logits_of_a_linear_head_add_up_as_they_must(record: Any) -> None:
    metrics = record["metrics"]
    for name, expected in (("b1", 1), ("b2", 1), ("b3", 0)):
        low, high = (metrics[f"uncertainty-propagation-logits/{name}-{b}"] for b in ("low", "high"))
        assert low < expected < high


def test_another_dataset_is_scored_by_the_law_of_the_first(results: Path, record: Any) -> None:
    metrics = record["metrics"]
    assert metrics["uncertainty-propagation@phantom/b1"] == metrics["uncertainty-propagation/b1"]
    [path] = results.glob("records/**/*.predictions.npz")
    with np.load(path) as stored:
        b = [metrics[f"uncertainty-propagation/b{place}"] for place in (1, 2, 3)]
        image, text, both = np.moveaxis(stored["test_variances@phantom"], -1, 0)
    law = b[0] * image + b[1] * text + b[2] * np.sqrt(image * text)
    assert metrics["uncertainty-propagation@phantom/mae"] == pytest.approx(
        np.abs(both - law).mean()
    )
