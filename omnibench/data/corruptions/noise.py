"""Noise of single pixels, by the formulas of MedMNIST-C (Di Salvo et al. 2024).

An image takes one field of uniform numbers, each of 16 bits, for every pixel and channel, and every
kind of noise is a quantile function of it: so the severities of a case share their field. As in
MedMNIST-C a grey image is corrupted as a colour one, with a field a channel, and made grey again;
its noise is weaker by that, and the levels are chosen for it.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as Pillow

from omnibench.data.corruptions.kinds import Image

STEPS = 2**16  # different numbers of a field
Uniform = NDArray[np.uint16]  # [H, W, 3]: u of this field stands for (u + 1/2) / STEPS
Floats = NDArray[Any]


def gaussian_noise(image: Image, level: float, numbers: Generator) -> Image:
    """Add normal noise of standard deviation `level`, black being 0 and white 1."""
    return _in_colour(image, numbers, lambda rgb, u: with_gaussian(rgb, level, _normal()[u]))


def with_gaussian(rgb: Image, level: float, normal: Floats) -> Image:
    """Return clip(x + c N), for x in [0, 1] and standard normal numbers N [H, W, 3]."""
    return _truncated(_floats(rgb, normal) + normal.dtype.type(level) * normal)


def _in_colour(
    image: Image, numbers: Generator, change: Callable[[Image, Uniform], Image]
) -> Image:
    """Return what a change makes of an image and its field; a grey one as the colour that it is."""
    field = numbers.integers(0, STEPS, (*image.shape[:2], 3), np.uint16)
    if image.ndim == 3:
        return change(image, field)
    return np.asarray(Pillow.fromarray(change(image[..., None], field)).convert("L"))


def _floats(rgb: Image, like: Floats) -> Floats:
    values: Floats = rgb / like.dtype.type(255)
    return values


def _truncated(values: Floats) -> Image:
    """Return values of [0, 1] as uint8, cut and not rounded, as MedMNIST-C does."""
    scaled: Floats = np.clip(values, 0, 1) * values.dtype.type(255)
    return scaled.astype(np.uint8)


@functools.cache
def _normal() -> NDArray[np.float32]:
    """Return the standard normal quantile of each of a field's numbers."""
    from scipy.special import ndtri

    quantiles: NDArray[np.float64] = ndtri((np.arange(STEPS) + 0.5) / STEPS)
    return quantiles.astype(np.float32)
