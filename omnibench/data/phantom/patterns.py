"""Shapes that fill the plane: spokes, stripes, vessels; meant to be cut out by another shape."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from omnibench.data.phantom.shapes import EVERYWHERE, Array, Box, wave


@dataclass(frozen=True)
class Spokes:
    """`count` wedges around a centre, each filling about half of its angle."""

    x: float
    y: float
    count: int
    phase: float
    scale: float
    box: Box = EVERYWHERE

    def depth(self, x: Array, y: Array) -> Array:
        dx, dy = x - self.x, y - self.y
        radius = np.sqrt(dx * dx + dy * dy) + 1e-6
        return self.scale * wave(dx / radius, dy / radius, self.count, self.phase)


@dataclass(frozen=True)
class Stripes:
    """Bands that repeat downwards and slope away from the midline, as ribs and vertebrae do.

    Attributes:
        period: distance from band to band; `share` of it is filled.
        slope, bend: how far a band sinks with |x| and with x squared.
    """

    period: float
    share: float
    phase: float = 0.0
    slope: float = 0.0
    bend: float = 0.0
    box: Box = EVERYWHERE

    @property
    def scale(self) -> float:
        return self.period * self.share / 2

    def depth(self, x: Array, y: Array) -> Array:
        level = y - self.slope * np.abs(x) - self.bend * x * x
        turn = np.abs((level / self.period + self.phase) % 1 - 0.5)
        return self.scale - turn * self.period


@dataclass(frozen=True)
class Vessels:
    """Lines that wind, fork, taper and end: the zeros of a few crossing plane waves.

    Attributes:
        waves: (frequency along x, along y, phase), in radians per unit of length. The last one
            tapers the lines that the others draw.
        scale: half the width of a line where it is widest.
    """

    waves: tuple[tuple[float, float, float], ...]
    scale: float
    box: Box = EVERYWHERE

    def depth(self, x: Array, y: Array) -> Array:
        total = sum(
            (np.sin(fx * x + fy * y + phase) for fx, fy, phase in self.waves[:-1]),
            start=np.zeros_like(x),
        )
        steepness = math.sqrt(sum(fx * fx + fy * fy for fx, fy, _ in self.waves[:-1]) / 2)
        fx, fy, phase = self.waves[-1]
        return self.scale * np.sin(fx * x + fy * y + phase) - np.abs(total) / steepness


def vessels(rng: Generator, frequency: float, half_width: float) -> Vessels:
    """Draw vessels from five waves of about the same frequency in random directions."""
    waves = []
    for _ in range(5):
        turn, speed = rng.uniform(0, math.tau), frequency * rng.uniform(0.6, 1.2)
        waves.append((speed * math.cos(turn), speed * math.sin(turn), rng.uniform(0, math.tau)))
    return Vessels(tuple(waves), half_width)
