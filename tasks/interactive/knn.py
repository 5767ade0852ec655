"""Masks from clicks and frozen features, with no training.

Each click says what the pixels are that are like it and near it. Features are standardised over the
positions of their image, so that cosines mean the same for every backbone: as they are, those of
random weights lie between 0.99 and 1. The image's mean feature is then 0, and so is every pixel's
cosine with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .sequences import Box
from .simulators import Bits, Click

Floats = NDArray[np.float32]
EPSILON = 1e-6
# What a cosine loses over the image's diagonal: by it a click acts about itself. Of 2, 5 and 10 the
# best on validation images of breast ultrasound (BUSI), for trained and for random weights.
REACH = 5.0


@dataclass(frozen=True)
class Features:
    """The features of an image on a grid, and the way from the grid to its pixels.

    Attributes:
        grid: [h * w, D], each of length 1, or 0 where there is nothing to tell.
        rows: [H, h] and columns: [W, w], the weights of bilinear interpolation.
    """

    grid: Floats
    rows: Floats
    columns: Floats

    @classmethod
    def from_maps(cls, maps: Sequence[Floats], size: tuple[int, int]) -> "Features":
        """Standardise and join maps [D, h, w], finest first, at the finest grid.

        Each level weighs the same in the cosine.
        """
        height, width = maps[0].shape[1:]
        levels = []
        for level in maps:
            own = level.reshape(len(level), -1)
            own = own - own.mean(axis=1, keepdims=True)
            own /= own.std(axis=1, keepdims=True) + EPSILON
            own /= np.linalg.norm(own, axis=0) + EPSILON
            rows, columns = weights(height, level.shape[1]), weights(width, level.shape[2])
            levels.append((rows @ own.reshape(level.shape) @ columns.T).reshape(len(level), -1))
        joined = np.concatenate(levels)
        joined /= np.linalg.norm(joined, axis=0) + EPSILON
        grid = np.ascontiguousarray(joined.T)
        return cls(grid, weights(size[0], height), weights(size[1], width))

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W) of the image's pixels."""
        return len(self.rows), len(self.columns)

    def mean(self, pixels: NDArray[np.float32]) -> Floats:
        """Return the mean feature [D] of pixels that weigh [H, W], of length 1, or 0 of none."""
        shares = self.rows.T @ pixels @ self.columns
        return _unit(shares.ravel() @ self.grid)

    def at(self, click: Click) -> Floats:
        """Return the feature [D] at a pixel, of length 1."""
        shares = np.outer(self.rows[click.row], self.columns[click.column]).ravel()
        near = np.flatnonzero(shares)
        return _unit(shares[near] @ self.grid[near])

    def cosines(self, feature: Floats) -> Floats:
        """Return the cosine of a feature with that of every pixel, [H, W]."""
        grid = (self.grid @ feature).reshape(self.rows.shape[1], self.columns.shape[1])
        cosines: Floats = self.rows @ grid @ self.columns.T
        return cosines


def weights(new: int, old: int) -> Floats:
    """Return what bilinear interpolation weighs `old` samples by at each of `new`: [new, old].

    As torch's `interpolate(mode="bilinear", align_corners=False)`.
    """
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    below = np.floor(places).astype(np.int64)
    share = places - below
    matrix = np.zeros((new, old), np.float32)
    matrix[np.arange(new), below] = 1 - share
    matrix[np.arange(new), np.minimum(below + 1, old - 1)] += share
    return matrix


def _unit(feature: NDArray[np.floating[Any]]) -> Floats:
    unit: Floats = (feature / (np.linalg.norm(feature) + EPSILON)).astype(np.float32)
    return unit


class NearestClicks:
    """A pixel is of the object where it is more like a positive click than like any negative one.

    How like a click it is: the cosine of the two features, less REACH times the distance in the
    image's diagonals. With a box, the mean features within and outside of it are a positive and a
    negative click that lie nowhere, and no pixel outside is of the object; without one, the image's
    mean feature is such a negative click. A pixel that was clicked is what the last click on it
    said.

    Args:
        box: of the object; None without one.
    """

    def __init__(self, features: Features, box: Box | None) -> None:
        self.features = features
        height, width = features.size
        self.places = np.ogrid[:height, :width]
        self.diagonal = np.hypot(height, width)
        within = np.ones(features.size, np.float32)
        self.positive = np.full_like(within, -np.inf)
        self.negative = np.zeros_like(within)
        if box is not None:
            within[:] = 0
            within[box] = 1
            self.positive = features.cosines(features.mean(within))
            self.negative = features.cosines(features.mean(1 - within))
        self.within = within > 0

    def start(self) -> Bits:
        """Return the mask that the box alone gives; an empty one without it."""
        mask: Bits = (self.positive > self.negative) & self.within
        return mask

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        """Return the mask after a further click."""
        click = clicks[-1]
        rows, columns = self.places
        distance = np.hypot(rows - click.row, columns - click.column, dtype=np.float32)
        alike = self.features.cosines(self.features.at(click))
        alike -= np.float32(REACH / self.diagonal) * distance
        side = self.positive if click.sign > 0 else self.negative
        np.maximum(side, alike, out=side)
        mask = self.start()
        for row, column, sign in clicks:
            mask[row, column] = sign > 0
        return mask
