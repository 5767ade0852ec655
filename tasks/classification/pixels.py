"""Training images as a recipe has them: read, augmented, normalised and mixed."""

import numpy as np
import torch
from torch import Tensor

from omnibench.data import Images
from omnibench.encoders.build import LoadedTrainable
from omnibench.training.augment import Augmentation
from omnibench.training.job import Batch
from omnibench.training.mixup import Pairs
from omnibench.training.random import stream, stream_seed
from omnibench.training.timm_augment import TimmAugmentation

from .recipes import TrainedRecipe


def augmentation_of(recipe: TrainedRecipe) -> Augmentation:
    """Return the affine map that a recipe draws for an image where timm augments nothing."""
    scale = (recipe.crop_scale, 1.0)
    return Augmentation(recipe.input_size, recipe.flip, recipe.rotation, scale)


class TrainingPixels:
    """The training images of a trial.

    Every draw is made for the whole step and cut to the part, or follows from an image's place in
    the step, so that neither micro-batches nor processes change it.

    Args:
        seed: of augmentation and mixing.
    """

    def __init__(
        self, images: Images, recipe: TrainedRecipe, loaded: LoadedTrainable, seed: int
    ) -> None:
        self.images, self.recipe, self.seed = images, recipe, seed
        self.prepare = loaded.encoder.preprocess
        self.affine = augmentation_of(recipe)
        self.timm = (
            TimmAugmentation(
                recipe.input_size,
                recipe.flip,
                recipe.crop_scale,
                recipe.randaugment,
                recipe.erasing,
                loaded.mean,
                loaded.std,
            )
            if recipe.by_timm
            else None
        )

    def pairs(self, batch: Batch) -> Pairs | None:
        """Return whom the images of a part are mixed with; None where nothing is mixed."""
        alpha = self.recipe.mixup
        return Pairs.from_batch(batch, alpha, self.seed) if alpha else None

    def __call__(self, batch: Batch) -> Tensor:
        """Return what the backbone takes of a part's images: [B, 3, S, S]."""
        pixels, pairs = self._augmented(batch), self.pairs(batch)
        if pairs is None:
            return pixels
        whole = len(batch.places) == len(batch.whole)
        return pairs.mixed(pixels, pixels.flip(0) if whole else self._augmented(pairs.others))

    def _augmented(self, batch: Batch) -> Tensor:
        images, prepare = self.images.read_rows(batch.rows.numpy()), self.prepare
        if self.timm is not None:
            places = batch.places.tolist()
            seeds = [stream_seed(self.seed, "augment", batch.step, place) for place in places]
            return self.timm(images, seeds).to(prepare.device, prepare.dtype)
        height, width = self.images.shape[1:3]
        draws = stream(self.seed, "augment", batch.step)
        maps = self.affine.draw(len(batch.whole), height, width, draws)
        stored = torch.from_numpy(np.ascontiguousarray(images))
        stored = stored.to(prepare.device, non_blocking=True)
        pixels = self.affine.apply(stored, maps[batch.places].to(prepare.device))
        return prepare.normalise(pixels)
