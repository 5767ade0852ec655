"""What a step shows the networks: views of its images, masks and paths, all drawn by place."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.encoders.preprocess import Preprocess
from omnibench.training.random import stream, stream_seed

from .masks import draw_masks
from .network import Paths, draw_paths
from .recipes import DistillationRecipe
from .views import View, global_views, local_view

GLOBAL = 2


@dataclass(frozen=True)
class Crops:
    """The crops of b images of a batch, the first crop of each image before the second of any.

    Attributes:
        whole: [2 b, 3, S, S] normalised global crops.
        masks: bool [2 b, h, w].
        paths: of the global crops; None where no path is dropped.
        local: [L b, 3, s, s], and their paths.
    """

    whole: Tensor
    masks: Tensor
    paths: Paths | None
    local: Tensor
    local_paths: Paths | None

    def of_images(self, images: Tensor) -> "Crops":
        """Those of some of the images, in the same order."""
        count = len(self.whole) // GLOBAL
        both = _places(images, count, GLOBAL)
        small = _places(images, count, len(self.local) // count)
        return Crops(
            self.whole[both],
            self.masks[both],
            self.paths and self.paths.rows(both),
            self.local[small],
            self.local_paths and self.local_paths.rows(small),
        )


class Cropper:
    """Draws a step's crops from (seed, step) and an image's place in the batch alone.

    So they are the same in one process or several, at once or resumed.

    Args:
        patch: side of a patch, in pixels.
        preprocess: of the network, by whose mean and std crops are normalised.
    """

    def __init__(
        self,
        recipe: DistillationRecipe,
        seed: int,
        patch: int,
        depth: int,
        preprocess: Preprocess,
    ) -> None:
        self.recipe, self.seed, self.depth = recipe, seed, depth
        self.preprocess, self.device = preprocess, preprocess.device
        self.grid = (recipe.input_size // patch,) * 2
        self.views: list[View] = [
            *global_views(recipe.input_size, recipe.global_scale, recipe.global_blur),
            *[local_view(recipe.local_size, recipe.local_scale)] * recipe.local_crops,
        ]

    def crops(self, images: NDArray[np.uint8], step: int, places: Tensor, whole: int) -> Crops:
        """Crop the images at these places of a batch of `whole`.

        Args:
            images: uint8 [b, S, S].
        """
        recipe = self.recipe
        side = recipe.load_size
        views = stream(self.seed, "views", step)
        pixels = torch.from_numpy(images).to(self.device)
        shown = [
            self.preprocess.normalise(
                view.apply(pixels, view.draw(whole, side, side, views).rows(places))
            )
            for view in self.views
        ]
        both = _places(places, whole, GLOBAL)
        small = _places(places, whole, recipe.local_crops)
        masks = draw_masks(
            GLOBAL * whole,
            self.grid,
            np.random.default_rng(stream_seed(self.seed, "masks", step)),
            recipe.mask_share,
            recipe.mask_ratio,
        )
        paths = stream(self.seed, "paths", step)
        paths_of_crops, local_paths = (
            draw_paths(count * whole, self.depth, recipe.drop_path, paths)
            for count in (GLOBAL, recipe.local_crops)
        )
        return Crops(
            torch.cat(shown[:GLOBAL]),
            torch.from_numpy(masks)[both].to(self.device),
            paths_of_crops and paths_of_crops.rows(both),
            torch.cat(shown[GLOBAL:]) if small.numel() else shown[0][:0],
            local_paths and local_paths.rows(small),
        )


def _places(images: Tensor, whole: int, crops: int) -> Tensor:
    """Places of images among crops that lie view by view."""
    return (torch.arange(crops)[:, None] * whole + images).flatten()
