"""The kinds of lesion: what each is made of, as parts painted over the organ."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from numpy.random import Generator

from omnibench.data.phantom.anatomy import Part
from omnibench.data.phantom.shapes import Blob, Shape

RIM = 0.025  # thickness of a cyst's wall, in units of the image
DEPTH = 38.0  # cm along a radiograph's beam for each unit of radius: a sphere's, at 38 cm a side


@dataclass(frozen=True)
class Site:
    """Where a lesion grows; drawn alike for every kind, so it says nothing of the kind.

    Attributes:
        x, y, radius: centre and mean radius, in units of the image (-1..1).
        opacity: the share of the organ's tissue that the lesion replaces, 0..1.
        airy: the organ is the lung: cysts hold air, not fluid.
    """

    x: float
    y: float
    radius: float
    opacity: float
    airy: bool


@dataclass(frozen=True)
class Lesion:
    """A lesion in the image's frame: what the mask shows, and what is painted."""

    outline: Shape
    parts: tuple[Part, ...]


def cyst(site: Site, rng: Generator) -> Lesion:
    """A smooth thin wall around fluid, or around air in the lung."""
    wall = _oval(site, rng)
    inside = Blob(wall.x, wall.y, wall.a - RIM, wall.b - RIM, wall.angle)
    thickness = DEPTH * site.radius
    return Lesion(
        wall,
        (
            Part("wall", wall, opacity=site.opacity, thickness=thickness),
            Part(
                "air" if site.airy else "fluid",
                inside,
                opacity=site.opacity,
                thickness=thickness * (1 - RIM / site.radius),
            ),
        ),
    )


def solid_mass(site: Site, rng: Generator) -> Lesion:
    """A lobulated, uneven mass."""
    lobes = tuple((k, rng.uniform(0.03, 0.10), rng.uniform(0, math.tau)) for k in (2, 3, 4, 5))
    outline = _oval(site, rng, lobes=lobes)
    return Lesion(outline, (_tumour(site, outline, uneven=2.5),))


def spiculated_mass(site: Site, rng: Generator) -> Lesion:
    """A smaller, more even core with thin rays of unlike lengths."""
    count, start = int(rng.integers(9, 15)), rng.uniform(0, math.tau)
    spikes = tuple(
        (rng.uniform(0.2, 1.1), start + (ray + rng.uniform(-0.25, 0.25)) * math.tau / count)
        for ray in range(count)
    )
    lobes = tuple((k, rng.uniform(0.04, 0.10), rng.uniform(0, math.tau)) for k in (2, 3))
    outline = _oval(site, rng, size=0.75, lobes=lobes, spikes=spikes)
    return Lesion(outline, (_tumour(site, outline, uneven=1.0),))


def calcified_nodule(site: Site, rng: Generator) -> Lesion:
    """A nearly round nodule with two to four coarse calcifications."""
    lobes = tuple((k, rng.uniform(0.01, 0.05), rng.uniform(0, math.tau)) for k in (2, 3))
    outline = _oval(site, rng, lobes=lobes)
    parts = [_tumour(site, outline, uneven=1.0)]
    for _ in range(int(rng.integers(2, 5))):
        turn, far = rng.uniform(0, math.tau), site.radius * rng.uniform(0.0, 0.55)
        x, y = site.x + far * math.cos(turn), site.y + far * math.sin(turn)
        size = site.radius * rng.uniform(0.22, 0.36)
        fleck = Blob(x, y, size, 0.8 * size, turn)
        thickness = 0.4 * DEPTH * site.radius
        parts.append(Part("calcium", fleck, opacity=site.opacity, thickness=thickness))
    return Lesion(outline, tuple(parts))


LESIONS: dict[str, Callable[[Site, Generator], Lesion]] = {
    "cyst": cyst,
    "solid-mass": solid_mass,
    "spiculated-mass": spiculated_mass,
    "calcified-nodule": calcified_nodule,
}


def _oval(
    site: Site,
    rng: Generator,
    size: float = 1.0,
    lobes: tuple[tuple[int, float, float], ...] = (),
    spikes: tuple[tuple[float, float], ...] = (),
) -> Blob:
    stretch, angle = rng.uniform(0.85, 1.15), rng.uniform(0, math.pi)
    radius = size * site.radius
    return Blob(site.x, site.y, radius * stretch, radius / stretch, angle, lobes, spikes)


def _tumour(site: Site, outline: Shape, uneven: float) -> Part:
    thickness = DEPTH * site.radius
    return Part("tumour", outline, uneven=uneven, opacity=site.opacity, thickness=thickness)
