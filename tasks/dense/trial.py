"""A repetition of dense targets: its loss, the maps it predicts, and their picture."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.sources import load_once
from omnibench.task import Adaptation, Predictions
from omnibench.tasks.segmentation.layers import resize
from omnibench.tasks.segmentation.on_maps import Built, MapTrial, trials_on_maps
from omnibench.training.job import Batch
from omnibench.training.trial import Trial
from omnibench.views import Corrupted

from . import is_attached
from .attached import trials_of_attached
from .baselines import as_is
from .cases import Cases
from .losses import gradient_loss, neighbours, pixel_loss
from .recipes import DenseRecipe, MapRecipe
from .sheet import sheet


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the cases and, of a frozen backbone, keep its maps; return what makes a trial."""
    kind = MapRecipe if is_attached(adaptation) else DenseRecipe
    recipe = kind.model_validate(unit.recipe)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    views = [view for view in unit.views if isinstance(view, Corrupted)]
    cases = Cases.from_dataset(dataset, recipe.limit, views, recipe.keep_maps)
    if is_attached(adaptation):
        return trials_of_attached(unit, cases, adaptation, context)

    def trial(built: Built, own: Cases, phases: Mapping[str, float]) -> MapTrial:
        return DenseTrial(built, own, recipe, context.device, phases)

    return trials_on_maps(unit, cases, adaptation, context, trial)


class DenseTrial(MapTrial):
    """The error of numbers standardised by the training pixels, at the size of their maps."""

    cases: Cases
    recipe: DenseRecipe
    select, minimise = "mae", True
    _counted: tuple[Tensor, int, int] | None = None  # a whole batch, its numbers and neighbours

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss over valid pixels and neighbours."""
        rows = batch.rows.numpy()
        truth, valid = (
            torch.from_numpy(array).to(self.device) for array in self.cases.truth("train", rows)
        )
        if self.recipe.residual:
            truth = truth - self._as_is("train", rows)
        mean, std = self._scale
        truth = (truth - mean) / std
        outputs = self.model("train", rows).float()
        predicted = _as_maps(resize(outputs, (truth.shape[1], truth.shape[2])))
        pixels, pairs = self._counts(batch)
        loss = pixel_loss(self.recipe.loss, predicted, truth, valid) / pixels
        if self.recipe.gradient:
            slope = gradient_loss(predicted, truth, valid) / max(1, pairs)
            loss = loss + self.recipe.gradient * slope
        return loss

    @functools.cached_property
    def _scale(self) -> tuple[Any, Any]:
        """Return mean and standard deviation of what is learnt: a float, or a tensor [C]."""
        fitted = self.cases.fitted
        scale = (fitted.mean, fitted.std)
        if self.recipe.residual:
            scale = (fitted.rest_mean, fitted.rest_std)
        if not self.cases.facts.channels:
            return scale
        mean, std = (torch.tensor(part, dtype=torch.float32, device=self.device) for part in scale)
        return mean, std

    def _as_is(self, split: str, rows: NDArray[np.int64]) -> Tensor:
        """Return what the images say of their maps as they are, float32 as the maps."""
        shown = as_is(self.cases.inputs(split, rows), self.cases.facts).astype(np.float32)
        return torch.from_numpy(shown).to(self.device)

    def _counts(self, batch: Batch) -> tuple[int, int]:
        """Return how many numbers, and pairs of neighbours, of the whole batch are valid."""
        if self._counted is None or self._counted[0] is not batch.whole:  # for all of its parts
            valid = torch.from_numpy(self.cases.truth("train", batch.whole.numpy())[1])
            each = self.cases.outputs
            self._counted = (batch.whole, each * int(valid.sum()), each * neighbours(valid))
        return self._counted[1:]

    def validate(self) -> Mapping[str, float]:
        return {"mae": self.cases.mae("val", self.maps)}

    def predict(self) -> Predictions:
        return self.cases.predictions(self.maps)

    def maps(self, split: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the maps of the images at `rows`, as the truth is and in its unit."""
        height, width = self.cases.dataset.splits[split].images.shape[1:3]
        (mean, std), blocks = self._scale, []
        for part, outputs in self.logits(split, rows):
            values = _as_maps(resize(outputs, (height, width))[: len(part)]) * std + mean
            if self.recipe.residual:
                values = values + self._as_is(split, part)
            blocks.append(values.cpu().numpy())
        return np.concatenate(blocks)

    def notes(self) -> Mapping[str, Any]:
        fitted = self.cases.fitted
        return {
            "backbone": dict(self.built.facts),
            "maps": self.cases.facts.model_dump(mode="json"),
            "training_pixels": {"mean": _listed(fitted.mean), "std": _listed(fitted.std)},
            "affine": {"slope": _listed(fitted.slope), "offset": _listed(fitted.offset)},
        }

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {"maps.png": sheet(self.cases, predictions, self.maps)}


def _as_maps(outputs: Tensor) -> Tensor:
    """Return outputs [B, C, H, W] as maps: [B, H, W] of one number a pixel, else [B, H, W, C]."""
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs.movedim(1, -1)


def _listed(numbers: Any) -> Any:
    return np.asarray(numbers).tolist()
