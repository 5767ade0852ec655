"""The loss of a part of a batch: read, augmented, encoded, compared."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from omnibench.errors import RequestError
from omnibench.training.augment import Augmentation
from omnibench.training.job import Batch
from omnibench.training.random import stream

from .cases import Cases
from .classifier import Classifier
from .linear import as_targets
from .recipes import TrainedRecipe


class Objective:
    """Cross-entropy (binary for multi-label) over augmented training images.

    Every draw is made for the whole batch and cut to the part, so that neither micro-batches nor
    processes change it.
    """

    def __init__(self, model: Classifier, cases: Cases, recipe: TrainedRecipe, seed: int) -> None:
        self.model, self.seed = model, seed
        self.images = cases.dataset.splits["train"].images
        self.multi_label = cases.multi_label
        self.targets = as_targets(cases.labels["train"], cases.classes)
        self.weights = _class_weights(cases, recipe)
        self.width = model.width()
        scale = (recipe.crop_scale, 1.0)
        self.augmentation = Augmentation(recipe.input_size, recipe.flip, recipe.rotation, scale)

    def loss(self, batch: Batch) -> Tensor:
        """This part's share of the step's mean loss."""
        logits = self.model(self.pixels(batch), self._kept(batch)).float()
        targets = self.targets[batch.rows].to(logits.device)
        if self.multi_label:
            total = functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
            return total / (len(batch.whole) * targets.shape[1])
        weights = (self.targets @ self.weights)[batch.whole]
        entropy = functional.cross_entropy(logits, targets, reduction="none")
        own = weights[batch.places].to(logits.device)
        return (own * entropy).sum() / weights.sum().to(logits.device)

    def pixels(self, batch: Batch) -> Tensor:
        """Read, augment and normalise a part's images: [B, 3, S, S]."""
        prepare = self.model.encoder.preprocess
        height, width = self.images.shape[1:3]
        maps = self.augmentation.draw(
            len(batch.whole), height, width, stream(self.seed, "augment", batch.step)
        )
        images = torch.from_numpy(np.ascontiguousarray(self.images.read_rows(batch.rows.numpy())))
        images = images.to(prepare.device, non_blocking=True)
        pixels = self.augmentation.apply(images, maps[batch.places].to(prepare.device))
        return prepare.normalise(pixels)

    def _kept(self, batch: Batch) -> Tensor | None:
        if self.model.dropout == 0:
            return None
        draws = torch.rand(
            len(batch.whole), self.width, generator=stream(self.seed, "dropout", batch.step)
        )
        keep = (draws[batch.places] >= self.model.dropout).float()
        return keep.to(self.model.encoder.preprocess.device)


def _class_weights(cases: Cases, recipe: TrainedRecipe) -> Tensor:
    """A weight a class [C]: ones, or sqrt(N / n_c)."""
    if recipe.class_weights == "none":
        return torch.ones(cases.classes)
    if cases.multi_label:
        raise RequestError("recipe.class_weights: for multi-label datasets only 'none' is defined")
    counts = np.bincount(cases.labels["train"], minlength=cases.classes)
    return torch.from_numpy(np.sqrt(counts.sum() / counts)).float()
