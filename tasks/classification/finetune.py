"""`head`, `full` and `lora`: each repetition trained by the shared loop, under augmentation."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.build import Loaded, load_trainable
from omnibench.encoders.forward import counted_flops
from omnibench.encoders.frozen import unit_features
from omnibench.task import Outcome, score
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.job import Job, cell_job
from omnibench.training.loop import Fitted, fit

from .cases import Cases, validation_macro_f1
from .classifier import Classifier
from .evaluation import Evaluation, FrozenEvaluation, TrainedEvaluation
from .metrics import DEFINITIONS
from .objective import Objective
from .recipes import TrainedRecipe


def run(unit: Unit, cases: Cases, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition, each resumed from its own checkpoints."""
    recipe = TrainedRecipe.model_validate(unit.recipe)
    for repetition in unit.repetitions:
        began = time.perf_counter()
        torch.manual_seed(unit.seed("head", repetition))
        # A frozen backbone runs in the recipe's precision, a trained one is kept in fp32.
        precision = recipe.precision if unit.adaptation == "head" else "fp32"
        loaded = load_trainable(unit, context, precision)
        model = Classifier.of(loaded.encoder, unit.adaptation, unit.options, recipe, cases.classes)
        model.to(context.device)
        evaluation = _evaluation(unit, cases, model, recipe, context)
        job = _job(unit, repetition, cases, model, evaluation, recipe, context)
        fitted = fit(job, recipe)
        logits = {name: evaluation.logits(name) for name in ("val", "test")}
        predictions = cases.predictions(logits)
        yield Outcome(
            repetition=repetition,
            metrics=score(DEFINITIONS, predictions),
            predictions=predictions,
            cost=_cost(model, loaded, fitted, cases, began),
            digests={**cases.dataset.digests, "backbone": loaded.digest},
            notes={
                "chosen": {"epoch": fitted.best_epoch, "val_macro_f1": fitted.best},
                "backbone": loaded.facts(),
                **cases.notes(),
            },
        )
        Checkpoints(job.folder).remove()


def _job(
    unit: Unit,
    repetition: int,
    cases: Cases,
    model: Classifier,
    evaluation: Evaluation,
    recipe: TrainedRecipe,
    context: Context,
) -> Job:
    objective = Objective(model, cases, recipe, unit.seed("augmentation", repetition))

    def validate() -> Mapping[str, float]:
        return {"macro-f1": validation_macro_f1(evaluation.logits("val"), cases.labels["val"])}

    return cell_job(
        unit,
        repetition,
        context,
        model=model,
        count=len(cases.labels["train"]),
        loss=objective.loss,
        validate=validate,
        set_mode=model.set_training,
        select="macro-f1",
    )


def _evaluation(
    unit: Unit, cases: Cases, model: Classifier, recipe: TrainedRecipe, context: Context
) -> Evaluation:
    if unit.adaptation == "head":
        # Only training images are augmented: those of val and test are embedded once.
        splits = {n: s for n, s in cases.dataset.splits.items() if n != "train"}
        return FrozenEvaluation(model, unit_features(unit, splits, context).arrays, context.device)
    images = {name: split.images for name, split in cases.dataset.splits.items()}
    return TrainedEvaluation(model, images, recipe.precision, context.device)


def _cost(
    model: Classifier, loaded: Loaded, fitted: Fitted, cases: Cases, began: float
) -> dict[str, Any]:
    size = model.encoder.preprocess.size
    images = torch.zeros(1, size, size, dtype=torch.uint8)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    # torch's counter fails at a parameter that is passed to a module and could have a gradient.
    model.eval().requires_grad_(False)
    with counted_flops() as counter, torch.no_grad():
        model.encoder.embed(images)
    epochs = len(fitted.history)
    rates: list[float] = [entry["images_per_s"] for entry in fitted.history]
    seen = epochs * (len(cases.labels["train"]) + len(cases.labels["val"]))
    return {
        "phases": {"training": time.perf_counter() - began},
        "trainable_parameters": trainable,
        "total_parameters": loaded.parameters,
        "images_per_s": float(np.median(rates)),
        "flops": counter.get_total_flops() * seen,
    }
