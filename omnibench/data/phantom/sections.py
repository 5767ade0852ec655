"""Bodies cut across (axial CT and MR); the patient's right is on the image's left."""

import math

from numpy.random import Generator

from omnibench.data.phantom.anatomy import Part, ellipse, organ_shape
from omnibench.data.phantom.patterns import Spokes, vessels
from omnibench.data.phantom.shapes import Below, Blob, Both, Shell

BOX = ((4, -0.05, 0.0),)  # squares an ellipse a little, as a trunk is


def chest(rng: Generator) -> tuple[Part, ...]:
    """Lungs, heart, great vessels, spine and ribs."""
    a, b = rng.uniform(0.84, 0.92), rng.uniform(0.60, 0.68)
    fat = rng.uniform(0.02, 0.07)
    cavity = Blob(0, 0, a - fat - 0.08, b - fat - 0.08, lobes=BOX)
    lungs = [
        Both(cavity, organ_shape(rng, -0.38, -0.02, 0.32, 0.46, 0.10)),
        Both(cavity, organ_shape(rng, 0.40, 0.00, 0.31, 0.45, -0.10)),
    ]
    return (
        *_trunk(a, b, fat),
        *(Part("lung", lung, uneven=1.0, role="organ") for lung in lungs),
        *(Part("blood", Both(lung, vessels(rng, 30, 0.014)), opacity=0.7) for lung in lungs),
        Part("blood", ellipse(rng, 0.09, -0.17, 0.23, 0.21, 0.5), role="cut"),
        Part("muscle", ellipse(rng, 0.0, 0.10, 0.13, 0.24), role="cut"),
        Part("blood", ellipse(rng, 0.12, 0.22, 0.062, 0.062), role="cut"),
        Part("air", ellipse(rng, -0.09, 0.06, 0.04, 0.035)),
        Part("air", ellipse(rng, 0.07, 0.07, 0.035, 0.03)),
        *_spine(rng, 0.38),
        _ribs(rng, a - fat - 0.05, b - fat - 0.05),
        Part("bone", ellipse(rng, 0.0, 0.06 - b + fat, 0.09, 0.022)),
    )


def abdomen(rng: Generator) -> tuple[Part, ...]:
    """Liver, spleen, stomach, great vessels and spine, at the height of the liver."""
    a, b = rng.uniform(0.84, 0.93), rng.uniform(0.62, 0.72)
    fat = rng.uniform(0.03, 0.11)
    cavity = Blob(0, 0, a - fat - 0.07, b - fat - 0.07, lobes=BOX)
    right = Both(cavity, organ_shape(rng, -0.38, -0.02, 0.39, 0.44, 0.25))
    left = organ_shape(rng, -0.06, -0.27, 0.28, 0.16, 0.15)
    stomach = organ_shape(rng, 0.36, -0.20, 0.22, 0.19, 0.5)
    spleen = organ_shape(rng, 0.60, 0.14, 0.13, 0.25, -0.45)
    gas = Both(stomach, ellipse(rng, 0.34, -0.42, 0.24, 0.16))
    tree = vessels(rng, 13, 0.018)
    return (
        *_trunk(a, b, fat),
        Part("fat", cavity, uneven=0.5),
        Part("muscle", stomach),
        Part("gut", Blob(stomach.x, stomach.y, stomach.a - 0.03, stomach.b - 0.03, stomach.angle)),
        Part("air", gas),
        Part("spleen", Both(cavity, spleen), uneven=1.0),
        *(Part("liver", lobe, uneven=1.0, role="organ") for lobe in (right, left)),
        *(Part("blood", Both(lobe, tree), opacity=0.8) for lobe in (right, left)),
        *_spine(rng, 0.40),
        Part("blood", ellipse(rng, 0.06, 0.22, 0.055, 0.055)),
        Part("blood", ellipse(rng, -0.12, 0.17, 0.065, 0.05)),
        _ribs(rng, a - fat - 0.035, b - fat - 0.035),
    )


