"""The chest as a frontal radiograph meets it: every part with its thickness along the beam."""

from numpy.random import Generator

from omnibench.data.phantom.anatomy import Part, ellipse, organ_shape
from omnibench.data.phantom.patterns import Stripes, vessels
from omnibench.data.phantom.shapes import Below, Blob, Both, Either


def frontal_chest(rng: Generator) -> tuple[Part, ...]:
    """Lungs, heart, ribs, spine, clavicles and diaphragm, each with its thickness in cm."""
    dome = (rng.uniform(0.40, 0.52), rng.uniform(0.46, 0.58))
    cage = Blob(0, 0.10, rng.uniform(0.68, 0.76), rng.uniform(0.92, 1.0), lobes=((2, 0.03, 0.0),))
    trunk = Both(Below(-0.86, 0.25, 0.40), Blob(0, 0.3, 0.94, 2.6))
    parts = [Part("soft", Either(trunk, Blob(0, -1.0, 0.24, 0.45)), thickness=20)]
    heart = ellipse(rng, 0.10, 0.26, 0.27, 0.25, 0.5)
    mediastinum = ellipse(rng, 0.02, -0.18, 0.13, 0.34)
    for side, level in zip((-1, 1), dome, strict=True):
        lung = organ_shape(rng, side * 0.36, 0.04, 0.27, 0.63, side * 0.10)
        liver = Blob(side * 0.36, level + 0.50, 0.42, 0.50)
        tree = Both(lung, vessels(rng, 22, 0.010))
        parts += [
            Part("lung", lung, uneven=1.0, role="organ", thickness=15),
            Part("vessel", tree, thickness=1.2),
            Part("soft in lung", Both(lung, heart), role="cut", thickness=12),
            Part("soft in lung", Both(lung, mediastinum), role="cut", thickness=9),
            Part("soft in lung", Both(lung, liver), role="cut", thickness=13),
        ]
    posterior = Stripes(rng.uniform(0.15, 0.18), 0.32, rng.uniform(0, 1), 0.10, 0.25)
    anterior = Stripes(rng.uniform(0.20, 0.24), 0.25, rng.uniform(0, 1), -0.55, 0.0)
    column = Blob(0, 0.1, 0.085, 1.4)
    parts += [
        Part("bone", Both(cage, posterior), thickness=1.0),
        Part("bone", Both(cage, anterior), thickness=0.5),
        Part("bone", Both(column, Stripes(0.13, 0.8, rng.uniform(0, 1))), thickness=2.5),
        Part("bone", column, thickness=2.0),
        Part("air", ellipse(rng, 0.0, -0.72, 0.035, 0.30), thickness=2.0),
        Part("air", ellipse(rng, 0.36, dome[1] + 0.16, 0.12, 0.06), thickness=5.0),
    ]
    for side in (-1, 1):
        parts.append(
            Part("bone", ellipse(rng, side * 0.34, -0.56, 0.28, 0.032, side * -0.22), thickness=2.0)
        )
    return tuple(parts)
