"""Records made where the data are, are read where they are not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.record import blank
from omnibench.sources import Sources
from omnibench.states import progress
from omnibench.store import RecordStore
from omnibench.suite import load
from tests.conftest import Bench

SUITE = """
name: elsewhere
repetitions: 2
backbones: [random-vit-tiny, {id: own, source: 'file:own.pth', architecture: vit_tiny_patch16_224}]
matrix:
  - {task: classification, datasets: ['npz:two.npz'], adaptations: [linear]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    arrays: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        arrays[f"{split}_images"] = np.zeros((8, 8, 8), np.uint8) + np.arange(8)[:, None, None]
        arrays[f"{split}_labels"] = np.arange(8) % 2
    np.savez(tmp_path / "two.npz", **arrays)
    (tmp_path / "own.pth").write_bytes(b"weights")
    (tmp_path / "elsewhere.yaml").write_text(SUITE)
    return tmp_path


def units_in(folder: Path) -> Any:
    sources = Sources(folder / "data", folder / "results")
    return load(str(folder / "elsewhere.yaml"), sources).units


def test_absent_data_and_weights_are_told_by_the_records_made_with_them(
    folder: Path, bench: Bench
) -> None:
    units, store = units_in(folder), RecordStore(folder / "results")
    for unit in units:
        cell = unit.cells[0]
        record = {**blank(cell), "status": "done", "metrics": {"d/auc": 0.5}, "finished": "2026"}
        store.write(cell, record, {"test_case": np.arange(2)})
    before = [cell.digest for unit in units for cell in unit.cells]
    for name in ("two.npz", "own.pth"):
        (folder / name).unlink()
    elsewhere = units_in(folder)
    assert [cell.digest for unit in elsewhere for cell in unit.cells] == before
    states = progress(elsewhere, store)
    assert [state.state for state in states] == ["done", "blocked"] * 2
    assert "put it at" in states[1].needs[0]
    status, out, _ = bench(
        "status", folder / "elsewhere.yaml", "--results", store.root.parent, "--json"
    )
    assert (status, json.loads(out)["done"], json.loads(out)["blocked"]) == (0, 2, 2)


def test_data_that_changed_are_other_cells(folder: Path) -> None:
    """What is here tells itself: no record is asked."""
    units, store = units_in(folder), RecordStore(folder / "results")
    for unit in units:
        store.write(unit.cells[0], {**blank(unit.cells[0]), "status": "done"}, {})
    (folder / "own.pth").write_bytes(b"other weights")
    first, second = units_in(folder)
    assert first.cells[0].digest == units[0].cells[0].digest
    assert second.cells[0].digest != units[1].cells[0].digest
