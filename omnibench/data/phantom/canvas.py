"""From parts to arrays: what lies at each pixel, how thick it is, and what the mask says."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from omnibench.data.phantom.anatomy import Part, organ_mask
from omnibench.data.phantom.cases import Case
from omnibench.data.phantom.grid import Grid, Window, pixels
from omnibench.data.phantom.shapes import Array


def _placed(case: Case, x: Array, y: Array, pixel: float) -> Iterator[tuple[Part, Window, Array]]:
    """Yield every part, bottom first, with its depth and in which window of the grid that is."""
    body = Grid(*case.pose.to_body(x, y), pixel / case.pose.zoom)
    for part in case.parts:
        yield part, *body.depth(part.shape)
    if case.lesion is not None:
        image = Grid(x, y, pixel)
        for part in case.lesion.parts:
            yield part, *image.depth(part.shape)


class Canvas:
    """The parts of a case laid over one grid of points.

    Args:
        x, y: of the points in the image, together [H, W]; `pixel` is their distance.
        texture: float64 [H, W], a field of mean 0 and variance 1.
    """

    def __init__(self, case: Case, x: Array, y: Array, pixel: float, texture: Array) -> None:
        self.texture = texture
        self._layers = [
            (part, window, part.opacity * np.clip(depth / pixel + 0.5, 0, 1))
            for part, window, depth in _placed(case, x, y, pixel)
        ]

    def blend(
        self, values: Mapping[str, float], roughness: float = 0.0, start: float = 0.0
    ) -> Array:
        """Return one property of the tissues, float64 [H, W], as partial volume mixes it.

        Args:
            values: tissue -> value; tissues left out have the value `start`.
            roughness: what one unit of unevenness adds or takes away.
        """
        image = np.full(self.texture.shape, float(start))
        for part, window, share in self._layers:
            value: float | Array = values.get(part.tissue, start)
            if part.uneven and roughness:
                value = value + (part.uneven * roughness) * self.texture[window]
            view = image[window]
            view += share * (value - view)
        return image


def thickness(case: Case, size: int) -> dict[str, Array]:
    """Return tissue -> cm along the beam, float64 [size, size], parts rounded off like lenses."""
    total: dict[str, Array] = {}
    for part, window, depth in _placed(case, *pixels(size), 2 / size):
        rise = np.clip(depth / part.shape.scale, 0, 1)
        chord = (part.thickness * part.opacity) * np.sqrt(rise * (2 - rise))
        total.setdefault(part.tissue, np.zeros((size, size)))[window] += chord
    return total


def mask(case: Case, size: int) -> NDArray[np.uint8]:
    """Return uint8 [size, size]: 0 background, 1 organ, 2 lesion (over the organ)."""
    x, y = pixels(size)
    organ = organ_mask(case.parts, Grid(*case.pose.to_body(x, y), 2 / size))
    if case.fan is not None:
        organ &= case.fan.depth(x, y) > 0
    values = organ.astype(np.uint8)
    if case.lesion is not None:
        window, depth = Grid(x, y, 2 / size).depth(case.lesion.outline)
        values[window][depth > 0] = 2
    return values
