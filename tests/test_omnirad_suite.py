"""The whole study as one suite: the cells of its parts, and a baseline that every part has."""

import json
from collections import Counter
from typing import Any

import pytest

from tests.conftest import Bench

PARTS = {"classification": 325, "segmentation": 560, "captioning": 5, "pretraining": 2}


def cells(bench: Bench, suite: str) -> Any:
    status, out, err = bench("plan", suite, "--json")
    assert status == 0, err
    return json.loads(out)["cells"]


@pytest.fixture
def whole(bench: Bench) -> Any:
    return cells(bench, "omnirad")


def test_its_cells_are_those_of_the_parts(bench: Bench, whole: Any) -> None:
    assert Counter(cell["task"] for cell in whole) == PARTS
    parts = {cell["digest"] for task in PARTS for cell in cells(bench, f"omnirad-{task}")}
    assert {cell["digest"] for cell in whole} == parts
    assert len(whole) == len(parts) == 892


def test_the_baseline_is_in_every_unit_of_comparison(whole: Any) -> None:
    compared = {(cell["task"], cell["dataset"]) for cell in whole if cell["task"] != "pretraining"}
    of_baseline = {
        (cell["task"], cell["dataset"]) for cell in whole if cell["backbone"] == "dinov3-base"
    }
    assert of_baseline == compared
