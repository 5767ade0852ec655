"""Fixtures for units of pretraining."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.context import Context
from omnibench.data import sources
from tests.target_values import labels_of


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Some images of phantom as an npz: drawn once, where the dataset itself is drawn each time."""
    folder = tmp_path_factory.mktemp("phantom")
    arrays: dict[str, Any] = {}
    for split, actual in sources.load(sources.resolve("phantom"), folder).splits.items():
        count = {"train": 80, "val": 40, "test": 8}[split]
        arrays[f"{split}_images"] = actual.images.read(0, count)
        arrays[f"{split}_labels"] = labels_of(actual)[:count, None]
    np.savez(folder / "images.npz", **arrays)
    return f"npz:{folder / 'images.npz'}"


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Results and data of one test, on one thread."""
    torch.set_num_threads(1)
    return Context(tmp_path / "results", tmp_path / "cache")