def kidneys(rng: Generator) -> tuple[Part, ...]:
    """Both kidneys, psoas muscles, bowel, great vessels and spine."""
    a, b = rng.uniform(0.82, 0.92), rng.uniform(0.60, 0.70)
    fat = rng.uniform(0.04, 0.13)
    parts = [
        *_trunk(a, b, fat),
        Part("fat", Blob(0, 0, a - fat - 0.07, b - fat - 0.07, lobes=BOX), uneven=0.5),
    ]
    for x, y in ((-0.52, -0.2), (-0.3, -0.36), (-0.02, -0.27), (0.24, -0.36), (0.5, -0.2)):
        loop = ellipse(rng, x, y, rng.uniform(0.09, 0.14), rng.uniform(0.08, 0.12))
        inside = Blob(loop.x, loop.y, loop.a - 0.025, loop.b - 0.025)
        parts += [Part("muscle", loop), Part("air" if rng.random() < 0.3 else "gut", inside)]
    for side in (-1, 1):
        kidney = organ_shape(rng, side * 0.42, 0.16, 0.19, 0.22, side * 0.35)
        sinus = Blob(kidney.x - side * 0.09, kidney.y - 0.03, 0.10, 0.06, side * 0.35)
        parts += [
            Part("muscle", ellipse(rng, side * 0.20, 0.34, 0.09, 0.12), uneven=0.5),
            Part("kidney", kidney, uneven=1.0, role="organ"),
            Part("fat", sinus),
        ]
    return (
        *parts,
        *_spine(rng, 0.36),
        Part("blood", ellipse(rng, 0.06, 0.15, 0.055, 0.055)),
        Part("blood", ellipse(rng, -0.09, 0.15, 0.065, 0.05)),
    )


def brain(rng: Generator) -> tuple[Part, ...]:
    """Scalp, skull, grey and white matter, deep grey nuclei and ventricles."""
    a, b = rng.uniform(0.62, 0.68), rng.uniform(0.80, 0.86)
    folds = tuple((k, h, rng.uniform(0, math.tau)) for k, h in ((9, 0.02), (14, 0.03), (23, 0.025)))
    deep = tuple((k, h, rng.uniform(0, math.tau)) for k, h in ((8, 0.03), (13, 0.05), (21, 0.06)))
    wide = rng.uniform(0.7, 1.5)
    parts = [
        Part("fat", Blob(0, 0, a, b)),
        Part("bone", Blob(0, 0, a - 0.04, b - 0.04)),
        Part("csf", Blob(0, 0, a - 0.09, b - 0.09)),
        Part("grey", Blob(0, 0, a - 0.105, b - 0.105, lobes=folds), uneven=0.5, role="organ"),
        Part("white", Blob(0, 0, a - 0.18, b - 0.18, lobes=deep), uneven=0.5),
        Part("csf", Blob(0, -0.50, 0.014, 0.20)),
        Part("csf", Blob(0, 0.52, 0.014, 0.19)),
    ]
    for side in (-1, 1):
        parts += [
            Part("grey", ellipse(rng, side * 0.20, -0.02, 0.07, 0.15, side * 0.3)),
            Part("csf", Blob(side * 0.085, -0.17, 0.04 * wide, 0.13, -side * 0.35), role="cut"),
            Part("csf", Blob(side * 0.15, 0.22, 0.04 * wide, 0.14, -side * 0.55), role="cut"),
        ]
    return (*parts, Part("csf", Blob(0, 0.03, 0.012 * wide, 0.10), role="cut"))


def _trunk(a: float, b: float, fat: float) -> tuple[Part, ...]:
    return (
        Part("table", Both(Shell(Blob(0, -0.42, 1.15, 1.15), 0.03), Below(0.35))),
        Part("air", Blob(0, 0, a + 0.02, b + 0.02, lobes=BOX)),
        Part("fat", Blob(0, 0, a, b, lobes=BOX), uneven=0.5),
        Part("muscle", Blob(0, 0, a - fat, b - fat, lobes=BOX), uneven=0.5),
    )


def _spine(rng: Generator, y: float) -> tuple[Part, ...]:
    body = ellipse(rng, 0.0, y, 0.115, 0.10)
    arch = Blob(0, y + 0.15, 0.16, 0.05)
    return (
        Part("bone", arch),
        Part("bone", Blob(0, y + 0.20, 0.03, 0.09)),
        Part("bone", body),
        Part("marrow", Blob(body.x, body.y, body.a - 0.02, body.b - 0.02), uneven=1.5),
        Part("csf", Blob(0, y + 0.13, 0.05, 0.035)),
    )


def _ribs(rng: Generator, a: float, b: float) -> Part:
    cage = Shell(Blob(0, 0, a, b, lobes=BOX), 0.035)
    return Part("bone", Both(cage, Spokes(0, 0, 11, rng.uniform(0, math.tau), 0.2)))
