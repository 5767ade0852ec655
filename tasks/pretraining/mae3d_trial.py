"""A repetition of a masked autoencoder of volumes, and the encoder that it leaves."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.architecture.volume_vits import VOLUME_VIT
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.series import Series
from omnibench.data.subset import drawn
from omnibench.encoders.origins import ORIGINS
from omnibench.encoders.timm_create import create_timm
from omnibench.encoders.volume_vit import VolumeViT, inflate
from omnibench.errors import RequestError
from omnibench.training.trial import Trial

from .held import HeldImages
from .knn import OnlineKnn
from .mae_options import Mae3dOptions
from .mae_recipes import Mae3dRecipe
from .mae_trial import MaskedTrial
from .mae_validation import MOST
from .network import check_standard
from .refusals import no_volume_vit
from .start import statistics
from .trial import Start
from .volume_pool import EvenVolumes, VolumePool, labelled_series, open_series


class Mae3dTrial(MaskedTrial):
    """A masked autoencoder of volumes.

    Args:
        held_out: the series that are not trained on.
    """

    batch = 8
    recipe: Mae3dRecipe

    def __init__(self, *given: Any, held_out: Sequence[Series]) -> None:
        self.held_out = held_out
        super().__init__(*given)

    @property
    def grid(self) -> tuple[int, ...]:
        return tuple(self.start.vit.grid(self.recipe.input_size))

    @property
    def options(self) -> Mae3dOptions:
        return Mae3dOptions.model_validate(self.unit.options)

    def images(self) -> HeldImages:
        return self.held(self.recipe.input_size, self.start.vit.slices)

    def views(
        self, images: NDArray[np.uint8], generator: torch.Generator, places: Tensor, whole: int
    ) -> Tensor:
        flipped = (torch.rand(whole, 2, generator=generator) < self.recipe.flip)[places]
        volumes = torch.from_numpy(images)
        for axis, chosen in ((2, flipped[:, 0]), (3, flipped[:, 1])):
            volumes = torch.where(chosen[:, None, None, None], volumes.flip(axis), volumes)
        return volumes.to(self.device).float()[:, None]

    def normalise(self, shown: Tensor) -> Tensor:
        slices = self.preprocess.normalise(shown[:, 0].flatten(0, 1)[:, None])
        pixels: Tensor = slices.unflatten(0, shown[:, 0].shape[:2]).transpose(1, 2)
        return pixels

    def knn(self) -> OnlineKnn | None:
        reference, context = self.unit.options["knn"], self.context
        if reference is None:
            return None
        labelled = functools.partial(labelled_series, self.start.vit.slices, self.recipe.input_size)
        preprocess, precision = self.preprocess.of_volumes, self.recipe.precision
        return OnlineKnn(
            reference, context.data, preprocess, precision, context.device, labelled, self.batch
        )

    def validated(self) -> NDArray[np.uint8]:
        slices, size = self.start.vit.slices, self.recipe.input_size
        parts = [np.empty((0, slices, size, size), np.uint8)]
        for part in self.held_out:
            rows = drawn(len(part.slices), MOST // len(self.held_out))
            parts.append(EvenVolumes(part, slices, size).read_rows(rows))
        return np.concatenate(parts)


def prepare(unit: Unit, context: Context) -> Callable[[int], Trial]:
    """Open the pool of volumes, and return what makes a repetition's trial."""
    recipe = Mae3dRecipe.model_validate(unit.recipe)
    series = open_series(unit.dataset, context.data)
    train, held_out = series["train"], tuple(series["val"].values())

    def trial_of(repetition: int) -> Trial:
        start = _start(unit, context, recipe)
        pool = VolumePool(tuple(train), tuple(train.values()), start.vit.slices)
        rows = drawn(len(pool), recipe.limit)
        return Mae3dTrial(unit, repetition, context, recipe, pool, rows, start, held_out=held_out)

    return trial_of


def _start(unit: Unit, context: Context, recipe: Mae3dRecipe) -> Start:
    """Return what a repetition starts from: a VolumeViT, or a ViT of images that is inflated.

    Raises:
        RequestError: it is neither, or is not to be inflated.
    """
    card, slices = unit.backbone, unit.options["inflate"]
    origin = ORIGINS[card.source_kind](card, recipe.input_size, context.data, context.results)
    vit = origin.module
    if isinstance(vit, VolumeViT):
        return Start(vit, dict(origin.arguments), *statistics(card, recipe, vit))
    if slices is None:
        raise RequestError(no_volume_vit(card.id))
    check_standard(vit, card.id)
    try:
        volume_vit, arguments = inflate(vit, slices)
    except ValueError as error:
        raise RequestError(f"{card.id} cannot be inflated: {error}; take another one") from error
    volume_vit.pretrained_cfg = create_timm(VOLUME_VIT, arguments).pretrained_cfg
    return Start(volume_vit, arguments, *statistics(card, recipe, vit))
