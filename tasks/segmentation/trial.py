"""A repetition of segmentation: its loss, the masks it predicts, and their picture."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.declaration import VOID
from omnibench.data.sources import load_once
from omnibench.task import Adaptation, Predictions
from omnibench.training.job import Batch
from omnibench.training.trial import Trial
from omnibench.views import Corrupted

from . import samples
from .cases import Cases
from .layers import resize
from .metrics import miou
from .on_maps import Built, MapTrial, trials_on_maps
from .overlay import overlay_sheet
from .recipes import SegmentationRecipe
from .targets import centreline_heat


def prepare(unit: Unit, context: Context, adaptation: Adaptation) -> Callable[[int], Trial]:
    """Read the cases and, of a frozen backbone, keep its maps; return what makes a trial."""
    recipe = SegmentationRecipe.model_validate(unit.recipe)
    dataset = load_once(unit.dataset, context.data, unit.sources["dataset"], recipe.input_size)
    views = [view for view in unit.views if isinstance(view, Corrupted)]
    cases = Cases.from_dataset(dataset, recipe.input_size, recipe.score_at, recipe.limit, views)
    cases = replace(cases, shape=recipe.shape, keep_masks=recipe.keep_masks)

    def trial(built: Built, own: Cases, phases: Mapping[str, float]) -> MapTrial:
        made = SegmentationTrial(built, own, recipe, context.device, phases)
        if unit.options.get("target") == "centreline":  # what trains the backbone has no target
            made.sigma = unit.options["sigma"]
        return made

    return trials_on_maps(unit, cases, adaptation, context, trial)


class SegmentationTrial(MapTrial):
    """Cross-entropy over the pixels of the input size, and predictions in evaluation mode.

    Attributes:
        sigma: in pixels, of the heat around centrelines that the loss is taken on; None where it is
            taken on the masks' classes.
    """

    cases: Cases
    recipe: SegmentationRecipe
    sigma: float | None = None
    select: str | None = "miou"

    def __init__(
        self,
        built: Built,
        cases: Cases,
        recipe: SegmentationRecipe,
        device: str,
        phases: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(built, cases, recipe, device, phases)
        self._counted: tuple[Tensor, int] | None = None  # a whole batch and its pixels of a class

    def loss(self, batch: Batch) -> Tensor:
        """Return this part's share of the step's mean loss."""
        return self.pixel_loss(self.model("train", batch.rows.numpy()), batch)

    def pixel_loss(self, logits: Tensor, batch: Batch) -> Tensor:
        """Return the share of a part of the batch's loss, given its logits [B, C, h, w]."""
        masks = self.cases.masks("train", batch.rows.numpy())
        side = self.cases.trained
        logits = resize(logits.float(), (side, side))
        if self.sigma is None:
            classes = torch.from_numpy(masks).to(self.device).long()
            total = functional.cross_entropy(logits, classes, reduction="sum", ignore_index=VOID)
        else:
            heat = centreline_heat(masks, self.cases.classes, self.sigma)
            shares = torch.from_numpy(heat).to(self.device)
            total = functional.cross_entropy(logits, shares, reduction="sum")
        return total / self._pixels(batch)

    def _pixels(self, batch: Batch) -> int:
        """Return how many pixels of the whole batch have a class."""
        if not self.cases.void:
            return len(batch.whole) * self.cases.trained**2
        if self._counted is None or self._counted[0] is not batch.whole:  # for all of its parts
            masks = self.cases.masks("train", batch.whole.numpy())
            self._counted = (batch.whole, max(1, int((masks != VOID).sum())))
        return self._counted[1]

    def validate(self) -> Mapping[str, float]:
        return {"miou": miou(self.cases.counts("val", self.masks))}

    def predict(self) -> Predictions:
        small_masks: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []

        def predicted(split: str, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
            masks = self.masks(split, rows)
            if split == "test":
                truth = self.cases.truth(split, rows)
                small_masks.append((samples.small(masks), samples.small(truth)))
            return masks

        predictions = self.cases.predictions(predicted)
        self.small_masks = [np.concatenate(blocks) for blocks in zip(*small_masks, strict=True)]
        return predictions

    def masks(self, split: str, rows: NDArray[np.int64]) -> list[NDArray[np.uint8]]:
        """Return class indices [H, W] of the images at `rows`, each at its size of scoring."""
        masks: list[NDArray[np.uint8]] = []
        for part, logits in self.logits(split, rows):
            sizes = self.cases.sizes(split, part)
            if len(set(sizes)) == 1:
                masks.extend(_largest(resize(logits, sizes[0]))[: len(part)])
                continue
            for own, size in zip(logits.split(1), sizes, strict=False):
                masks.extend(_largest(resize(own, size)))
        return masks

    def notes(self) -> Mapping[str, Any]:
        classes = list(self.cases.dataset.card.mask_classes)
        return {"backbone": dict(self.built.facts), "mask_classes": classes}

    def files(self, predictions: Predictions) -> Mapping[str, bytes]:
        return {
            "overlay.png": overlay_sheet(self.cases, predictions["test_counts"], self.masks),
            "masks.npz": samples.packed(*self.small_masks),
        }


def _largest(logits: Tensor) -> NDArray[np.uint8]:
    """Return the class of the largest logit, [B, H, W]."""
    classes: NDArray[np.uint8] = logits.argmax(dim=1).to(torch.uint8).cpu().numpy()
    return classes
