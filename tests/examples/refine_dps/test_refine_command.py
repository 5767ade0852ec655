"""The row's command, narrowed to one cell: before and after the refinement, and its report."""

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from omnibench.catalogue import load_plugin, tasks
from tests.systems import run_and_report

from .conftest import FOLDER

VIEWS = ("before", "projected")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_and_report("refine-dps", tmp_path_factory.mktemp("results"))


@pytest.fixture(scope="module")
def metrics(results: Path) -> Any:
    (path,) = (results / "records").rglob("rep-0-*.json")
    return json.loads(path.read_text())["metrics"]


@pytest.mark.systems
def test_the_report_sets_structures_before_and_after_beside_the_baselines(results: Path) -> None:
    [table] = (results / "reports").rglob("refine-dps.csv")
    text = table.with_suffix(".md").read_text()
    for name in ("mean-image", "input", "affine", "dps"):
        assert f"| {name} |" in text
    again = text.partition("## Predicted again")[2]
    assert all(f"| dps | {view} |" in again for view in VIEWS)
    with table.open(newline="") as file:
        metrics = {f"{row['definition']}/{row['metric']}" for row in csv.DictReader(file)}
    assert {"structure@before/false-rate", "structure/false-rate", "refinement/steps"} <= metrics


def test_what_the_data_cannot_tell_is_apart(metrics: Any) -> None:
    # Corrected blocks leave what lies in the null space as it was.
    assert metrics["null-space@projected/null-space-error"] == pytest.approx(
        metrics["null-space@before/null-space-error"], rel=1e-4
    )
    assert metrics["null-space@projected/range-error"] < metrics["null-space/range-error"]


def test_it_starts_late(metrics: Any) -> None:
    assert 1 <= metrics["refinement/steps"] < 20


@pytest.mark.parametrize(("block", "refused"), [(4, 0), (None, 1)])
def test_images_that_show_no_blocks_are_refused_at_plan(
    block: int | None, refused: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A module that other tests import is loaded, and registers nothing a second time.
    monkeypatch.delitem(sys.modules, "refine_dps", raising=False)
    load_plugin(FOLDER / "refine_dps.py")
    unit: Any = SimpleNamespace(dataset=SimpleNamespace(maps=SimpleNamespace(block=block)))
    refusals = tasks.get("dense").adaptations["dps"].refusals
    assert refusals is not None and len(list(refusals(unit))) == refused
