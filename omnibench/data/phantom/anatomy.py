"""What a body is here: parts painted one over another, one of them the organ that is looked at."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from omnibench.data.phantom.grid import Grid
from omnibench.data.phantom.shapes import Array, Blob, Shape


@dataclass(frozen=True)
class Part:
    """One shape of one tissue; it hides what was painted before it.

    Attributes:
        uneven: how much its texture varies, in the modality's own unit.
        role: `organ` if it belongs to the organ, `cut` if it hides part of the organ.
        thickness: along the beam of a radiograph, in cm, where the part is thickest.
        opacity: the share of the tissue below that it replaces.
    """

    tissue: str
    shape: Shape
    uneven: float = 0.0
    role: Literal["", "organ", "cut"] = ""
    thickness: float = 0.0
    opacity: float = 1.0


@dataclass(frozen=True)
class Pose:
    """How a body lies in the image: shifted, turned, zoomed, and bent by slow waves.

    Attributes:
        waves: (height, frequency, phase) of the bend of x along y, then of y along x.
    """

    x: float
    y: float
    angle: float
    zoom: float
    waves: tuple[tuple[float, float, float], tuple[float, float, float]]

    def to_body(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Return where points of the image lie in the body, in the body's own units."""
        cos, sin = math.cos(self.angle) / self.zoom, math.sin(self.angle) / self.zoom
        (height, frequency, phase), (height_y, frequency_y, phase_y) = self.waves
        dx = (x - self.x) + height * np.sin(frequency * y + phase)
        dy = (y - self.y) + height_y * np.sin(frequency_y * x + phase_y)
        return dx * cos + dy * sin, dy * cos - dx * sin


def draw_pose(patient: Generator, image: Generator, freedom: float) -> Pose:
    """Draw a pose: the bend belongs to the patient, most of the rest to the image."""
    waves = [
        (patient.uniform(0.01, 0.03), patient.uniform(2.0, 4.0), patient.uniform(0, math.tau))
        for _ in range(2)
    ]
    return Pose(
        x=freedom * image.uniform(-0.06, 0.06),
        y=freedom * image.uniform(-0.05, 0.05),
        angle=freedom * image.uniform(-0.08, 0.08),
        zoom=1 + freedom * (patient.uniform(-0.06, 0.07) + image.uniform(-0.03, 0.03)),
        waves=(waves[0], waves[1]),
    )


def organ_mask(parts: Sequence[Part], body: Grid) -> NDArray[np.bool_]:
    """Return which points of a grid in the body's units belong to the organ.

    Parts that are cut out hide only what was painted before them.
    """
    organ = np.zeros(body.shape, bool)
    for part in parts:
        if part.role:
            window, depth = body.depth(part.shape)
            organ[window][depth > 0] = part.role == "organ"
    return organ


def place_in(
    parts: Sequence[Part], pose: Pose, window: Shape | None, radius: float, rng: Generator
) -> tuple[float, float]:
    """Return a random point of the image around which a disc fits into the organ.

    Where none of 96 random points will do, the one whose disc fits best is taken.
    """
    turn = np.linspace(0, math.tau, 8, endpoint=False)
    ring_x, ring_y = np.append(np.cos(turn), 0) * radius, np.append(np.sin(turn), 0) * radius
    centres = rng.uniform(-0.9, 0.9, (2, 96, 1))
    x, y = centres[0] + ring_x, centres[1] + ring_y
    organ = organ_mask(parts, Grid(*pose.to_body(x, y), radius))
    if window is not None:
        organ &= window.depth(x, y) > 0
    # argmax takes the first of equals, so all places that fit are as likely.
    best = int(np.argmax(organ.sum(axis=1)))
    return float(centres[0, best, 0]), float(centres[1, best, 0])


def ellipse(rng: Generator, x: float, y: float, a: float, b: float, angle: float = 0.0) -> Blob:
    """Draw an ellipse about the given one: people differ by some percent."""
    return Blob(
        x=x + rng.uniform(-0.02, 0.02),
        y=y + rng.uniform(-0.02, 0.02),
        a=a * rng.uniform(0.92, 1.08),
        b=b * rng.uniform(0.92, 1.08),
        angle=angle + rng.uniform(-0.06, 0.06),
    )


def organ_shape(rng: Generator, x: float, y: float, a: float, b: float, angle: float) -> Blob:
    """Draw an organ: an ellipse about the given one with shallow lobes."""
    base = ellipse(rng, x, y, a, b, angle)
    lobes = tuple((k, rng.uniform(0.01, 0.07), rng.uniform(0, math.tau)) for k in (2, 3, 4))
    return Blob(base.x, base.y, base.a, base.b, base.angle, lobes)
