"""Solids as signed depths: analytic, so one body can be cut along any planes."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from omnibench.data.phantom.shapes import Array

Point = tuple[float, float, float]  # z, y, x


class Solid(Protocol):
    """A region of space; the body spans -1..1 along z (slices), y (down) and x (right)."""

    @property
    def box(self) -> tuple[Array, Array]:
        """The lowest and the highest z, y, x of a box that holds all of it."""
        ...

    def depth(self, z: Array, y: Array, x: Array) -> Array:
        """About the distance to the surface: positive inside, negative outside."""
        ...


@dataclass(frozen=True)
class Ellipsoid:
    """Half axes along z, y and x; an infinite one makes a cylinder."""

    centre: Point
    axes: Point

    @property
    def box(self) -> tuple[Array, Array]:
        centre, axes = np.array(self.centre), np.array(self.axes)
        return centre - axes, centre + axes

    def depth(self, z: Array, y: Array, x: Array) -> Array:
        offsets = zip((z, y, x), self.centre, self.axes, strict=True)
        dz, dy, dx = (((values - middle) / axis) ** 2 for values, middle, axis in offsets)
        depth: Array = (1 - np.sqrt(dz + dy + dx)) * min(self.axes)
        return depth


@dataclass(frozen=True)
class Rod:
    """All points nearer to the line from start to end than the radius."""

    start: Point
    end: Point
    radius: float

    @property
    def box(self) -> tuple[Array, Array]:
        ends = np.array([self.start, self.end])
        return ends.min(axis=0) - self.radius, ends.max(axis=0) + self.radius

    def depth(self, z: Array, y: Array, x: Array) -> Array:
        along = np.subtract(self.end, self.start)
        offsets = [values - start for values, start in zip((z, y, x), self.start, strict=True)]
        share = sum(offset * step for offset, step in zip(offsets, along, strict=True))
        share = np.clip(share / (along @ along), 0, 1)
        squares = [
            (offset - share * step) ** 2 for offset, step in zip(offsets, along, strict=True)
        ]
        depth: Array = self.radius - np.sqrt(squares[0] + squares[1] + squares[2])
        return depth
