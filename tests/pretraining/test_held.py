"""Images kept in memory are those of the pool, read once."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench.data.pool import open_pool
from omnibench.data.sources import resolve
from omnibench.tasks.pretraining import held


@pytest.mark.parametrize("memory", [2**30, 1000])
def test_held_images_are_the_pools_and_read_once_where_they_fit(
    phantom: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    monkeypatch.setattr(held, "memory_bytes", lambda: memory)
    pool = open_pool(resolve(phantom), tmp_path)
    rows = np.arange(3, 40)
    images = held.HeldImages(lambda chosen: pool.read(chosen, 48), rows, (48, 48))
    read, asked = pool.read, []

    def counted(places: Any, size: Any) -> Any:
        asked.extend(places.tolist())
        return read(places, size)

    monkeypatch.setattr(pool, "read", counted)
    for places in (np.array([5, 0, 5, 36]), np.array([0, 7])):
        assert np.array_equal(images.read(places), read(rows[places], 48))
    assert sorted(asked) == ([3, 8, 10, 39] if memory == 2**30 else [3, 3, 8, 8, 10, 39])
