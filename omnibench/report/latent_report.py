"""The latent space in a report: numbers beside the picture, for a picture alone proves nothing."""

import math
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.context import Context
from omnibench.files import write_atomically
from omnibench.report.delimited import to_csv
from omnibench.report.latent import Space, gather
from omnibench.report.latent_dimensions import (
    Dimensions,
    dimension_rows,
    dimensions_of,
    dimensions_table,
)
from omnibench.report.latent_neighbours import Shared, shared_rows, shared_table
from omnibench.report.latent_picture import UMAP, Embeddings, Points, by_class, draw
from omnibench.report.table import DASH, Cell, Column, Table
from omnibench.states import CellState
from omnibench.stats.latent import (
    chance_purity,
    chance_purity_within,
    chance_trustworthiness,
    cosine_distances,
    linear_cka,
    nearest,
    purity,
    silhouette,
    trustworthiness,
)
from omnibench.store import RecordStore

STEM, TITLE = "latent", "Latent space"
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


@dataclass(frozen=True)
class Latent:
    """What the report adds: tables, and the files that were written beside them."""

    tables: tuple[Table, ...] = ()
    paths: tuple[Path, ...] = ()


def write_latent(
    suite: str, states: Iterable[CellState], store: RecordStore, context: Context, folder: Path
) -> Latent:
    """Write `latent.png`, `.pdf`, `.csv`, and `.npz`, which spares drawing the same again.

    Nothing where the suite has no finished unit that keeps frozen features. Where they are absent
    or too few, a table without rows says so.

    Args:
        suite: as the command names it.
        states: of the suite's cells.
        folder: of the report.

    Raises:
        StoreError: predictions or features cannot be read, or a file cannot be written.
    """
    space = gather(suite, states, store, context)
    if space is None:
        return Latent()
    if len(space.labels) <= 2 * K:
        few = f"{len(space.labels)} images are too few for k = {K} neighbours."
        caption = " ".join((few, *space.remarks) if space.features else space.remarks)
        return Latent((Table.from_texts(TITLE, (), (), caption),))
    numbers, points, near = _measure(space, Embeddings(folder / f"{STEM}.npz"))
    titles = {
        backbone: f"{textwrap.fill(backbone, 26)}\ntrustworthiness {text(measured.trustworthiness)}"
        for backbone, measured in numbers.items()
    }
    pictures = draw(space, points, titles, folder / STEM) if points else []
    chances = dict(zip(CHANCES, _by_chance(space), strict=False))
    alike, chance = linear_cka(list(space.features.values()))
    filled = dimensions_of(space)
    shared = Shared.from_neighbours(near, len(space.labels), K)
    table = folder / f"{STEM}.csv"
    rows = long_table(space, numbers, chances, alike, chance, filled, shared)
    write_atomically(table, to_csv(rows).encode())
    tables = [numbers_table(space, numbers, chances, STEM if pictures else "")]
    tables.append(dimensions_table(TITLE, filled, len(space.labels)))
    if len(space.features) > 1:
        tables.append(cka_table(space, alike, chance))
    if len(near) > 1:
        tables.append(shared_table(TITLE, space, shared, K))
    return Latent(tuple(tables), (*pictures, table))


def _measure(
    space: Space, embeddings: Embeddings
) -> tuple[dict[str, Numbers], dict[str, Points], dict[str, NDArray[np.intp]]]:
    """Return numbers, points and K neighbours by backbone; numbers alone without directions."""
    numbers: dict[str, Numbers] = {}
    points: dict[str, Points] = {}
    near: dict[str, NDArray[np.intp]] = {}
    for backbone, features in space.features.items():
        distances = cosine_distances(features)
        if distances is None:
            numbers[backbone] = Numbers()
            continue
        near[backbone] = nearest(distances, K)
        points[backbone] = embeddings.points(features)
        numbers[backbone] = Numbers(
            trustworthiness(distances, points[backbone], K),
            purity(distances, space.labels, K),
            purity(distances, space.sources, K),
            silhouette(distances, space.labels),
        )
    return numbers, points, near


