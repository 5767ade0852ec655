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
Field = NDArray[np.uint16]  # [3, H, W]: u of this field stands for (u + 1/2) / STEPS
Bytes = NDArray[np.uint8]
Floats = NDArray[Any]


def gaussian_noise(image: Image, level: float, numbers: Generator) -> Image:
    """Add normal noise of standard deviation `level`, black being 0 and white 1."""
    return _in_colour(image, numbers, lambda x, u: with_gaussian(x, level, normal().take(u)))


def speckle_noise(image: Image, level: float, numbers: Generator) -> Image:
    """Multiply by normal numbers of mean 1 and standard deviation `level`."""
    return _in_colour(image, numbers, lambda x, u: with_speckle(x, level, normal().take(u)))


def shot_noise(image: Image, level: int, numbers: Generator) -> Image:
    """Count photons, of which white has `level` on average."""
    return _in_colour(image, numbers, lambda x, u: with_shots(x, level, u))


def impulse_noise(image: Image, level: float, numbers: Generator) -> Image:
    """Make a share `level` of the pixels black or white, either as likely."""
    return _in_colour(image, numbers, lambda x, u: with_impulses(x, level, u))


def with_gaussian(planes: Bytes, level: float, noise: Floats) -> Bytes:
    """Return clip(x + c N), for x in [0, 1] and standard normal numbers N [3, H, W].

    Args:
        planes: uint8 [3, H, W], or [H, W] where all three are the same; so below.
    """
    values: Floats = noise * noise.dtype.type(level)
    values += _floats(planes, noise)
    return truncated(values)


def with_speckle(planes: Bytes, level: float, noise: Floats) -> Bytes:
    """Return clip(x + x c N), for x in [0, 1] and standard normal numbers N [3, H, W]."""
    clean = _floats(planes, noise)
    values: Floats = noise * noise.dtype.type(level)
    values *= clean
    values += clean
    return truncated(values)


def with_shots(planes: Bytes, level: int, field: Field) -> Bytes:
    """Return Poisson(c x) / c, for x in [0, 1]: the quantile that a field [3, H, W] names."""
    return _shots(level).take((planes.astype(np.intp) * STEPS) + field)


def with_impulses(planes: Bytes, level: float, field: Field) -> Bytes:
    """Return 0 where a field is below c / 2, 255 where it is above 1 - c / 2, and else the image.

    A pixel that is spoilt stays so, to the same value, at every higher level.
    """
    count = round(STEPS * level / 2)
    white = np.where(field >= STEPS - count, np.uint8(255), planes)
    return np.where(field < count, np.uint8(0), white)


def truncated(values: Floats) -> Bytes:
    """Return values as uint8, cut and not rounded, as in MedMNIST-C; changes them in place."""
    np.clip(values, 0, 1, out=values)
    values *= 255
    return values.astype(np.uint8)


@functools.cache
def normal() -> NDArray[np.float32]:
    """Return the standard normal quantile of each number of a field, float32 [STEPS]."""
    from scipy.special import ndtri

    quantiles: NDArray[np.float64] = ndtri((np.arange(STEPS) + 0.5) / STEPS)
    return quantiles.astype(np.float32)


@functools.lru_cache(maxsize=5)
def _shots(level: int) -> Bytes:
    """Return what `with_shots` makes of each grey value and number: uint8 [256 x STEPS]."""
    from scipy.special import pdtr

    counts = np.arange(int(level + 12 * level**0.5) + 12)  # more are less likely than 1 / STEPS
    rates = np.arange(256)[:, None] * level / 255
    # Of a field's numbers, in order: how many stand for each count or fewer.
    ends = np.floor(pdtr(counts, rates) * STEPS + 0.5).astype(np.intp)
    values = np.tile(truncated(counts / level), 256)
    return values.repeat(np.diff(ends, prepend=0).ravel())


def _in_colour(image: Image, numbers: Generator, change: Callable[[Bytes, Field], Bytes]) -> Image:
    """Return what a change makes of an image and its field; a grey one as the colour that it is."""
    field = numbers.integers(0, STEPS, (3, *image.shape[:2]), np.uint16)
    planes = image if image.ndim == 2 else np.ascontiguousarray(image.transpose(2, 0, 1))
    return from_planes(change(planes, field), grey=image.ndim == 2)


def from_planes(planes: Bytes, grey: bool) -> Image:
    """Return [H, W, 3] of uint8 planes [3, H, W], or their luma [H, W] as Pillow rounds it."""
    picture = Pillow.merge("RGB", [Pillow.fromarray(plane) for plane in planes])
    return np.asarray(picture.convert("L") if grey else picture)


def _floats(planes: Bytes, like: Floats) -> Floats:
    values: Floats = planes / like.dtype.type(255)
    return values
