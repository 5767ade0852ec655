"""A unit of segmentation: each repetition trained by the shared loop, scored, and pictured."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load_once
from omnibench.task import Outcome, score
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.job import Job, cell_job
from omnibench.training.loop import Fitted, fit

from .build import Built, builder
from .cases import Cases
from .metrics import DEFINITIONS, miou
from .objective import Objective
from .overlay import overlay_sheet
from .recipes import SegmentationRecipe


def run(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition, each resumed from its own checkpoints."""
    recipe = SegmentationRecipe.model_validate(unit.recipe)
    source = unit.sources["dataset"]
    dataset = load_once(unit.dataset, context.data, source, recipe.input_size)
    cases = Cases.of(dataset, recipe.input_size, recipe.score_at, recipe.limit)
    began = time.perf_counter()
    build = builder(unit, cases, context)
    prepared = time.perf_counter() - began
    for repetition in unit.repetitions:
        began = time.perf_counter()
        torch.manual_seed(unit.seed("head", repetition))
        built = build()
        objective = Objective(built.model, cases, recipe.precision, context.device)
        job = _job(unit, repetition, objective, context)
        fitted = fit(job, recipe)
        trained = time.perf_counter()
        predictions = cases.predictions(objective.predict)
        phases = {
            "features": prepared,
            "training": trained - began,
            "evaluation": time.perf_counter() - trained,
        }
        yield Outcome(
            repetition=repetition,
            metrics=score(DEFINITIONS, predictions),
            predictions=predictions,
            cost=_cost(built, fitted, phases),
            digests={**cases.dataset.digests, "backbone": built.digest},
            notes={
                "chosen": {"epoch": fitted.best_epoch, "val_miou": fitted.best},
                "backbone": dict(built.facts),
                "mask_classes": list(cases.dataset.card.mask_classes),
            },
            files={
                "overlay.png": overlay_sheet(cases, predictions["test_counts"], objective.predict)
            },
        )
        Checkpoints(job.folder).remove()


def _job(unit: Unit, repetition: int, objective: Objective, context: Context) -> Job:
    def validate() -> Mapping[str, float]:
        return {"miou": miou(objective.cases.counts("val", objective.predict))}

    return cell_job(
        unit,
        repetition,
        context,
        model=objective.model,
        count=objective.cases.count("train"),
        loss=objective.loss,
        validate=validate,
        set_mode=objective.model.train,
        select="miou",
    )


def _cost(built: Built, fitted: Fitted, phases: Mapping[str, float]) -> dict[str, Any]:
    parameters = list(built.model.head.parameters())
    trained = [p for p in built.model.parameters() if p.requires_grad]
    return {
        **built.cost,
        "phases": dict(phases),
        "trainable_parameters": sum(p.numel() for p in trained),
        "total_parameters": built.cost["total_parameters"] + sum(p.numel() for p in parameters),
        "images_per_s": float(np.median([entry["images_per_s"] for entry in fitted.history])),
    }
