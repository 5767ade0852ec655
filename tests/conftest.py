"""Fixtures for all tests."""

import os
from pathlib import Path

import pytest

from omnibench.cards import BackboneCard, DatasetCard
from omnibench.cell import Unit


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images beside the project; without it the test is skipped."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("OMNIBENCH_REAL_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"no real images at {folder}; set OMNIBENCH_REAL_DATA to their folder")
    return folder


@pytest.fixture
def unit() -> Unit:
    """A unit of three cells that nothing is loaded for."""
    return Unit(
        task="classification",
        dataset=DatasetCard(id="d", reader="a:b", tasks=("classification",)),
        backbone=BackboneCard(id="a", source="random:x"),
        adaptation="linear",
        short="linear",
        options={},
        recipe={"epochs": 3},
        suite_seed=0,
        sources={"dataset": "x", "backbone": "y"},
        repetitions=(0, 1, 2),
    )
