"""A repetition of any pretraining: what it is given, and the backbone that it leaves."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.coverage import tensors_digest
from omnibench.encoders.leaving import weights_of
from omnibench.encoders.preprocess import Preprocess
from omnibench.execute import only
from omnibench.files import plain
from omnibench.store import RecordStore
from omnibench.task import Predictions
from omnibench.training.job import Batch
from omnibench.training.loop import Fitted
from omnibench.training.trial import Trial

from .curves import Panels, draw_curves
from .held import HeldImages
from .recipes import PretrainingRecipe
from .trainer import Trainer
from .watch import Watch

log = logging.getLogger("omnibench")


class Pool(Protocol):
    """N images, or volumes, of several datasets.

    Attributes:
        members: ids of the datasets; `member_of`: int64 [N], the index of each one's dataset.
        unreadable: index -> name of each that could not be read so far.
    """

    members: tuple[str, ...]
    member_of: NDArray[np.int64]
    unreadable: dict[int, str]

    def __len__(self) -> int: ...

    def read(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Return those at `rows` as squares, or volumes of them, of `size` pixels a side."""
        ...

    def smaller_than(self, size: int) -> int:
        """Return how many have a side below `size`."""
        ...


@dataclass(frozen=True)
class Start:
    """What a repetition starts from.

    Attributes:
        vit: the network with the backbone's weights.
        arguments: by which it is built again, beside the name of its architecture.
        mean, std: of the images that it takes, scaled to 0..1.
    """

    vit: Any
    arguments: Mapping[str, Any]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class PretrainingTrial(Trial):
    """The training of a vision transformer; nothing is validated, the last step is kept.

    Attributes:
        figures: the names of the numbers in a line of its log.
        panels: of the picture of its course.
        trainer: makes its steps.
    """

    figures: ClassVar[tuple[str, ...]]
    panels: ClassVar[Panels]
    recipe: PretrainingRecipe
    trainer: Trainer

    def __init__(
        self,
        unit: Unit,
        repetition: int,
        context: Context,
        recipe: PretrainingRecipe,
        pool: Pool,
        rows: NDArray[np.int64],
        start: Start,
    ) -> None:
        self.unit, self.repetition, self.context = unit, repetition, context
        self.recipe, self.pool, self.rows, self.start = recipe, pool, rows, start
        self.count = len(rows)
        if small := pool.smaller_than(recipe.input_size):
            log.warning(
                "%s: %d of %d images are smaller than the crop of %d px and are enlarged",
                unit.dataset.id,
                small,
                len(pool),
                recipe.input_size,
            )

    @property
    def left(self) -> Any:
        """Return the network whose weights become a backbone."""
        raise NotImplementedError

    @property
    def device(self) -> torch.device:
        return torch.device(self.context.device)

    @property
    def preprocess(self) -> Preprocess:
        """Return what makes the network's input of images."""
        start, size = self.start, self.recipe.input_size
        return Preprocess(size, start.mean, start.std, self.device, torch.float32)

    @property
    def watch(self) -> Watch:
        """Return the log beside the record."""
        cell = only(self.unit, (self.repetition,)).cells[0]
        # Written in place, so never a link.
        path = RecordStore(self.context.results).path(cell)
        return Watch(plain(path.with_suffix(".steps.jsonl")))

    def held(self, side: int, *depth: int) -> HeldImages:
        """Return the images that take part, of `side` pixels; of volumes `depth` slices each."""
        return HeldImages(lambda rows: self.pool.read(rows, side), self.rows, (*depth, side, side))

    def loss(self, batch: Batch) -> Tensor:
        return self.trainer.loss(batch)

    def job(self) -> Mapping[str, Any]:
        return {
            "hooks": self.trainer,
            "whole_batches": True,
            "checkpoint_steps": self.recipe.checkpoint_steps,
            "checkpoints": self.recipe.checkpoints,
        }

    def predict(self) -> Predictions:
        return course_of(self.trainer.watch.lines, self.figures)

    def cost(self, fitted: Fitted) -> Mapping[str, Any]:
        return {"total_parameters": sum(p.numel() for p in self.model.parameters())}

    def digests(self) -> Mapping[str, str]:
        return {"weights": tensors_digest(self.left)}

    def notes(self) -> Mapping[str, Any]:
        return {
            "architecture": str(self.left.pretrained_cfg["architecture"]),
            "model_args": dict(self.start.arguments),
            "mean": list(self.start.mean),
            "std": list(self.start.std),
            "images": _counts(self.pool, self.rows),
            "unreadable": sorted(self.pool.unreadable.values()),
            "enlarged": self.pool.smaller_than(self.recipe.input_size),
        }

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {
            "safetensors": weights_of(self.left),
            "curves.png": draw_curves(predictions, self.unit.name, self.panels),
        }


def course_of(
    lines: Sequence[Mapping[str, Any]], figures: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Return the log as arrays, one value a line; NaN where a line has none."""
    steps = {"step": np.array([line["step"] for line in lines], np.int64)}
    return steps | {
        name: np.array([_value(line.get(name)) for line in lines], np.float64) for name in figures
    }


def _counts(pool: Pool, rows: NDArray[np.int64]) -> dict[str, int]:
    """Return how many images of each dataset take part."""
    counts = np.bincount(pool.member_of[rows], minlength=len(pool.members))
    return dict(zip(pool.members, counts.tolist(), strict=True))


def _value(value: float | None) -> float:
    return float("nan") if value is None else value
