"""Whole units of pretraining on a small network, their logs, and what they leave."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import resolve
from omnibench.recipe import resolve_recipe
from omnibench.store import RecordStore
from omnibench.task import Outcome

SOURCE = "random:test_vit"  # six blocks of width 64, patches of 16 px
FIGURES = ("loss", "dino", "ibot", "koleo")
# Eight steps, four an epoch.
FAST = {
    "input_size": 48,
    "load_size": 56,
    "local_size": 32,
    "epochs": 2,
    "batch": 8,
    "limit": 34,
    "prototypes": 32,
    "hidden": 24,
    "bottleneck": 12,
    "warmup_epochs": 0.5,
    "teacher_warmup_epochs": 1.0,
    "frozen_last_layer_epochs": 0.5,
    "lr": 2e-3,
    "log_steps": 1,
    "precision": "fp32",
}


def pretraining(
    dataset: str,
    source: str = SOURCE,
    knn: str | None = None,
    repetitions: Any = (0,),
    **recipe: Any,
) -> Unit:
    """A unit of FAST, any field of the recipe said otherwise."""
    card = tasks.get("pretraining").adaptations["dinov2-global"]
    return Unit(
        task="pretraining",
        dataset=resolve(dataset),
        backbone=BackboneCard(id="start", source=source),
        adaptation="dinov2-global",
        short="dinov2-global",
        options=card.resolve_options({"knn": knn}, "options"),
        recipe=resolve_recipe({**FAST, **recipe}, card.recipes, "recipe")[1],
        suite_seed=0,
        sources={"dataset": dataset, "backbone": source},
        repetitions=tuple(repetitions),
    )


# Eight steps of a masked autoencoder, four an epoch.
MASKED: Mapping[str, Any] = {
    "epochs": 2,
    "batch": 8,
    "limit": 34,
    "warmup_epochs": 0.5,
    "lr": 2e-3,
    "log_steps": 1,
    "precision": "fp32",
}
DECODER: Mapping[str, Any] = {"decoder_width": 24, "decoder_depth": 1, "decoder_heads": 3}


def masked(
    method: str,
    dataset: str,
    source: str = SOURCE,
    options: Mapping[str, Any] = DECODER,
    repetitions: Any = (0,),
    **recipe: Any,
) -> Unit:
    """A unit of a masked autoencoder, any field of the recipe said otherwise."""
    card = tasks.get("pretraining").adaptations[method]
    sizes = {"input_size": 48, "load_size": 56} if method == "mae" else {"input_size": 16}
    return Unit(
        task="pretraining",
        dataset=resolve(dataset),
        backbone=BackboneCard(id="start", source=source),
        adaptation=method,
        short=method,
        options=card.resolve_options({**DECODER, **options}, "options"),
        recipe=resolve_recipe({**MASKED, **sizes, **recipe}, card.recipes, "recipe")[1],
        suite_seed=0,
        sources={"dataset": dataset, "backbone": source},
        repetitions=tuple(repetitions),
    )


def outcome(unit: Unit, context: Context) -> Outcome:
    (actual,) = tasks.get("pretraining").run(unit, context)
    return actual


def lines(unit: Unit, context: Context) -> list[dict[str, Any]]:
    """The log of a unit's steps, without the figures that are of the clock."""
    path = RecordStore(context.results).path(unit.cells[0]).with_suffix(".steps.jsonl")
    actual = [json.loads(line) for line in path.read_text().splitlines()]
    for line in actual:
        assert (line.pop("images_per_s") > 0) == (line["step"] > 0)
        assert (line.pop("seconds_left") is None) == (line["step"] == 0)
    return actual


def checkpoints(unit: Unit, context: Context) -> Path:
    """The folder of a unit's checkpoints."""
    return context.results / "checkpoints" / f"{unit.cells[0].digest}-{unit.recipe['precision']}"
