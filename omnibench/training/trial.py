"""One repetition of a unit as a task prepares it, and the one runner of all that is trained."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.label_subset import Subset
from omnibench.encoders.build import LoadedTrainable
from omnibench.encoders.leaving import facts_of, require_rebuilt, weights_of
from omnibench.errors import ExtensionError
from omnibench.record_files import EVALUATIONS, WEIGHTS
from omnibench.scoring import score
from omnibench.task import Outcome, Predictions
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.flops import Flops
from omnibench.training.job import Batch, cell_job
from omnibench.training.loop import Fitted, fit, log_lines
from omnibench.training.plan import TrainingRecipe, under_budget
from omnibench.training.processes import rank_and_size
from omnibench.training.trained_network import weights_to_store


class Trial:
    """What is trained in one repetition, how it is judged, and what it leaves.

    A task derives a class of its own; `loss` and `predict` must be given.

    Attributes:
        model: parameters with requires_grad are trained.
        count: images that are trained on.
        subset: those that the label budget leaves; None of a task that knows no budget.
        recipe: as the unit's, validated.
        select: the metric of `validate` that epochs are chosen by; None keeps the last epoch, and
            so does a recipe's `selection: last`.
        minimise: whether less of it is better.
        phases: seconds of what was made before, for all repetitions.
        predicting: what the time of `predict` is called.
        loaded: the backbone that is trained, which a cell may leave for others; None where it is
            frozen or becomes another network.
    """

    model: nn.Module
    count: int
    subset: Subset | None = None
    recipe: TrainingRecipe
    select: str | None = None
    minimise: bool = False
    phases: Mapping[str, float] = {}
    predicting: str = "evaluation"
    loaded: LoadedTrainable | None = None

    def loss(self, batch: Batch) -> Tensor:
        """Return a part's contribution to the step's loss; the parts' sum is the loss."""
        raise NotImplementedError

    def validate(self) -> Mapping[str, float]:
        """Return the metrics of the validation split under the model as it is now."""
        return {}

    def predict(self) -> Predictions:
        """Return the arrays that are stored of the test split, from which metrics are computed."""
        raise NotImplementedError

    def set_mode(self) -> None:
        """Put what is trained into training mode and what is frozen into evaluation mode."""
        self.model.train()

    def job(self) -> Mapping[str, Any]:
        """Return further attributes of `omnibench.training.job.Job`."""
        return {}

    def flops(self) -> Flops | None:
        """Return what is computed, counted before the training, whose bits it must not change."""
        return None

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        """Return what it took beside seconds, FLOPs and trained parameters."""
        return {}

    def digests(self) -> Mapping[str, str]:
        """Return the hashes of what was really loaded."""
        return {}

    def notes(self) -> Mapping[str, Any]:
        """Return facts for the record."""
        return {}

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        """Return what else is stored beside the record, by its ending ("overlay.png")."""
        return {}


def run_trained(
    trial_of: Callable[[int], Trial], unit: Unit, context: Context
) -> Iterator[Outcome]:
    """Train, judge and yield each repetition, resumed from its own checkpoints.

    Args:
        trial_of: makes a repetition's trial, as `Task.prepare` returns it.

    Raises:
        ExtensionError: a task's trial lacks a member or gives what it must not.
    """
    for repetition in unit.repetitions:
        began = time.perf_counter()
        torch.manual_seed(unit.seed("head", repetition))
        trial = _checked(trial_of(repetition), unit)
        trainable = sum(p.numel() for p in trial.model.parameters() if p.requires_grad)
        subset = trial.subset or Subset.from_count(trial.count)
        left = (
            require_rebuilt(trial.loaded, unit.backbone, unit.recipe["input_size"])
            if unit.leaves_backbone
            else None
        )
        recipe, epoch_images = under_budget(trial.recipe, trial.count, subset.whole)
        select = None if recipe.selection == "last" else trial.select
        flops = trial.flops()
        job = cell_job(
            unit,
            repetition,
            context,
            model=trial.model,
            count=trial.count,
            loss=trial.loss,
            validate=trial.validate,
            set_mode=trial.set_mode,
            select=select,
            epoch_images=epoch_images,
            minimise=trial.minimise,
            flops_per_image=None if flops is None else flops.image,
            **trial.job(),
        )
        fitted = fit(job, recipe)
        trained = time.perf_counter()
        predictions = _arrays(trial.predict(), unit)
        evaluated = time.perf_counter()
        chosen: dict[str, Any] = {}
        if trial.select is not None:
            better = "down" if trial.minimise else "up"
            chosen["validated"] = {"metric": trial.select, "better": better}
        if select is not None:
            name = f"val_{select.replace('-', '_')}"
            chosen["chosen"] = {"epoch": fitted.best_epoch, name: fitted.best}
        yield Outcome(
            repetition=repetition,
            metrics=score(unit.task, predictions),
            predictions=predictions,
            cost={
                "phases": {
                    **trial.phases,
                    "training": trained - began,
                    trial.predicting: evaluated - trained,
                },
                "train_seconds": fitted.train_seconds,
                "processes": rank_and_size()[1],
                "trainable_parameters": trainable,
                **trial.cost(fitted),
                **_flops(flops, fitted),
                "images_per_s": float(np.median([e["images_per_s"] for e in fitted.history])),
            },
            digests=dict(trial.digests()),
            notes={
                **chosen,
                "subset": dict(subset.facts),
                "batch_used": recipe.batch,
                "steps": fitted.history[-1]["steps"],
                **trial.notes(),
                **(facts_of(left, {unit.dataset.id: trial.count}) if left else {}),
            },
            files={
                **trial.files(predictions),
                **({"safetensors": weights_of(left.encoder.module)} if left else {}),
                **(
                    {WEIGHTS: weights_to_store(trial.model, trial.loaded)}
                    if unit.keeps_weights
                    else {}
                ),
                EVALUATIONS: log_lines(fitted.evaluations),
            },
        )
        Checkpoints(job.folder).remove()


def _flops(flops: Flops | None, fitted: Fitted) -> dict[str, float]:
    """Return what is known of the FLOPs of a whole repetition."""
    if flops is None:
        return {}
    return {"flops": flops.total(fitted.history[-1]["images"], len(fitted.evaluations))}


def _checked(trial: Trial, unit: Unit) -> Trial:
    """Return a trial that has every member.

    Raises:
        ExtensionError: naming what it lacks.
    """
    where = f"the task '{unit.task}': what its `prepare` gave"
    if not isinstance(trial, Trial):
        raise ExtensionError(f"{where} makes a {type(trial).__name__}, no omnibench.Trial")
    kinds = {"model": nn.Module, "count": int, "recipe": TrainingRecipe}
    for member, kind in kinds.items():
        if not isinstance(getattr(trial, member, None), kind):
            raise ExtensionError(f"{where} has no `{member}`, where a {kind.__name__} is due")
    return trial


def _arrays(predictions: Predictions, unit: Unit) -> dict[str, Any]:
    """Return predictions whose every value is an array.

    Raises:
        ExtensionError: naming the one that is none.
    """
    where = f"the task '{unit.task}': `predict`"
    if not isinstance(predictions, Mapping):
        raise ExtensionError(f"{where} gave a {type(predictions).__name__}, no mapping of arrays")
    for name, array in predictions.items():
        if not isinstance(array, np.ndarray):
            raise ExtensionError(f"{where} gave a {type(array).__name__} as '{name}', no array")
    return dict(predictions)
