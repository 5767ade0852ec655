"""The neighbours that the backbones of a latent space have in common, as a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.report.latent import Space
from omnibench.report.table import Table
from omnibench.stats.dimension import chance_shared, shared_neighbours


@dataclass(frozen=True)
class Shared:
    """Which share of their neighbours backbones have in common.

    Attributes:
        backbones: those whose features have directions.
        values: [M, M].
        chance: of neighbours at random.
    """

    backbones: tuple[str, ...]
    values: NDArray[np.float64]
    chance: float

    @classmethod
    def from_neighbours(cls, near: Mapping[str, NDArray[np.intp]], images: int, k: int) -> "Shared":
        """Of each backbone's neighbours [N, k]."""
        values = shared_neighbours(list(near.values())) if near else np.empty((0, 0))
        return cls(tuple(near), values, chance_shared(images, k))


def shared_table(title: str, space: Space, shared: Shared, k: int) -> Table:
    """Return the matrix of shared neighbours [M, M], its upper half."""
    numbered = [f"({i}) {backbone}" for i, backbone in enumerate(shared.backbones, 1)]
    rows = [
        (name, *("" if j < i else f"{shared.values[i, j]:.3f}" for j in range(len(numbered))))
        for i, name in enumerate(numbered)
    ]
    heads = ("backbone", *(f"({i})" for i in range(1, len(numbered) + 1)))
    caption = (
        f"Mean share of an image's {k} nearest neighbours by cosine that two backbones have in "
        f"common (mutual k nearest neighbours, Huh et al. 2024), 0 to 1, of the same "
        f"{len(space.labels)} images; {space.recipe}. Chance, of neighbours at random: "
        f"{shared.chance:.3f}."
    )
    return Table.from_texts(f"{title}: shared neighbours", heads, tuple(rows), caption)


def shared_rows(shared: Shared, k: int) -> Iterator[dict[str, Any]]:
    """Yield rows of the CSV."""
    for i, j in zip(*np.triu_indices(len(shared.backbones), 1), strict=True):
        yield {
            "measure": "shared_neighbours",
            "backbone": shared.backbones[i],
            "against": shared.backbones[j],
            "value": float(shared.values[i, j]),
            "chance": shared.chance,
            "k": k,
        }
