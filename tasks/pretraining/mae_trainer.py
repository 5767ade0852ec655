"""A masked autoencoder's steps: views of images, masks, the loss of what is hidden."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.training.job import Batch
from omnibench.training.random import stream
from omnibench.training.schedule import factor

from .held import HeldImages
from .knn import OnlineKnn
from .mae_recipes import MaskedRecipe
from .mae_validation import Validation
from .masked_autoencoder import MaskedAutoencoder
from .patches import draw_noise, reconstruction_losses
from .trainer import Trainer
from .watch import Watch, spread_facts

# Of uint8 images [b, ...], (seed, step), their places in the batch and its size: float
# [b, 1, *sides] of 0..255 on the device.
Views = Callable[[NDArray[np.uint8], torch.Generator, Tensor, int], Tensor]


class MaeCourse:
    """The rates of a masked autoencoder: linear warm-up, then half a cosine to 0, by step.

    Args:
        epoch: steps an epoch.
    """

    def __init__(self, recipe: MaskedRecipe, epoch: int) -> None:
        self.recipe, self.epoch = recipe, epoch
        self.steps = recipe.epochs * epoch

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        recipe = self.recipe
        share = factor(step / self.epoch, recipe.epochs, recipe.warmup_epochs, recipe.warmup_start)
        return recipe.scaled_lr * share

    def set_rates(self, optimiser: torch.optim.Optimizer, step: int) -> float:
        """Set every group's rate for a step; returns it."""
        rate = self.rate(step)
        for group in optimiser.param_groups:
            group["lr"] = rate
        return rate


class MaeTrainer(Trainer):
    """Makes the steps of a masked autoencoder.

    Views and masks are drawn from (seed, step) and an image's place in the batch alone, so that
    they are the same in one process or several, at once or resumed.

    Args:
        views: makes the views of a step's images.
        normalise: turns these into what the encoder sees, [b, C, *sides].
        validation: of images that are not trained on; None where there are none.
    """

    parts = ("loss",)
    pixels: Tensor
    aims: Tensor
    noise: Tensor

    def __init__(
        self,
        model: MaskedAutoencoder,
        recipe: MaskedRecipe,
        images: HeldImages,
        unreadable: dict[int, str],
        views: Views,
        normalise: Callable[[Tensor], Tensor],
        seed: int,
        course: MaeCourse,
        watch: Watch,
        knn: OnlineKnn | None,
        validation: Validation | None,
    ) -> None:
        super().__init__(recipe, images, unreadable, course, watch, knn)
        self.model, self.views, self.normalise, self.seed = model, views, normalise, seed
        self.validation = validation
        self.features: list[Tensor] = []

    def show(self, batch: Batch, images: NDArray[np.uint8]) -> None:
        whole, places = len(batch.whole), batch.places
        shown = self.views(images, stream(self.seed, "views", batch.step), places, whole)
        self.pixels = self.normalise(shown)
        self.aims = self.model.target(self.pixels, shown)
        noise = draw_noise(whole, self.model.patches, stream(self.seed, "masks", batch.step))
        self.noise = noise[places].to(self.pixels.device)
        self.features.clear()

    def losses(self, places: Tensor, whole: int) -> Tensor:
        places = places.to(self.pixels.device)
        restored = self.model(self.pixels[places], self.noise[places])
        self.features.append(restored.features.detach())
        errors = reconstruction_losses(restored.predictions, self.aims[places], restored.masked)
        return errors.sum()[None] / whole

    def facts(self, step: int) -> dict[str, float]:
        return spread_facts(torch.cat(self.features))

    @property
    def evaluates(self) -> bool:
        return self.knn is not None or self.validation is not None

    def evaluation(self) -> dict[str, float | None]:
        validated = {} if self.validation is None else self.validation.evaluate(self.model)
        return {**super().evaluation(), **validated}

    def embed(self, pixels: Tensor) -> Tensor:
        """Return the means of the patches' tokens."""
        return self.model.embed(pixels)
