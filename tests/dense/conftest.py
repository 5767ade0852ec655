from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from omnibench.cards import BackboneCard, DatasetCard, MapFacts
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Dataset, Maps, Masks, Split, Target
from omnibench.recipe import resolve_recipe

SIDE = 32
CARD = DatasetCard(
    id="discs",
    reader="tests.dense.conftest:read",
    tasks=("dense",),
    maps=MapFacts(unit="mm", range=(-2, 2), structure=1.0, block=4),
    channels=1,
    resolution=SIDE,
    splits={"train": 16, "val": 6, "test": 9},
    primary={"dense": "mae"},
)
MOVED = CARD.model_copy(
    update={
        "id": "moved",
        "reader": "tests.dense.conftest:read_moved",
        "maps": MapFacts(
            unit="mm", range=(-32, 32), channels=("down", "right"), displacement=(1, 1)
        ),
    }
)
FAST = {"input_size": 32, "precision": "fp32", "epochs": 2, "batch": 8, "lr": 3e-3}


def read(card: DatasetCard, data_dir: Path) -> Dataset:
    """Draw noisy discs; a map is -1 outside and 1.5 inside one, and unknown in the first row."""
    splits = {}
    for seed, (name, count) in enumerate(card.splits.items()):
        rng = np.random.default_rng(seed)
        rows, columns = np.mgrid[:SIDE, :SIDE]
        centres = rng.integers(10, 22, (2, count, 1, 1))
        inside = (rows - centres[0]) ** 2 + (columns - centres[1]) ** 2 < 49
        images = (rng.integers(0, 60, inside.shape) + 160 * inside).astype(np.uint8)
        maps = np.where(inside, 1.5, -1).astype(np.float32)
        maps[:, 0] = np.nan
        valid = np.isfinite(maps)
        splits[name] = Split(
            ArrayImages(images),
            {"maps": Maps(ArrayImages(maps), ArrayImages(valid))},
            groups=np.array([f"{name}-{k // 2}" for k in range(count)]),
        )
    return Dataset(card, splits)


def read_moved(card: DatasetCard, data_dir: Path) -> Dataset:
    """Give each pixel of the same images the way to its disc's centre, and masks of two halves."""
    splits = {}
    halves = (np.arange(SIDE) // 16 + np.zeros((SIDE, 1))).astype(np.uint8)
    for name, split in read(CARD, data_dir).splits.items():
        maps, valid = split.target("maps", Maps).read_rows(np.arange(len(split)))
        places = np.moveaxis(np.mgrid[:SIDE, :SIDE], 0, -1)
        centres = [places[disc].mean(axis=0) for disc in np.nan_to_num(maps) > 0]
        ways = np.stack([centre - places for centre in centres]).astype(np.float32)
        targets: dict[str, Target] = {
            "maps": Maps(ArrayImages(ways), ArrayImages(valid)),
            "unmoved": Masks(ArrayImages(np.stack([halves] * len(ways)))),
        }
        splits[name] = Split(split.images, targets, groups=split.groups)
    return Dataset(card, splits)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Unit, Context]]:
    """A unit on discs and its context, of any adaptation and recipe; its decoder is narrow."""
    monkeypatch.setattr("omnibench.tasks.segmentation.width.DEFAULT_WIDTH", 48)
    torch.set_num_threads(1)

    def make(
        adaptation: str = "linear",
        options: Any = None,
        dataset: DatasetCard = CARD,
        **recipe: Any,
    ) -> tuple[Unit, Context]:
        card = tasks.get("dense").adaptations[adaptation]
        chosen = card.resolve_options(options or {}, "adaptations")
        unit = Unit(
            task="dense",
            dataset=dataset,
            backbone=BackboneCard(id="b", source="random:test_efficientnet"),
            adaptation=adaptation,
            short=card.short(chosen),
            options=chosen,
            recipe=resolve_recipe({**FAST, **recipe}, card.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": dataset.id, "backbone": "random"},
            repetitions=(0,),
        )
        return unit, Context(tmp_path / "results", tmp_path / "cache")

    return make
