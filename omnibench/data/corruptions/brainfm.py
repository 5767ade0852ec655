"""The sets `brainfm-mild` and `brainfm-severe`: BrainFM's corruptions of brain MR images.

BrainFM (Liu et al. 2025, arXiv:2509.00549; `brain_id.yaml`, mild_generator and severe_generator)
draws each strength from a range. Severities 1 to 5 go through that range: of bias fields and noise
from its low end to its high end (from a fifth of the high end where the low end is 0, which is no
corruption), of gamma from one to three standard deviations. Its slice thickness has one range, the
thinner half of which is mild here and the thicker half severe.
"""

import functools
import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from omnibench.data.corruptions import mri
from omnibench.data.corruptions.filters import normal_weights
from omnibench.data.corruptions.kinds import Corruption, CorruptionSet
from omnibench.data.corruptions.planes import Planes, along_both, on_planes

WHITE = 300  # the grey value that gamma leaves as it is
# Points of the bias field's grid, as shares of the side: of mild fields and of severe ones.
MILD_GRID, SEVERE_GRID = (0.01, 0.02), (0.02, 0.04)

Level = tuple[float, tuple[float, float]]
Floats = NDArray[np.float64]


@on_planes
def bias_field(planes: Planes, level: Level, numbers: Generator) -> Planes:
    """Multiply by exp of normal numbers on a coarse grid, brought to the image's size linearly.

    Args:
        level: their standard deviation, and the range of the grid's points as shares of the side.
    """
    deviation, (fewest, most) = level
    share = numbers.uniform(fewest, most)
    # A grid of one point would be no field; at 224 px and more none has so few.
    grid = tuple(max(round(share * side), 2) for side in planes.shape[1:])
    points = deviation * numbers.standard_normal(grid)
    return planes * np.exp(zoomed(points, planes.shape[1:])).astype(np.float32)


def zoomed(points: Floats, shape: tuple[int, ...]) -> Floats:
    """Return a grid at another size: linear between its points' centres, constant beyond them."""
    rows, columns = (
        _linear(side, (np.arange(side) + 0.5) * count / side - 0.5, count)
        for side, count in zip(shape, points.shape, strict=True)
    )
    field: Floats = rows @ points @ columns.T
    return field


@on_planes
def gamma(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Raise grey values over 300 to the power exp(level) or exp(-level)."""
    exponent = math.exp(level if numbers.random() < 0.5 else -level)
    return np.float32(WHITE) * (planes / np.float32(WHITE)) ** np.float32(exponent)


@on_planes
def low_resolution(planes: Planes, level: float, numbers: Generator) -> Planes:
    """Blur as slices `level` times as thick would, take so much fewer pixels, and bring them back.

    The blur's standard deviation is .85 to 1.15 times ln 5 / pi times the thickness, in pixels.
    """
    sigma = numbers.uniform(0.85, 1.15) * math.log(5) / math.pi * level
    return along_both(planes, *(_thick(side, level, sigma) for side in planes.shape[1:]))


@functools.lru_cache(maxsize=1)  # both axes of a square image
def _thick(side: int, factor: float, sigma: float) -> NDArray[np.float32]:
    """Return, as a matrix [side, side], a line blurred, sampled `factor` apart and brought back."""
    from scipy.ndimage import correlate1d

    weights = normal_weights(math.ceil(3 * sigma), sigma)
    # The edge goes on as it is: BrainFM's black surroundings would darken what fills the frame.
    blurred: Floats = correlate1d(np.eye(side), weights, axis=0, mode="nearest")
    count = max(int(side / factor), 1)
    fewer = _linear(count, (np.arange(count) + 0.5) * side / count - 0.5, side)
    back = _linear(side, (np.arange(side) + 0.5) * count / side - 0.5, count)
    return (back @ (fewer @ blurred)).astype(np.float32)


def _linear(count: int, places: Floats, length: int) -> Floats:
    """Return, as a matrix [count, length], a line's linear interpolation at places in it."""
    inside = places.clip(0, length - 1)
    left = np.minimum(inside.astype(int), max(length - 2, 0))
    weights = np.zeros((count, length))
    np.add.at(weights, (np.arange(count), left), 1 - (inside - left))
    np.add.at(weights, (np.arange(count), np.minimum(left + 1, length - 1)), inside - left)
    return weights


MILD = CorruptionSet(
    general={
        "bias-field": Corruption(
            bias_field, tuple((sd, MILD_GRID) for sd in (0.004, 0.008, 0.012, 0.016, 0.02))
        ),
        "gamma": Corruption(gamma, (0.01, 0.015, 0.02, 0.025, 0.03)),
        "noise": Corruption(mri.noise, (0.004, 0.008, 0.012, 0.016, 0.02)),
        "low-resolution": Corruption(low_resolution, (1.5, 2, 2.5, 3, 4)),
    },
    citation="arXiv:2509.00549",
)
SEVERE = CorruptionSet(
    general={
        "bias-field": Corruption(
            bias_field, tuple((sd, SEVERE_GRID) for sd in (0.1, 0.225, 0.35, 0.475, 0.6))
        ),
        "gamma": Corruption(gamma, (0.1, 0.15, 0.2, 0.25, 0.3)),
        "noise": Corruption(mri.noise, (0.05, 0.2875, 0.525, 0.7625, 1)),
        "low-resolution": Corruption(low_resolution, (4, 5, 6, 7, 8.5)),
    },
    citation="arXiv:2509.00549",
)
