"""Who is in a split of `phantom-volume`, and what the body of each study is made of."""

import functools
import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator

from omnibench.data.phantom.cases import stream
from omnibench.data.phantom.solids import Ellipsoid, Point, Rod, Solid

SLICES = 24  # of each view
STEP = 2 / SLICES  # from slice to slice, where a body spans -1..1
VIEWS = ("axial", "sagittal")
ROUND = 20  # studies in which either label has four patients of one study and three of two
Form = Literal["round", "flat", "tall"]


@dataclass(frozen=True)
class Tissue:
    """A solid of one density in Hounsfield units; it hides what was painted before it.

    Attributes:
        role: `organ`, `lesion`, or "" for what a mask does not tell from its surroundings.
    """

    solid: Solid
    hounsfield: float
    role: Literal["", "organ", "lesion"] = ""


@dataclass(frozen=True)
class Study:
    """One study before it is drawn.

    Attributes:
        name: its id, and that of its streams of texture and noise.
        patient: the id that all studies of one patient share.
        views: those that were taken; they say nothing of the lesion.
        form: of its lesion, None where it has none. A round one shows on several slices of each
            view; a flat one fills one axial slice and a tall one one sagittal slice, and on the
            slices of the other view both are a line, such as vessels are.
        noise, gain, level: 0..1, of the image formation.
    """

    name: str
    patient: str
    views: tuple[str, ...]
    form: Form | None
    tissues: tuple[Tissue, ...]
    noise: float
    gain: float
    level: float


@functools.lru_cache(maxsize=8)
def _round(split: str, number: int) -> tuple[tuple[str, int, bool], ...]:
    """Return (patient, number of the study, whether it has a lesion) of one round's studies."""
    patients = [(ill, studies) for ill in (False, True) for studies in (1, 1, 1, 1, 2, 2, 2)]
    order = stream("volume", split, "round", number).permutation(len(patients))
    return tuple(
        (f"volume-{split}-{number * len(patients) + place:04d}", study, patients[who][0])
        for place, who in enumerate(order)
        for study in range(patients[who][1])
    )


def study(split: str, index: int) -> Study:
    """Return study `index` of a split; it depends on nothing else, whatever is asked besides."""
    patient, number, ill = _round(split, index // ROUND)[index % ROUND]
    name = f"{patient}-{number}"
    rng = stream(name, "study")
    absent = rng.choice(["sagittal", "axial", "none"], p=[0.25, 0.05, 0.7])
    noise, gain, level = (float(value) for value in rng.uniform(size=3))
    organ, tissues = _anatomy(stream(patient, "body"))
    form: Form | None = None
    if ill:
        grown = stream(name, "lesion")
        form = get_args(Form)[grown.choice(3, p=[0.5, 0.25, 0.25])]
        tissues += _lesion(grown, organ, form)
    views = tuple(view for view in VIEWS if view != absent)
    return Study(name, patient, views, form, tissues, noise, gain, level)


def _anatomy(rng: Generator) -> tuple[Ellipsoid, tuple[Tissue, ...]]:
    """Return the organ, and all tissues from the skin inwards.

    Vessels and calcifications are as bright as a lesion's rim, and in every organ.
    """
    organ = Ellipsoid(_near(rng, (0, -0.02, -0.12), 0.08), _near(rng, (0.84, 0.5, 0.56), 0.05))
    wide, deep = rng.uniform(0.82, 0.95), rng.uniform(0.68, 0.82)
    tissues = [
        Tissue(Ellipsoid((0, 0, 0), (math.inf, deep, wide)), -100),
        Tissue(Ellipsoid((0, 0, 0), (math.inf, deep - 0.08, wide - 0.08)), 50),
    ]
    for _ in range(rng.integers(2, 5)):
        z, y, x = rng.uniform(-0.9, 0.9, 3) * (1, 0.5, 0.8)
        tissues.append(Tissue(Ellipsoid((z, y, x), _near(rng, (0.13, 0.13, 0.13), 0.07)), -600))
    spine = Ellipsoid((0, deep - 0.24, rng.uniform(-0.05, 0.05)), (math.inf, 0.13, 0.15))
    tissues += [Tissue(organ, 100, "organ"), Tissue(spine, 400)]
    for _ in range(rng.integers(4, 8)):
        vessel = Rod(_within(rng, organ, 0.06), _within(rng, organ, 0.06), rng.uniform(0.03, 0.05))
        tissues.append(Tissue(vessel, rng.uniform(160, 240)))
    for _ in range(rng.integers(2, 6)):
        radius = rng.uniform(0.03, 0.06)
        grain = Ellipsoid(_within(rng, organ, radius), (radius, radius, radius))
        tissues.append(Tissue(grain, rng.uniform(200, 500)))
    return organ, tuple(tissues)


def _lesion(rng: Generator, organ: Ellipsoid, form: Form) -> tuple[Tissue, Tissue]:
    """Return a bright rim and its dark core."""
    radius = rng.uniform(1.8, 2.45) * STEP
    z, y, x = _within(rng, organ, radius)
    if form == "flat":
        rim = Ellipsoid((_middle(z), y, x), (STEP / 2, radius, radius))
    elif form == "tall":
        rim = Ellipsoid((z, y, _middle(x)), (radius, radius, STEP / 2))
    else:
        rim = Ellipsoid((z, y, x), (radius, radius, radius))
    down, along, across = rim.axes
    core = Ellipsoid(rim.centre, (0.6 * down, 0.6 * along, 0.6 * across))
    return (
        Tissue(rim, rng.uniform(240, 290), "lesion"),
        Tissue(core, rng.uniform(-160, -110), "lesion"),
    )


def _middle(place: float) -> float:
    """Return the middle of the slice that a place is in."""
    return (math.floor(place / STEP) + 0.5) * STEP


def _near(rng: Generator, point: Point, spread: float) -> Point:
    z, y, x = rng.uniform(-spread, spread, 3) + point
    return float(z), float(y), float(x)


def _within(rng: Generator, organ: Ellipsoid, radius: float) -> Point:
    """Return a random point of the organ around which a ball fits into it."""
    direction = rng.standard_normal(3)
    direction *= rng.uniform() ** (1 / 3) / np.linalg.norm(direction)
    z, y, x = np.array(organ.centre) + direction * (np.array(organ.axes) - radius)
    return float(z), float(y), float(x)
