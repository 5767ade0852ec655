"""A unit of pretraining: its images, its network, its training, and the teacher it leaves."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save

from omnibench.cards import Channels
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.pool import Pool, open_pool
from omnibench.data.subset import drawn
from omnibench.encoders.coverage import tensors_digest
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_encoder import choose_attention
from omnibench.errors import RequestError
from omnibench.execute import only
from omnibench.files import plain
from omnibench.store import RecordStore
from omnibench.task import Outcome, score
from omnibench.training.checkpoint import Checkpoints
from omnibench.training.job import Job, cell_job
from omnibench.training.loop import fit
from omnibench.training.processes import rank_and_size

from .crops import Cropper
from .curves import draw_curves
from .distillation import Distillation
from .groups import Course, parameter_groups
from .knn import OnlineKnn
from .metrics import DEFINITIONS, FIGURES, KNN
from .recipes import PretrainingRecipe
from .start import start_of, statistics
from .trainer import Trainer
from .watch import PATIENCE, Watch

log = logging.getLogger("omnibench")


def run(unit: Unit, context: Context) -> Iterator[Outcome]:
    """Yield one outcome a repetition, each resumed from its own checkpoints."""
    recipe = PretrainingRecipe.model_validate(unit.recipe)
    check_parts(recipe)
    count = unit.dataset.splits.get("train", 0)
    pool = open_pool(unit.dataset, context.data, int(recipe.unreadable * count))
    rows = drawn(len(pool), recipe.limit)
    for repetition in unit.repetitions:
        began = time.perf_counter()
        torch.manual_seed(unit.seed("head", repetition))
        vit, arguments = start_of(unit.backbone, recipe, context.data, context.results)
        architecture = str(vit.pretrained_cfg["architecture"])
        choose_attention(vit, torch.device(context.device))
        mean, std = statistics(unit.backbone, recipe, vit)
        model = Distillation(vit, recipe).to(context.device)
        job, trainer = _training(unit, repetition, context, recipe, model, pool, rows, mean, std)
        fitted = fit(job, recipe)
        predictions = course_of(trainer.watch.lines)
        teacher = model.teacher.backbone.vit
        weights = {name: value.contiguous().cpu() for name, value in teacher.state_dict().items()}
        yield Outcome(
            repetition=repetition,
            metrics=score(DEFINITIONS, predictions),
            predictions=predictions,
            cost={
                "phases": {"training": time.perf_counter() - began},
                "images_per_s": float(np.median([e["images_per_s"] for e in fitted.history])),
                "trainable_parameters": sum(p.numel() for p in model.student.parameters()),
                "total_parameters": sum(p.numel() for p in model.parameters()),
            },
            digests={"weights": tensors_digest(teacher)},
            notes={
                "architecture": architecture,
                "model_args": arguments,
                "mean": list(mean),
                "std": list(std),
                "images": _counts(pool, rows),
                "unreadable": sorted(pool.unreadable.values()),
                "enlarged": pool.smaller_than(recipe.input_size),
                "collapse": [name for name, n in trainer.watch.signs.items() if n >= PATIENCE],
            },
            files={
                "safetensors": save(weights),
                "curves.png": draw_curves(predictions, unit.name),
            },
        )
        Checkpoints(job.folder).remove()


def _training(
    unit: Unit,
    repetition: int,
    context: Context,
    recipe: PretrainingRecipe,
    model: Distillation,
    pool: Pool,
    rows: NDArray[np.int64],
    mean: Channels,
    std: Channels,
) -> tuple[Job, Trainer]:
    preprocess = Preprocess(
        recipe.input_size, mean, std, torch.device(context.device), torch.float32
    )
    if small := pool.smaller_than(recipe.input_size):
        log.warning(
            "%s: %d of %d images are smaller than the crop of %d px and are enlarged",
            unit.dataset.id,
            small,
            len(pool),
            recipe.input_size,
        )
    vit = model.student.backbone.vit
    course = Course(recipe, len(rows) // recipe.batch)
    seed = unit.seed("augmentation", repetition)
    cropper = Cropper(recipe, seed, vit.patch_embed.patch_size[0], len(vit.blocks), preprocess)
    record = RecordStore(context.results).path(only(unit, (repetition,)).cells[0])
    knn = None
    if unit.options["knn"] is not None:
        knn = OnlineKnn(unit.options["knn"], context.data, preprocess, recipe.precision)
    watch = Watch(plain(record.with_suffix(".steps.jsonl")))  # written in place, so never a link
    trainer = Trainer(model, recipe, pool, rows, cropper, course, watch, knn, context.device)
    job = cell_job(
        unit,
        repetition,
        context,
        model=model,
        count=len(rows),
        loss=trainer.loss,
        validate=dict,
        set_mode=model.set_training,
        select=None,
        groups=parameter_groups(model.student, recipe),
        course=course.set_rates,
        clipped=[list(part.parameters()) for part in model.student.children()],
        hooks=trainer,
        whole_batches=True,
        fixed_parts=True,
        keep_frozen=True,
        checkpoint_steps=recipe.checkpoint_steps,
        checkpoints=recipe.checkpoints,
    )
    return job, trainer


def course_of(lines: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """The log as arrays, one value a line; NaN where a line has none."""
    steps = {"step": np.array([line["step"] for line in lines], np.int64)}
    return steps | {
        name: np.array([_value(line.get(name)) for line in lines], np.float64)
        for name in (*FIGURES, *KNN)
    }


def _counts(pool: Pool, rows: NDArray[np.int64]) -> dict[str, int]:
    """Images of each dataset that take part."""
    counts = np.bincount(pool.member_of[rows], minlength=len(pool.members))
    return dict(zip(pool.members, counts.tolist(), strict=True))


def _value(found: float | None) -> float:
    return float("nan") if found is None else found


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
