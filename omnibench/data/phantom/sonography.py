"""Bodies as an ultrasound probe meets them, and the fan that a curved probe sees."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from omnibench.data.phantom.anatomy import Part, ellipse, organ_shape
from omnibench.data.phantom.patterns import Stripes, vessels
from omnibench.data.phantom.shapes import EVERYWHERE, Array, Below, Blob, Both, Box, Shell


@dataclass(frozen=True)
class Sector:
    """What a curved probe sees: a fan, in units of the image.

    Attributes:
        y: of the fan's centre, above the image (x is 0).
        near, far: distance from it to the probe's face and to the deepest echo.
        half: half the opening angle in radians.
    """

    y: float
    near: float
    far: float
    half: float
    scale: float = 1.0
    box: Box = EVERYWHERE

    def depth(self, x: Array, y: Array) -> Array:
        radius, angle = self.polar(x, y)
        along = np.minimum(radius - self.near, self.far - radius)
        return np.minimum(along, (self.half - np.abs(angle)) * radius)

    def polar(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return distance from the fan's centre and angle off the vertical."""
        return np.sqrt(x * x + (y - self.y) ** 2), np.arctan2(x, y - self.y)

    def beams(self, samples: int) -> tuple[Array, Array]:
        """Return x and y [depth, beam] of `samples` echoes along each of `samples` beams."""
        step = (np.arange(samples) + 0.5) / samples
        radius = (self.near + step * (self.far - self.near))[:, None]
        angle = ((2 * step - 1) * self.half)[None, :]
        return radius * np.sin(angle), self.y + radius * np.cos(angle)


def draw_sector(rng: Generator) -> Sector:
    """Draw a fan that fills the image."""
    centre = rng.uniform(-1.45, -1.25)
    return Sector(centre, -0.92 - centre, 0.94 - centre, rng.uniform(0.42, 0.48))


def liver_window(rng: Generator) -> tuple[Part, ...]:
    """Skin, fat and muscle, liver with its veins, and the diaphragm."""
    wall = rng.uniform(-0.74, -0.62)
    below = Blob(rng.uniform(-0.2, 0.2), -0.55, 1.5, rng.uniform(1.05, 1.25))
    liver = Both(Below(wall), below)
    veins = vessels(rng, 7, 0.028)
    return (
        Part("air", Below(-9.0)),
        Part("liver", liver, uneven=1.0, role="organ"),
        Part("blood", Both(liver, veins)),
        Part("capsule", Shell(below, 0.035)),
        *_wall(wall),
    )


def kidney_window(rng: Generator) -> tuple[Part, ...]:
    """A kidney along its length, its sinus bright, under the body wall."""
    kidney = organ_shape(rng, 0.0, 0.05, rng.uniform(0.50, 0.58), rng.uniform(0.30, 0.36), 0.1)
    sinus = ellipse(rng, kidney.x, kidney.y, 0.30, 0.10, kidney.angle)
    lobes = tuple((k, 0.12, rng.uniform(0, math.tau)) for k in (3, 5, 8))
    return (
        Part("soft", Below(-9.0), uneven=2.0),
        Part("muscle", Below(rng.uniform(0.50, 0.62)), uneven=1.0),
        Part("capsule", Shell(kidney, 0.03), opacity=0.5),
        Part("kidney", kidney, uneven=1.0, role="organ"),
        Part("sinus", Blob(sinus.x, sinus.y, sinus.a, sinus.b, sinus.angle, lobes), uneven=2.0),
        *_wall(rng.uniform(-0.70, -0.58)),
    )


def breast_window(rng: Generator) -> tuple[Part, ...]:
    """Skin, fat, glandular tissue, pectoral muscle; the probe is flat."""
    top, bottom = rng.uniform(-0.62, -0.48), rng.uniform(0.36, 0.52)
    return (
        Part("fat", Below(-9.0), uneven=1.0),
        Part("gland", Below(top), uneven=2.0, role="organ"),
        Part("fat", Both(Below(top), vessels(rng, 6, 0.03)), opacity=0.6),
        Part("capsule", Shell(Below(bottom), 0.03)),
        Part("muscle", Below(bottom), uneven=1.0, role="cut"),
        Part("muscle", Both(Below(bottom), Stripes(0.09, 0.3, slope=0.05)), opacity=0.4),
        Part("capsule", Both(Below(bottom), Stripes(0.11, 0.2, slope=0.04)), opacity=0.5),
        Part("skin", Shell(Below(-1.0), 0.12)),
    )


def _wall(bottom: float) -> tuple[Part, ...]:
    """The body wall from the skin down to `bottom`."""
    wall = Shell(Below(-1.0), 2 * (bottom + 1.0))
    return (
        Part("fat", wall, uneven=1.0),
        Part("muscle", Both(wall, Below(-0.5 + 0.5 * bottom)), uneven=1.0),
        Part("capsule", Shell(Below(bottom), 0.025)),
        Part("skin", Shell(Below(-1.0), 0.24)),
    )
