"""The numbers of a latent space as tables and CSV."""

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.report.embeddings import UMAP
from omnibench.report.latent import Space
from omnibench.report.latent_picture import by_class
from omnibench.report.plain import PlainTable

TITLE = "Latent space"
K = 15  # neighbours; as many as UMAP looks at
COLUMNS = (
    *("measure", "backbone", "against", "value", "chance", "chance_within_source", "k"),
    *("images", "datasets", "input_size", "normalization", "precision"),
)

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """Fractions of one backbone, or what chance gives; None where undefined."""

    trustworthiness: float | None = None
    class_purity: float | None = None
    source_purity: float | None = None
    silhouette: float | None = None


MEASURES = tuple(field.name for field in fields(Numbers))
# Rows of the table, and their columns in the CSV.
CHANCES = {"chance": "chance", "chance within a source": "chance_within_source"}


def numbers_table(
    space: Space, numbers: Mapping[str, Numbers], chances: Mapping[str, Numbers], picture: str
) -> PlainTable:
    """Return a row a backbone and one a kind of chance, under a caption that makes them a claim.

    Args:
        chances: by the keys of CHANCES.
    """
    rows = [
        (name, *(text(getattr(one, measure)) for measure in MEASURES))
        for name, one in (*numbers.items(), *chances.items())
    ]
    heads = ("backbone", *(measure.replace("_", " ") for measure in MEASURES))
    return PlainTable(TITLE, heads, tuple(rows), _caption(space, rows), picture)


def cka_table(space: Space, alike: Matrix, chance: Matrix) -> PlainTable:
    """Return the matrix of CKA [M, M], chance in its lower half."""
    numbered = [f"({i}) {backbone}" for i, backbone in enumerate(space.features, 1)]
    rows = [
        (name, *(text(chance[i, j] if j < i else alike[i, j]) for j in range(len(numbered))))
        for i, name in enumerate(numbered)
    ]
    heads = ("backbone", *(f"({i})" for i in range(1, len(numbered) + 1)))
    caption = (
        f"Linear centred kernel alignment (Kornblith et al. 2019) of two backbones' features of "
        f"the same {len(space.labels)} images, 0 to 1; {_recipe(space)}. On and above the "
        "diagonal: its value. Below: what chance gives, the mean over all ways to pair the images "
        f"of one with those of the other.{_undefined(rows)}"
    )
    return PlainTable(f"{TITLE}: likeness of backbones", heads, tuple(rows), caption)


def to_csv(
    space: Space,
    numbers: Mapping[str, Numbers],
    chances: Mapping[str, Numbers],
    alike: Matrix,
    chance: Matrix,
) -> str:
    """Return one row a number with `COLUMNS`, in full precision; what is undefined is empty."""
    facts = {
        "images": len(space.labels),
        "datasets": " ".join(space.images),
        **(space.setting._asdict() if space.setting else {}),
    }
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for backbone, one in numbers.items():
        for measure in MEASURES:
            row = {"measure": measure, "backbone": backbone, "value": getattr(one, measure)} | facts
            row |= {CHANCES[name]: getattr(level, measure) for name, level in chances.items()}
            writer.writerow(row | ({} if measure == "silhouette" else {"k": K}))
    backbones = list(space.features)
    for i, j in zip(*np.triu_indices(len(backbones), 1), strict=True):
        row = {"measure": "linear_cka", "backbone": backbones[i], "against": backbones[j]} | facts
        writer.writerow(row | {"value": _plain(alike[i, j]), "chance": _plain(chance[i, j])})
    return out.getvalue()


def text(value: float | None) -> str:
    """Return a fraction with three decimals, or a dash."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def _plain(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _caption(space: Space, rows: Iterable[tuple[str, ...]]) -> str:
    counts = [
        f"{dataset} ({shown if shown == there else f'{shown} of {there}'})"
        for dataset, (shown, there) in space.images.items()
    ]
    start, seed = str(UMAP["init"]).upper(), UMAP["random_state"]
    parameters = (
        f"{UMAP['n_neighbors']} neighbours by {UMAP['metric']}, minimum distance "
        f"{UMAP['min_dist']}, {start} as the start, seed {seed}"
    )
    within = "; within a source, neighbours at random from the image's own dataset"
    within = within if len(space.images) > 1 else ""
    return " ".join(
        [
            f"Frozen features of the same n = {len(space.labels)} test images a backbone: "
            f"{', '.join(counts)}; {_recipe(space)}. Trustworthiness, 0 to 1: how far neighbours "
            "in the picture are neighbours in the feature space. Purity, 0 to 1: mean share of an "
            "image's k nearest neighbours that are of its class, or of its source (dataset). "
            "Silhouette, -1 to 1: how far classes are apart. Purity and silhouette are taken by "
            f"cosine in the feature space, not in the picture; k = {K}. Chance: neighbours, or the "
            f"picture's points, at random{within}.{_undefined(rows)} Picture: UMAP ({parameters}), "
            f"colours are {'classes' if by_class(space) else 'datasets'}; axes have no unit, and "
            "distances between groups mean little.",
            *space.remarks,
        ]
    )


def _recipe(space: Space) -> str:
    assert space.setting is not None
    size, normalization, precision, limit = space.setting
    words = f"{size} pixels, normalisation {normalization}, precision {precision}"
    return f"{words}, the first {limit} images of a split" if limit else words


def _undefined(rows: Iterable[tuple[str, ...]]) -> str:
    dash = text(None)
    return f" {dash}: undefined." if any(dash in row for row in rows) else ""
