"""Shapes as signed depths: analytic, so they can be drawn on any grid, at any size."""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]
EVERYWHERE: Box = (-math.inf, math.inf, -math.inf, math.inf)


class Shape(Protocol):
    """A region of the plane; the image spans -1..1 both ways, x to the right, y down."""

    @property
    def scale(self) -> float:
        """About the largest depth inside."""
        ...

    @property
    def box(self) -> Box:
        """Left, right, top and bottom of a box that holds all of it."""
        ...

    def depth(self, x: Array, y: Array) -> Array:
        """About the distance to the outline: positive inside, negative outside."""
        ...


@dataclass(frozen=True)
class Blob:
    """An ellipse whose outline may swell and sink.

    Attributes:
        x, y, a, b, angle: centre, half axes, and rotation in radians.
        lobes: (k, h, phase): the radius grows by the factor 1 + h cos(k t + phase).
        spikes: (h, direction): narrow rays of height h (von Mises bumps), as of a spiculated mass.
    """

    x: float
    y: float
    a: float
    b: float
    angle: float = 0.0
    lobes: tuple[tuple[int, float, float], ...] = ()
    spikes: tuple[tuple[float, float], ...] = ()

    @property
    def scale(self) -> float:
        return min(self.a, self.b)

    @property
    def reach(self) -> float:
        """The largest radius, as a multiple of the ellipse's."""
        spike = max((height for height, _ in self.spikes), default=0.0)
        return 1 + sum(abs(height) for _, height, _ in self.lobes) + 2 * spike  # spikes may overlap

    @property
    def box(self) -> Box:
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        reach = self.reach
        width = reach * math.hypot(self.a * cos, self.b * sin)
        height = reach * math.hypot(self.a * sin, self.b * cos)
        return self.x - width, self.x + width, self.y - height, self.y + height

    def depth(self, x: Array, y: Array) -> Array:
        dx, dy = x - self.x, y - self.y
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        u = dx * (cos / self.a) + dy * (sin / self.a)
        v = dy * (cos / self.b) - dx * (sin / self.b)
        radius = np.sqrt(u * u + v * v) + 1e-6
        long = max(self.a, self.b) > 2 * self.scale
        if not (self.lobes or self.spikes or long):
            return (1 - radius) * self.scale
        u /= radius
        v /= radius
        outline = np.ones_like(u)
        for k, height, phase in self.lobes:
            outline += height * wave(u, v, k, phase)
        if self.spikes:
            near = radius < self.reach
            outline[near] += self._spiked(u[near], v[near])
        if long:  # a first-order distance: the plain one would blur the far ends
            return (outline - radius) / (np.sqrt((u / self.a) ** 2 + (v / self.b) ** 2) + 1e-6)
        return (outline - radius) * self.scale

    def _spiked(self, u: Array, v: Array) -> Array:
        rise = np.zeros_like(u)
        for height, direction in self.spikes:
            toward = u * math.cos(direction) + v * math.sin(direction)
            rise += height * np.exp(110 * (toward - 1))
        return rise


def wave(u: Array, v: Array, k: int, phase: float) -> Array:
    """Return cos(k t + phase) of unit vectors (u, v) = (cos t, sin t), without an arctangent."""
    cos, sin = u, v
    for bit in f"{k:b}"[1:]:  # double the angle for every binary digit, add t where it is 1
        cos, sin = cos * cos - sin * sin, 2 * cos * sin
        if bit == "1":
            cos, sin = cos * u - sin * v, cos * v + sin * u
    return cos * math.cos(phase) - sin * math.sin(phase)


@dataclass(frozen=True)
class Shell:
    """The outline of a shape, `width` thick."""

    shape: Shape
    width: float

    @property
    def scale(self) -> float:
        return self.width / 2

    @property
    def box(self) -> Box:
        left, right, top, bottom = self.shape.box
        return left - self.width, right + self.width, top - self.width, bottom + self.width

    def depth(self, x: Array, y: Array) -> Array:
        return self.scale - np.abs(self.shape.depth(x, y))


@dataclass(frozen=True)
class Both:
    """Where two shapes overlap."""

    first: Shape
    second: Shape

    @property
    def scale(self) -> float:
        return min(self.first.scale, self.second.scale)

    @property
    def box(self) -> Box:
        left, right, top, bottom = self.first.box
        left_2, right_2, top_2, bottom_2 = self.second.box
        return max(left, left_2), min(right, right_2), max(top, top_2), min(bottom, bottom_2)

    def depth(self, x: Array, y: Array) -> Array:
        return np.minimum(self.first.depth(x, y), self.second.depth(x, y))


@dataclass(frozen=True)
class Either:
    """Two shapes as one."""

    first: Shape
    second: Shape

    @property
    def scale(self) -> float:
        return min(self.first.scale, self.second.scale)

    @property
    def box(self) -> Box:
        left, right, top, bottom = self.first.box
        left_2, right_2, top_2, bottom_2 = self.second.box
        return min(left, left_2), max(right, right_2), min(top, top_2), max(bottom, bottom_2)

    def depth(self, x: Array, y: Array) -> Array:
        return np.maximum(self.first.depth(x, y), self.second.depth(x, y))


@dataclass(frozen=True)
class Below:
    """Everything below the line y = top + bend x squared."""

    top: float
    scale: float = 1.0
    bend: float = 0.0
    box: Box = EVERYWHERE

    def depth(self, x: Array, y: Array) -> Array:
        return y - (self.bend * x * x + self.top)
