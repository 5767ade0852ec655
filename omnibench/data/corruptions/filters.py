"""Blur, compression and other settings of the display, by the formulas of MedMNIST-C.

Each is byte for byte what MedMNIST-C makes of the same image in its RGB mode, but for Gaussian
blur, whose sums are rounded elsewhere, and motion blur, which is ImageMagick's there and
omnibench's own here.
"""

import functools
import io
import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageEnhance

from omnibench.data.corruptions.kinds import Image
from omnibench.data.corruptions.planes import Planes, along_both, on_planes


def pixelate(image: Image, level: float, _: Generator) -> Image:
    """Average boxes, `level` times as many along each side as there were pixels."""
    sides = image.shape[1::-1]
    fewer = (max(1, int(sides[0] * level)), max(1, int(sides[1] * level)))
    box = Pillow.Resampling.BOX
    return np.asarray(Pillow.fromarray(image).resize(fewer, box).resize(sides, box))


def jpeg(image: Image, level: int, _: Generator) -> Image:
    """Compress as JPEG of this quality."""
    file = io.BytesIO()
    Pillow.fromarray(image).save(file, "JPEG", quality=level)
    return np.asarray(Pillow.open(file))


def brightness(image: Image, level: float, _: Generator) -> Image:
    """Multiply by `level`."""
    return np.asarray(ImageEnhance.Brightness(Pillow.fromarray(image)).enhance(level))


def contrast(image: Image, level: float, _: Generator) -> Image:
    """Multiply the difference from the rounded mean grey by `level`."""
    return np.asarray(ImageEnhance.Contrast(Pillow.fromarray(image)).enhance(level))


def gamma(image: Image, level: float, _: Generator) -> Image:
    """Raise values of [0, 1] to the power `level`, as torchvision's adjust_gamma does."""
    curve = (255 + 1 - 1e-3) * (np.arange(256) / 255) ** level
    return curve.astype(np.uint8)[image]


@on_planes
def gaussian_blur(planes: Planes, level: int, _: Generator) -> Planes:
    """Blur by a kernel of `level` pixels and sigma .3((k - 1) / 2 - 1) + .8, mirrored at the edges.

    The sigma is torchvision's for a kernel of which the size alone is given.
    """
    height, width = planes.shape[1:]
    return along_both(planes, _blur_of(height, level), _blur_of(width, level))


@functools.cache
def _blur_of(side: int, level: int) -> NDArray[np.float32]:
    """Return the blur of a line of `side` pixels as a matrix: what it makes of each pixel."""
    from scipy.ndimage import correlate1d

    half = (level - 1) // 2
    weights = normal_weights(half, 0.3 * (half - 1) + 0.8)
    matrix: NDArray[np.float64] = correlate1d(np.eye(side), weights, axis=0, mode="mirror")
    return matrix.astype(np.float32)


@on_planes
def motion_blur(planes: Planes, level: tuple[int, float], numbers: Generator) -> Planes:
    """Average along a line of 2 r + 1 pixels, weighted by a normal curve about its middle.

    The line's angle is uniform on -45 to 45 degrees from a row and the same at every level; each
    of its points is taken from the nearest pixel, outside of the image from the edge.

    Args:
        level: r and the curve's standard deviation, in pixels.
    """
    from scipy.fft import irfft2, next_fast_len, rfft2

    radius, sigma = level
    angle = math.radians(numbers.uniform(-45, 45))
    steps = np.arange(-radius, radius + 1)
    padded = np.pad(planes, ((0, 0), (radius, radius), (radius, radius)), mode="edge")
    height, width = (next_fast_len(side, real=True) for side in padded.shape[1:])
    kernel = np.zeros((height, width), np.float32)
    places = (np.rint(steps * wave(angle)).astype(int) for wave in (math.sin, math.cos))
    np.add.at(kernel, tuple(places), normal_weights(radius, sigma))
    spectrum = rfft2(padded, (height, width)) * rfft2(kernel)
    blurred: Planes = irfft2(spectrum, (height, width))
    return blurred[:, radius : radius + planes.shape[1], radius : radius + planes.shape[2]]


def normal_weights(half: int, sigma: float) -> NDArray[np.float64]:
    """Return 2 half + 1 values of a normal curve about their middle, of sum 1."""
    weights: NDArray[np.float64] = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    weights /= weights.sum()
    return weights
