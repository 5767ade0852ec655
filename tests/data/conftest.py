"""Small datasets for the tests of the readers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

COUNTS = {"train": 6, "val": 4, "test": 5}


@pytest.fixture
def arrays() -> dict[str, NDArray[Any]]:
    """A grey two-class dataset of 8 x 8 images as npz arrays."""
    rng = np.random.default_rng(0)
    content: dict[str, NDArray[Any]] = {}
    for split, count in COUNTS.items():
        content[f"{split}_images"] = rng.integers(0, 256, (count, 8, 8), dtype=np.uint8)
        content[f"{split}_labels"] = (np.arange(count, dtype=np.uint8) % 2)[:, None]
    return content


@pytest.fixture
def save(tmp_path: Path) -> Callable[..., Path]:
    """Write arrays as an npz file and return its path."""

    def write(content: dict[str, Any], name: str = "own.npz") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **content)
        return path

    return write
