"""What the attacks share: a bomb and its mark, a suite, catalogues of a test's own, records."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from omnibench import catalogue
from omnibench.cell import Cell
from omnibench.session import Places, Session
from omnibench.store import RecordStore
from tests.conftest import Bench
from tests.security.attack_tools import Bomb, done


@pytest.fixture
def marker(tmp_path: Path) -> Iterator[Path]:
    """Where a bomb leaves its mark; at the end it must not be there."""
    path = tmp_path / "code-ran"
    yield path
    assert not path.exists(), "the attacker's code ran"


@pytest.fixture
def bomb(marker: Path) -> Bomb:
    return Bomb(marker)


@pytest.fixture
def suite(tmp_path: Path) -> Callable[..., Any]:
    """A suite's file of one small backbone on one dataset, by its reference."""

    def suite(dataset: str, task: str = "classification", adaptation: str = "knn") -> Path:
        path = tmp_path / "attack.yaml"
        path.write_text(
            "name: attack\nbackbones: [{id: v, source: 'random:test_vit', pool: cls}]\n"
            f"matrix: [{{task: {task}, datasets: ['{dataset}'], adaptations: [{adaptation}]}}]\n"
        )
        return path

    return suite


@pytest.fixture
def arrays() -> dict[str, Any]:
    """What an npz of two classes holds."""
    rng = np.random.default_rng(0)
    held: dict[str, Any] = {}
    for split in ("train", "val", "test"):
        held[f"{split}_images"] = rng.integers(0, 256, (6, 8, 8), dtype=np.uint8)
        held[f"{split}_labels"] = np.arange(6) % 2
    return held


@pytest.fixture(autouse=True)
def catalogues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Backbones and datasets that a test registers are forgotten with it."""
    for registry in (catalogue.backbones, catalogue.datasets):
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))


@pytest.fixture
def plant(bench: Bench, tmp_path: Path) -> Callable[..., Any]:
    """Give a suite's file and folder of results; writes a done record of each cell, untrained."""

    def plant(suite: Path, results: Path = tmp_path / "results") -> list[tuple[Cell, Path]]:
        session = Session.open(Places(results=results))
        store = RecordStore(results)
        cells = [cell for unit in session.suite(str(suite))[1] for cell in unit.cells]
        return [(cell, store.write(cell, *done(cell))) for cell in cells]

    return plant
