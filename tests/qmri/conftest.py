from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from omnibench.catalogue import backbones, datasets, tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.recipe import resolve_recipe

Make = Callable[..., tuple[Unit, Context]]
SIZES = {"train": 300, "val": 100, "test": 125}


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A unit of few voxels and its context, with any adaptation, recipe and options."""
    torch.set_num_threads(1)

    def make(
        adaptation: str = "mlp",
        repetitions: tuple[int, ...] = (0,),
        recipe: dict[str, Any] | None = None,
        **options: Any,
    ) -> tuple[Unit, Context]:
        card = tasks.get("qmri").adaptations[adaptation]
        resolved = card.resolve_options(options, "adaptations")
        unit = Unit(
            task="qmri",
            dataset=datasets.get("ivim").model_copy(update={"splits": SIZES}),
            backbone=backbones.get("pixels"),
            adaptation=adaptation,
            short=card.short(resolved),
            options=resolved,
            recipe=resolve_recipe(recipe or {}, card.recipes, "recipe")[1],
            suite_seed=0,
            sources={"dataset": "few voxels", "backbone": "pixels"},
            repetitions=repetitions,
        )
        return unit, Context(tmp_path / "results", tmp_path / "cache")

    return make
