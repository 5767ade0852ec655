"""Blocks on small npz files, run cell by cell, with the task alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.sources import Sources
from omnibench.suite import load
from omnibench.task import Outcome

SPLITS = ("train", "val", "test")
Ran = Callable[..., list[tuple[Unit, list[Outcome]]]]


def write(path: Path, seed: int, counts: dict[str, int], size: int, **changes: Any) -> None:
    """Write three classes of images, told by their brightness."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for split, count in counts.items():
        labels = rng.permutation(np.arange(count) % 3)
        shape = (count, size, size)
        images = rng.integers(0, 90, shape) + 60 * labels[:, None, None]
        arrays[f"{split}_images"] = images.astype(np.uint8)
        arrays[f"{split}_labels"] = labels
        arrays[f"{split}_groups"] = np.array([f"{split}-{i // 2}" for i in range(count)])
    np.savez(path, **{**arrays, **changes})


def read(path: Path) -> dict[str, Any]:
    with np.load(path) as arrays:
        return dict(arrays)


@pytest.fixture
def ran(tmp_path: Path) -> Ran:
    """Run a block on `own.npz`, beside which `other.npz` lies; return its units' outcomes."""
    torch.set_num_threads(1)
    write(tmp_path / "own.npz", 0, {"train": 36, "val": 12, "test": 16}, 16)
    write(tmp_path / "other.npz", 1, {"train": 6, "val": 6, "test": 18}, 16)

    def ran(
        adaptation: Any = "linear", folder: str = "results", **entry: Any
    ) -> list[tuple[Unit, list[Outcome]]]:
        block = {
            "task": "classification",
            "datasets": [f"npz:{tmp_path / 'own.npz'}"],
            "adaptations": [adaptation],
            "recipe": {"input_size": 32, "precision": "fp32", **recipe_of(adaptation)},
            **entry,
        }
        suite = {"name": "s", "repetitions": 2, "matrix": [block]}
        suite["backbones"] = [{"id": "b", "source": "random:test_vit", "pool": "cls"}]
        units = load(suite, Sources(tmp_path, tmp_path / folder)).units
        assert not any(unit.needs for unit in units), units[0].needs
        context = Context(tmp_path / folder, tmp_path / "cache")
        return [(unit, list(tasks.get(unit.task).run(unit, context))) for unit in units]

    return ran


def recipe_of(adaptation: Any) -> dict[str, Any]:
    trained = adaptation not in ("linear", "knn")
    return {"epochs": 1, "batch": 12, "warmup_epochs": 0} if trained else {}
