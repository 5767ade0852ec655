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

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.maps import unit_maps

from .cases import Objects
from .options import ClickOptions
from .sequences import Box
from .simulators import Bits, Click
from .untrained import Methods

Floats = NDArray[np.float32]
EPSILON = 1e-6
# What a cosine loses over the image's diagonal: by it a click acts about itself. Of 1, 2, 3 and 5
# the best on validation images of breast ultrasound (BUSI) and lungs (JSRT), whatever the weights.
REACH = 3.0


@dataclass(frozen=True)
class Axis:
    """Bilinear interpolation along an axis, as torch's with `align_corners=False`.

    These products are too small for the threads of a matrix library, which wait for each other.

    Attributes:
        below, above: [new] the samples on both sides of each place.
        share: [new] what the sample above weighs; the one below weighs the rest.
    """

    below: NDArray[np.int64]
    above: NDArray[np.int64]
    share: Floats

    @classmethod
    def from_lengths(cls, new: int, old: int) -> "Axis":
        """Return the places of `new` samples among `old` ones."""
        places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        below = places.astype(np.int64)
        return cls(below, np.minimum(below + 1, old - 1), (places - below).astype(np.float32))

    def interpolated(self, samples: Floats) -> Floats:
        """Return [..., new] of samples [..., old]."""
        below = samples[..., self.below]
        values: Floats = below + (samples[..., self.above] - below) * self.share
        return values

    def weights(self, places: slice, old: int) -> Floats:
        """Return [old], what each sample weighs in the sum over some places."""
        below = np.bincount(self.below[places], 1 - self.share[places], old)
        return (below + np.bincount(self.above[places], self.share[places], old)).astype(np.float32)


@dataclass(frozen=True)
class Features:
    """The features of an image on a grid, and the way from the grid to its pixels.

    Attributes:
        grid: [h, w, D], each of length 1, or 0 where there is nothing to tell.
        rows, columns: of the H x W pixels among the grid's.
    """

    grid: Floats
    rows: Axis
    columns: Axis

    @classmethod
    def from_maps(cls, maps: Sequence[Floats], size: tuple[int, int]) -> "Features":
        """Standardise and join maps [D, h, w], finest first, at the finest grid.

        Each level weighs the same in the cosine.
        """
        finest = maps[0].shape[1:]
        levels = []
        for level in maps:
            own = level - level.mean(axis=(1, 2), keepdims=True)
            own /= own.std(axis=(1, 2), keepdims=True) + EPSILON
            own /= np.linalg.norm(own, axis=0) + EPSILON
            levels.append(_resized(own, *map(Axis.from_lengths, finest, level.shape[1:])))
        joined = np.concatenate(levels)
        joined /= np.linalg.norm(joined, axis=0) + EPSILON
        grid = np.ascontiguousarray(joined.transpose(1, 2, 0))
        return cls(grid, *map(Axis.from_lengths, size, finest))

    @property
    def size(self) -> tuple[int, int]:
        """Return (H, W) of the image's pixels."""
        return len(self.rows.share), len(self.columns.share)

    def mean(self, box: Box) -> Floats:
        """Return the mean feature [D] of the pixels in a box, of length 1."""
        return _unit(np.einsum("hw,hwd->d", self._weights(box), self.grid))

    def mean_outside(self, box: Box) -> Floats:
        """Return the mean feature [D] of the pixels outside of a box; 0 where there are none."""
        everywhere = self._weights((slice(None), slice(None)))
        return _unit(np.einsum("hw,hwd->d", everywhere - self._weights(box), self.grid))

    def at(self, click: Click) -> Floats:
        """Return the feature [D] at a pixel, of length 1."""
        pixel = slice(click.row, click.row + 1), slice(click.column, click.column + 1)
        return self.mean(pixel)

    def cosines(self, feature: Floats) -> Floats:
        """Return the cosine of a feature with that of every pixel, [H, W]."""
        return _resized(np.einsum("hwd,d->hw", self.grid, feature), self.rows, self.columns)

    def _weights(self, box: Box) -> Floats:
        height, width = self.grid.shape[:2]
        return np.outer(self.rows.weights(box[0], height), self.columns.weights(box[1], width))


def _resized(samples: Floats, rows: Axis, columns: Axis) -> Floats:
    """Return [..., H, W] of samples [..., h, w]."""
    between = rows.interpolated(samples.swapaxes(-1, -2)).swapaxes(-1, -2)
    return columns.interpolated(between)


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
        self.within = np.full(features.size, box is None)
        self.positive = np.full(features.size, -np.inf, np.float32)
        self.negative = np.zeros(features.size, np.float32)
        if box is not None:
            self.within[box] = True
            self.positive = features.cosines(features.mean(box))
            self.negative = features.cosines(features.mean_outside(box))

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


def methods(unit: Unit, objects: Objects, options: ClickOptions, context: Context) -> Methods:
    """Return what makes `clicks-knn` of an object; the features of the last image are held."""
    split = objects.split
    maps = unit_maps(unit, {split: objects.cases.dataset.splits[split]}, context)
    held: dict[int, Features] = {}

    def method(number: int) -> NearestClicks:
        row = int(objects.rows[number])
        target = objects.target(number)
        if row not in held:
            held.clear()
            levels = [m[0].float().numpy() for m in maps.read(split, np.array([row]))]
            height, width = target.truth.shape
            held[row] = Features.from_maps(levels, (height, width))
        return NearestClicks(held[row], target.box if options.start == "box" else None)

    return Methods(method, maps.made.facts["digest"], maps.made.facts, maps.made.cost())
