"""The latent space in a report: numbers beside the picture, for a picture alone proves nothing."""

import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from omnibench.context import Context
from omnibench.files import write_atomically
from omnibench.report.embeddings import Embeddings, Points
from omnibench.report.latent import Space, gather
from omnibench.report.latent_picture import draw
from omnibench.report.latent_tables import (
    CHANCES,
    TITLE,
    K,
    Numbers,
    cka_table,
    numbers_table,
    text,
    to_csv,
)
from omnibench.report.plain import PlainTable
from omnibench.states import CellState
from omnibench.stats.latent import (
    chance_purity,
    chance_purity_within,
    chance_trustworthiness,
    cosine_distances,
    linear_cka,
    purity,
    silhouette,
    trustworthiness,
)
from omnibench.store import RecordStore

STEM = "latent"


@dataclass(frozen=True)
class Latent:
    """What the report adds: tables, and the files that were written beside them."""

    tables: tuple[PlainTable, ...] = ()
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
        said = " ".join((few, *space.remarks) if space.features else space.remarks)
        return Latent((PlainTable(TITLE, (), (), said),))
    numbers, points = _measure(space, Embeddings(folder / f"{STEM}.npz"))
    titles = {
        backbone: f"{textwrap.fill(backbone, 26)}\ntrustworthiness {text(one.trustworthiness)}"
        for backbone, one in numbers.items()
    }
    pictures = draw(space, points, titles, folder / STEM) if points else []
    chances = dict(zip(CHANCES, _by_chance(space), strict=False))
    alike, chance = linear_cka(list(space.features.values()))
    table = folder / f"{STEM}.csv"
    write_atomically(table, to_csv(space, numbers, chances, alike, chance).encode())
    tables = [numbers_table(space, numbers, chances, STEM if pictures else "")]
    if len(space.features) > 1:
        tables.append(cka_table(space, alike, chance))
    return Latent(tuple(tables), (*pictures, table))


def _measure(space: Space, embeddings: Embeddings) -> tuple[dict[str, Numbers], dict[str, Points]]:
    """Numbers and points by backbone; no points where features have no direction."""
    numbers: dict[str, Numbers] = {}
    points: dict[str, Points] = {}
    for backbone, features in space.features.items():
        distances = cosine_distances(features)
        if distances is None:
            numbers[backbone] = Numbers()
            continue
        points[backbone] = embeddings.of(features)
        numbers[backbone] = Numbers(
            trustworthiness(distances, points[backbone], K),
            purity(distances, space.labels, K),
            purity(distances, space.sources, K),
            silhouette(distances, space.labels),
        )
    return numbers, points


def _by_chance(space: Space) -> Iterator[Numbers]:
    yield Numbers(
        chance_trustworthiness(len(space.labels), K),
        chance_purity(space.labels),
        chance_purity(space.sources),
    )
    if len(space.images) > 1:
        yield Numbers(class_purity=chance_purity_within(space.labels, space.sources))
