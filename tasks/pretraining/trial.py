"""A repetition of pretraining: its network, its training, and the teacher that it leaves."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.pool import Pool, open_pool
from omnibench.data.subset import drawn
from omnibench.encoders.coverage import tensors_digest
from omnibench.encoders.leaving import weights_of
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import choose_attention
from omnibench.errors import RequestError
from omnibench.execute import only
from omnibench.files import plain
from omnibench.store import RecordStore
from omnibench.task import Predictions
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.processes import rank_and_size
from omnibench.training.trial import Trial

from .crops import Cropper
from .curves import draw_curves
from .distillation import Distillation
from .groups import Course, parameter_groups
from .knn import OnlineKnn
from .metrics import FIGURES, KNN
from .recipes import PretrainingRecipe
from .start import start_of, statistics
from .trainer import Trainer
from .watch import PATIENCE, Watch

log = logging.getLogger("omnibench")


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Open the pool of images, and return what makes a repetition's trial."""
    recipe = PretrainingRecipe.model_validate(unit.recipe)
    check_parts(recipe)
    count = unit.dataset.splits.get("train", 0)
    pool = open_pool(unit.dataset, context.data, int(recipe.unreadable * count))
    rows = drawn(len(pool), recipe.limit)
    return lambda repetition: PretrainingTrial(unit, repetition, context, recipe, pool, rows)


class PretrainingTrial(Trial):
    """Self-distillation of a vision transformer; nothing is validated, the last step is kept."""

    recipe: PretrainingRecipe
    model: Distillation

    def __init__(
        self,
        unit: Unit,
        repetition: int,
        context: Context,
        recipe: PretrainingRecipe,
        pool: Pool,
        rows: NDArray[np.int64],
    ) -> None:
        self.unit, self.recipe, self.pool, self.rows = unit, recipe, pool, rows
        self.count = len(rows)
        vit, self.arguments = start_of(unit.backbone, recipe, context.data, context.results)
        self.architecture = str(vit.pretrained_cfg["architecture"])
        choose_attention(vit, torch.device(context.device))
        self.mean, self.std = statistics(unit.backbone, recipe, vit)
        self.model = Distillation(vit, recipe).to(context.device)
        self.course = Course(recipe, len(rows) // recipe.batch)
        self.trainer = self._trainer(repetition, context)

    def _trainer(self, repetition: int, context: Context) -> Trainer:
        unit, recipe, pool = self.unit, self.recipe, self.pool
        device = torch.device(context.device)
        preprocess = Preprocess(recipe.input_size, self.mean, self.std, device, torch.float32)
        if small := pool.smaller_than(recipe.input_size):
            log.warning(
                "%s: %d of %d images are smaller than the crop of %d px and are enlarged",
                unit.dataset.id,
                small,
                len(pool),
                recipe.input_size,
            )
        vit = self.model.student.backbone.vit
        seed = unit.seed("augmentation", repetition)
        cropper = Cropper(recipe, seed, vit.patch_embed.patch_size[0], len(vit.blocks), preprocess)
        record = RecordStore(context.results).path(only(unit, (repetition,)).cells[0])
        knn = None
        if unit.options["knn"] is not None:
            knn = OnlineKnn(unit.options["knn"], context.data, preprocess, recipe.precision)
        # Written in place, so never a link.
        watch = Watch(plain(record.with_suffix(".steps.jsonl")))
        return Trainer(
            self.model, recipe, pool, self.rows, cropper, self.course, watch, knn, context.device
        )

    def loss(self, batch: Batch) -> Tensor:
        return self.trainer.loss(batch)

    def set_mode(self) -> None:
        self.model.set_training()

    def job(self) -> Mapping[str, Any]:
        return {
            "groups": parameter_groups(self.model.student, self.recipe),
            "course": self.course.set_rates,
            "clipped": [list(part.parameters()) for part in self.model.student.children()],
            "hooks": self.trainer,
            "whole_batches": True,
            "fixed_parts": True,
            "keep_frozen": True,
            "checkpoint_steps": self.recipe.checkpoint_steps,
            "checkpoints": self.recipe.checkpoints,
        }

    def predict(self) -> Predictions:
        return course_of(self.trainer.watch.lines)

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        return {
            "trainable_parameters": sum(p.numel() for p in self.model.student.parameters()),
            "total_parameters": sum(p.numel() for p in self.model.parameters()),
        }

    def digests(self) -> Mapping[str, str]:
        return {"weights": tensors_digest(self.model.teacher.backbone.vit)}

    def notes(self) -> Mapping[str, Any]:
        signs = self.trainer.watch.signs
        return {
            "architecture": self.architecture,
            "model_args": self.arguments,
            "mean": list(self.mean),
            "std": list(self.std),
            "images": _counts(self.pool, self.rows),
            "unreadable": sorted(self.pool.unreadable.values()),
            "enlarged": self.pool.smaller_than(self.recipe.input_size),
            "collapse": [name for name, n in signs.items() if n >= PATIENCE],
        }

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {
            "safetensors": weights_of(self.model.teacher.backbone.vit),
            "curves.png": draw_curves(predictions, self.unit.name),
        }


def course_of(lines: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the log as arrays, one value a line; NaN where a line has none."""
    steps = {"step": np.array([line["step"] for line in lines], np.int64)}
    return steps | {
        name: np.array([_value(line.get(name)) for line in lines], np.float64)
        for name in (*FIGURES, *KNN)
    }


def _counts(pool: Pool, rows: NDArray[np.int64]) -> dict[str, int]:
    """Return how many images of each dataset take part."""
    counts = np.bincount(pool.member_of[rows], minlength=len(pool.members))
    return dict(zip(pool.members, counts.tolist(), strict=True))


def _value(value: float | None) -> float:
    return float("nan") if value is None else value


def check_parts(recipe: PretrainingRecipe) -> None:
    """Refuse a batch that does not go up in whole micro-batches on every process.

    Raises:
        RequestError: naming the figures; KoLeo's neighbours would depend on the processes.
    """
    processes, part = rank_and_size()[1], recipe.micro_batch or recipe.batch
    if recipe.batch % (processes * part):
        raise RequestError(
            f"recipe.batch {recipe.batch} is not a multiple of {processes} processes x micro_batch "
            f"{part}; lower micro_batch"
        )
