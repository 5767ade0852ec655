from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import ArrayImages, Images
from omnibench.data.npz import card_of
from omnibench.recipe import resolve_recipe

SPLITS = {"train": 16, "val": 6, "test": 9}
FAST = {"input_size": 64, "precision": "fp32", "epochs": 2, "batch": 8, "lr": 3e-3}


def blobs(count: int, seed: int, side: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images with one bright disc each, and the discs: uint8 [N, side, side]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    centres = rng.integers(side // 4, 3 * side // 4, (count, 2))
    radii = rng.integers(side // 8, side // 4, count)
    masks = np.stack(
        [
            ((rows - y) ** 2 + (columns - x) ** 2 < r**2).astype(np.uint8)
            for (y, x), r in zip(centres, radii, strict=True)
        ]
    )
    images = rng.integers(0, 60, masks.shape) + 160 * masks
    return images.astype(np.uint8), masks


def array_of(images: Images) -> NDArray[np.uint8]:
    """Return the array of images that are in memory."""
    assert isinstance(images, ArrayImages)
    return images.array


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Unit, Context]]:
    """A unit on blobs and its context, of any adaptation and recipe; its decoder is narrow."""
    return maker(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def make_once(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., tuple[Unit, Context]]]:
    """The same for all tests of a module, whose units share a folder."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield maker(tmp_path_factory.mktemp("units"), monkeypatch)


def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[Unit, Context]]:
    monkeypatch.setattr("omnibench.tasks.segmentation.width.DEFAULT_WIDTH", 48)
    torch.set_num_threads(1)
    arrays = dict[str, Any]()
    for seed, (split, count) in enumerate(SPLITS.items()):
        images, masks = blobs(count, seed)
        arrays |= {f"{split}_images": images, f"{split}_label": masks}
    np.savez(tmp_path / "blobs.npz", **arrays)

    def make(
        adaptation: str = "linear",
        place: str = "results",
        source: str = "random:test_vit",
        repetitions: Any = (0,),
        options: Any = None,
        **recipe: Any,
    ) -> tuple[Unit, Context]:
        card = tasks.get("segmentation").adaptations[adaptation]
        options = card.resolve_options(options or {}, "adaptations")
        unit = Unit(
            task="segmentation",
            dataset=card_of(tmp_path / "blobs.npz"),
            backbone=BackboneCard(id="b", source=source),
            adaptation=adaptation,
            short=card.short(options),
            options=options,
            recipe=resolve_recipe({**FAST, **recipe}, card.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "data", "backbone": source},
            repetitions=repetitions,
        )
        return unit, Context(tmp_path / place, tmp_path / "cache")

    return make