def _by_chance(space: Space) -> Iterator[Numbers]:
    yield Numbers(
        chance_trustworthiness(len(space.labels), K),
        chance_purity(space.labels),
        chance_purity(space.sources),
    )
    if len(space.images) > 1:
        yield Numbers(class_purity=chance_purity_within(space.labels, space.sources))


def numbers_table(
    space: Space, numbers: Mapping[str, Numbers], chances: Mapping[str, Numbers], picture: str
) -> Table:
    """Return a row a backbone and one a kind of chance, under a caption that makes them a claim.

    Args:
        chances: by the keys of CHANCES.
    """
    rows = [
        (name, *(text(getattr(measured, measure)) for measure in MEASURES))
        for name, measured in (*numbers.items(), *chances.items())
    ]
    heads = ("backbone", *(measure.replace("_", " ") for measure in MEASURES))
    return Table.from_texts(TITLE, heads, tuple(rows), _caption(space, rows), picture)


def cka_table(space: Space, alike: Matrix, chance: Matrix) -> Table:
    """Return the matrix of CKA [M, M], chance in its lower half."""
    numbered = [f"({i}) {backbone}" for i, backbone in enumerate(space.features, 1)]
    rows = [
        (name, *(text(chance[i, j] if j < i else alike[i, j]) for j in range(len(numbered))))
        for i, name in enumerate(numbered)
    ]
    heads = ("backbone", *(f"({i})" for i in range(1, len(numbered) + 1)))
    caption = (
        f"Linear centred kernel alignment (Kornblith et al. 2019) of two backbones' features of "
        f"the same {len(space.labels)} images, 0 to 1; {space.recipe}. On and above the "
        "diagonal: its value. Below: what chance gives, the mean over all ways to pair the images "
        f"of one with those of the other.{_undefined(rows)}"
    )
    return Table.from_texts(f"{TITLE}: likeness of backbones", heads, tuple(rows), caption)


def long_table(
    space: Space,
    numbers: Mapping[str, Numbers],
    chances: Mapping[str, Numbers],
    alike: Matrix,
    chance: Matrix,
    filled: Mapping[str, Dimensions],
    shared: Shared,
) -> Table:
    """Return one row a number with `COLUMNS`, as the CSV holds them; what is undefined is empty."""
    facts = {
        "images": len(space.labels),
        "datasets": " ".join(space.images),
        **(space.setting._asdict() if space.setting else {}),
    }
    rows: list[dict[str, Any]] = []
    for backbone, measured in numbers.items():
        for measure in MEASURES:
            row = {"measure": measure, "backbone": backbone, "value": getattr(measured, measure)}
            row |= {CHANCES[name]: getattr(level, measure) for name, level in chances.items()}
            rows.append(row | ({} if measure == "silhouette" else {"k": K}))
    backbones = list(space.features)
    for i, j in zip(*np.triu_indices(len(backbones), 1), strict=True):
        row = {"measure": "linear_cka", "backbone": backbones[i], "against": backbones[j]}
        rows.append(row | {"value": float(alike[i, j]), "chance": float(chance[i, j])})
    rows += [*dimension_rows(filled), *shared_rows(shared, K)]
    cells = ([Cell("", value=(facts | row).get(name)) for name in COLUMNS] for row in rows)
    return Table.from_cells(TITLE, map(Column, COLUMNS), cells)


def text(value: float | None) -> str:
    """Return a fraction with three decimals, or a dash."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


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
            f"{', '.join(counts)}; {space.recipe}. Trustworthiness, 0 to 1: how far neighbours "
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


def _undefined(rows: Iterable[tuple[str, ...]]) -> str:
    dash = text(None)
    return f" {dash}: undefined." if any(dash in row for row in rows) else ""
