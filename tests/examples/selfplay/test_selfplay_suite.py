"""The suite of the example `selfplay`, run to its end by the command, cut to one cell."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.systems import run_and_report


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_and_report("selfplay", tmp_path_factory.mktemp("selfplay"))


@pytest.fixture(scope="module")
def predictions(results: Path) -> dict[str, NDArray[Any]]:
    [path] = results.glob("records/**/*.predictions.npz")
    with np.load(path) as stored:
        return dict(stored)


@pytest.mark.systems
def test_the_command_ends_in_a_report_of_all_that_thinks(results: Path) -> None:
    [path] = results.glob("reports/**/selfplay.md")
    page = path.read_text()
    views = re.findall(r"^\| Random ViT-nano/16 \| self-play \| (\w+) \|", page, re.MULTILINE)
    assert views == ["s0", "s16", "s64", "s256", "tta2", "tta4", "threshold"]
    assert all(name in page for name in ("area", "page-l", "page-p"))


def test_no_update_is_system_one_bit_for_bit(predictions: dict[str, NDArray[Any]]) -> None:
    assert np.array_equal(predictions["test_counts@s0"], predictions["test_counts"])
    assert not np.array_equal(predictions["test_counts@s16"], predictions["test_counts"])


def test_every_view_has_its_compute(results: Path) -> None:
    [path] = results.glob("records/**/rep-0-*.json")
    record = json.loads(path.read_text())
    costs = {
        name: record["metrics"][f"thinking@{name}/mflop"] for name in ("s0", "s16", "s256", "tta2")
    }
    assert costs["s0"] == 0 < costs["s16"] == costs["s256"] / 16
    assert costs["s256"] < costs["tta2"]
    assert record["metrics"].get("thinking/mflop") is None
    assert record["cost"]["thinking_ms_per_image"] > 0
