"""Ultrasound image formation: echoes along beams, attenuation, speckle, log compression."""

import math

import numpy as np
from numpy.random import Generator

from omnibench.data.phantom.canvas import Canvas
from omnibench.data.phantom.cases import Case
from omnibench.data.phantom.fields import blur
from omnibench.data.phantom.grid import pixels
from omnibench.data.phantom.modality import texture
from omnibench.data.phantom.shapes import Array

# Scattered echo in dB relative to liver; these and the losses are chosen to look right.
ECHO = {
    "fluid": -45, "blood": -32, "liver": 0, "kidney": -4, "sinus": 9, "fat": -7, "muscle": -9,
    "gland": 3, "tumour": -11, "wall": 2, "calcium": 17, "capsule": 13, "air": -14, "soft": -1,
    "skin": 8,
}  # fmt: skip
# Two-way attenuation in dB per unit of length (half an image) beyond what the gain makes up for.
LOSS = {"fluid": -28, "blood": -8, "tumour": 4, "calcium": 170, "air": 12, "muscle": 3}
RANGE = 58.0  # dB from black to white
NEPER = 10 / math.log(10)  # dB of a power that grows by the factor e


def ultrasound(case: Case, size: int, rng: Generator) -> Array:
    """Return a B-mode image, float64 [size, size], 0 black and 1 white.

    Attenuation adds up along each beam, so calcium casts a shadow and fluid leaves a bright trail.
    """
    x, y = case.fan.beams(size) if case.fan else pixels(size)
    canvas = Canvas(case, x, y, 2 / size, texture(case, size))
    echo = canvas.blend(ECHO, roughness=1.3)
    loss = np.cumsum(canvas.blend(LOSS), axis=0) * (2 / size)
    depth = np.linspace(0, 1, size)[:, None]
    level = echo - loss - (4 + 10 * case.level) * depth**2
    # A resolution cell is a thousandth of the image deep and several wide.
    grain = speckle(rng, size, 0.0022, 0.006)
    floor = 10 ** (-4.6 + 0.8 * case.noise)  # the receiver's own noise, of the same statistics
    power = np.exp(level / NEPER) * grain**2 + floor * rng.standard_exponential((size, size))
    decibel = NEPER * np.log(power + 1e-9)
    image = 0.5 + (decibel + 12 * (case.gain - 0.5)) / RANGE
    return _scan_convert(np.clip(image, 0, 1), case, size)


def speckle(rng: Generator, size: int, deep: float, wide: float) -> Array:
    """Return fully developed speckle: Rayleigh amplitudes of mean square 1 (Wagner et al. 1983).

    Args:
        deep, wide: standard deviations of the point spread along and across the beams, as shares
            of their length and number.
    """
    real, imaginary = rng.standard_normal((2, size, size))
    power = blur(real, deep, wide) ** 2 + blur(imaginary, deep, wide) ** 2
    amplitude: Array = np.sqrt(power / power.mean())
    return amplitude


def _scan_convert(image: Array, case: Case, size: int) -> Array:
    """Lay the beams out as a fan; outside it the screen is black."""
    fan = case.fan
    if fan is None:
        return image
    radius, angle = fan.polar(*pixels(size))
    row = np.clip((radius - fan.near) / (fan.far - fan.near) * size - 0.5, 0, size - 1.001)
    column = np.clip((angle / fan.half + 1) / 2 * size - 0.5, 0, size - 1.001)
    top, left = row.astype(int), column.astype(int)
    row, column = row - top, column - left
    flat, corner = image.ravel(), top * size + left
    upper = flat[corner] * (1 - column) + flat[corner + 1] * column
    lower = flat[corner + size] * (1 - column) + flat[corner + size + 1] * column
    seen = (np.abs(angle) < fan.half) & (radius > fan.near) & (radius < fan.far)
    shown: Array = (upper * (1 - row) + lower * row) * seen
    return shown
