"""A repetition of dense targets: its loss, the maps it predicts, and their picture."""

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

from .cases import Cases
from .losses import gradient_loss, neighbours, pixel_loss
from .recipes import DenseRecipe
from .sheet import sheet


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the cases and, of a frozen backbone, keep its maps; return what makes a trial."""
    recipe = DenseRecipe.model_validate(unit.recipe)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    views = [view for view in unit.views if isinstance(view, Corrupted)]
    cases = Cases.from_dataset(dataset, recipe.limit, views, recipe.keep_maps)

    def trial(built: Built, own: Cases, phases: Mapping[str, float]) -> MapTrial:
        return DenseTrial(built, own, recipe, context.device, phases)

    return trials_on_maps(unit, cases, adaptation, context, trial)


class DenseTrial(MapTrial):
    """The error of numbers standardised by the training pixels, at the size of their maps."""

    cases: Cases
    recipe: DenseRecipe
    select, minimise = "mae", True
    _counted: tuple[Tensor, int, int] | None = None  # a whole batch, its pixels and neighbours

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss over valid pixels and neighbours."""
        rows, fitted = batch.rows.numpy(), self.cases.fitted
        values, valid = (
            torch.from_numpy(array).to(self.device) for array in self.cases.truth("train", rows)
        )
        truth = (values - fitted.mean) / fitted.std
        predicted = self._standardised("train", rows, (truth.shape[1], truth.shape[2]))
        pixels, pairs = self._counts(batch)
        loss = pixel_loss(self.recipe.loss, predicted, truth, valid) / pixels
        if self.recipe.gradient:
            slope = gradient_loss(predicted, truth, valid) / max(1, pairs)
            loss = loss + self.recipe.gradient * slope
        return loss

    def _standardised(self, split: str, rows: NDArray[np.int64], size: tuple[int, int]) -> Tensor:
        return resize(self.model(split, rows).float(), size)[:, 0]

    def _counts(self, batch: Batch) -> tuple[int, int]:
        """Return how many pixels, and pairs of neighbours, of the whole batch are valid."""
        if self._counted is None or self._counted[0] is not batch.whole:  # for all of its parts
            valid = torch.from_numpy(self.cases.truth("train", batch.whole.numpy())[1])
            self._counted = (batch.whole, int(valid.sum()), neighbours(valid))
        return self._counted[1:]

    def validate(self) -> Mapping[str, float]:
        return {"mae": self.cases.mae("val", self.maps)}

    def predict(self) -> Predictions:
        return self.cases.predictions(self.maps)

    def maps(self, split: str, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the maps [n, H, W] of the images at `rows`, in the unit of the truth."""
        height, width = self.cases.dataset.splits[split].images.shape[1:3]
        fitted, blocks = self.cases.fitted, []
        for part, outputs in self.logits(split, rows):
            values = resize(outputs, (height, width))[: len(part), 0]
            blocks.append((values * fitted.std + fitted.mean).cpu().numpy())
        return np.concatenate(blocks)

    def notes(self) -> Mapping[str, Any]:
        fitted = self.cases.fitted
        return {
            "backbone": dict(self.built.facts),
            "maps": self.cases.facts.model_dump(mode="json"),
            "training_pixels": {"mean": fitted.mean, "std": fitted.std},
            "affine": {"slope": fitted.slope, "offset": fitted.offset},
        }

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {"maps.png": sheet(self.cases, predictions, self.maps)}
