from collections.abc import Callable
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
from omnibench.data.npz import card_of
from omnibench.recipe import resolve_recipe

SIDE = 32
BACKBONE = BackboneCard(id="b", source="random:test_vit")
Bits = NDArray[np.bool_]


def disc(row: float, column: float, radius: float, side: int = SIDE) -> Bits:
    rows, columns = np.mgrid[:side, :side]
    mask: Bits = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return mask


def masks_of_two_classes() -> NDArray[np.uint8]:
    """Return class indices: a disc of class 1, one of 1 and one of 2, nothing at all."""
    masks = np.zeros((3, SIDE, SIDE), np.uint8)
    masks[0][disc(16, 16, 8)] = 1
    masks[1][disc(8, 8, 5)] = 1
    masks[1][disc(22, 22, 6)] = 2
    return masks


Make = Callable[..., tuple[Unit, Context]]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A unit of an adaptation and its context, on masks for all splits, with any options."""
    torch.set_num_threads(1)

    def make(
        masks: NDArray[np.uint8] | None = None,
        repetitions: tuple[int, ...] = (0,),
        recipe: dict[str, Any] | None = None,
        adaptation: str = "clicks-knn",
        place: str = "results",
        backbone: BackboneCard = BACKBONE,
        **options: Any,
    ) -> tuple[Unit, Context]:
        masks = masks_of_two_classes() if masks is None else masks
        random = np.random.default_rng(0)
        images = (random.integers(0, 60, masks.shape) + 90 * masks).astype(np.uint8)
        arrays: dict[str, Any] = {}
        for split in ("train", "val", "test"):
            arrays |= {f"{split}_images": images, f"{split}_label": masks}
        np.savez(tmp_path / "discs.npz", **arrays)
        card = tasks.get("interactive").adaptations[adaptation]
        resolved = card.resolve_options(options, "adaptations")
        fields = {"input_size": SIDE, "precision": "fp32", **(recipe or {})}
        unit = Unit(
            task="interactive",
            dataset=card_of(tmp_path / "discs.npz"),
            backbone=backbone,
            adaptation=adaptation,
            short=card.short(resolved),
            options=resolved,
            recipe=resolve_recipe(fields, card.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "data", "backbone": backbone.source},
            repetitions=repetitions,
        )
        return unit, Context(tmp_path / place, tmp_path / "cache")

    return make
