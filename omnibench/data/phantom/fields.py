"""Smooth random fields and blurs, as matrix products along the two sides of an image."""

from functools import lru_cache

import numpy as np
from numpy.random import Generator

from omnibench.data.phantom.shapes import Array


def smooth_field(rng: Generator, size: int, cells: int) -> Array:
    """Return float64 [size, size] of mean 0, variance 1 at every pixel, correlated over 1 / cells.

    The draws do not depend on `size`, so neither does the field but for its sampling.
    """
    bumps = _bumps(size, cells)
    return bumps @ rng.standard_normal((cells, cells)) @ bumps.T


def smooth_volume(rng: Generator, shape: tuple[int, int, int], cells: int) -> Array:
    """Return float64 [Z, Y, X] like `smooth_field`; where shapes differ, so does the sampling."""
    bumps = (_bumps(size, cells) for size in shape)
    draws = rng.standard_normal((cells, cells, cells))
    field: Array = np.einsum("za,yb,xc,abc->zyx", *bumps, draws, optimize=True)
    return field


def blur(image: Array, down: float, across: float | None = None) -> Array:
    """Blur images [..., H, W] with a Gaussian.

    Its standard deviations are given as shares of the image's sides.

    Two matrix products cost the same for every width, and a wide convolution ten times as much.
    """
    height, width = image.shape[-2:]
    return _spread(height, down) @ image @ _spread(width, across or down).T


@lru_cache(maxsize=16)
def _bumps(size: int, cells: int) -> Array:
    """Return [size, cells]: Gaussian bumps along a line, each row of unit length."""
    at = (np.arange(size)[:, None] + 0.5) * (cells - 1) / size
    bumps = np.exp(-0.5 * ((at - np.arange(cells)) / 0.7) ** 2)
    unit: Array = bumps / np.linalg.norm(bumps, axis=1, keepdims=True)
    return unit


@lru_cache(maxsize=16)
def _spread(size: int, width: float) -> Array:
    """Return the [size, size] matrix that blurs along one axis; its rows sum to 1."""
    at = (np.arange(size) + 0.5) / size
    kernel = np.exp(-0.5 * ((at[:, None] - at) / width) ** 2)
    rows: Array = kernel / kernel.sum(axis=1, keepdims=True)
    return rows
