"""The frozen feature maps of one unit: three levels of the backbone, kept on disk or in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data import Split
from omnibench.data.label_subset import Subset
from omnibench.encoders import Encoder
from omnibench.encoders.forward import as_tensor
from omnibench.encoders.frozen import FrozenPass, PassFacts
from omnibench.encoders.kept import Rows, kept_rows, taken
from omnibench.encoders.levels import levels_of
from omnibench.placement import MAPS


@dataclass(frozen=True)
class UnitMaps:
    """Maps of every split.

    Attributes:
        shapes: (D, h, w) of each level, finest first.
        tokens: whether they are a ViT's.
    """

    rows: Mapping[str, Rows]
    shapes: tuple[tuple[int, int, int], ...]
    tokens: bool
    made: PassFacts

    def of(self, subset: Subset) -> "UnitMaps":
        """Return the same of the images that a label budget leaves."""
        return replace(self, rows=taken(self.rows, subset))

    def read(self, split: str, indices: NDArray[np.int64]) -> list[Tensor]:
        """Maps [B, D, h, w] of the images at `indices`, channels last in memory."""
        return self.cut(as_tensor(self.rows[split].read_rows(indices)))

    def cut(self, rows: Tensor) -> list[Tensor]:
        """The levels of rows [B, F]."""
        sizes = [width * height * columns for width, height, columns in self.shapes]
        return [
            part.view(len(rows), height, columns, width).permute(0, 3, 1, 2)
            for part, (width, height, columns) in zip(
                torch.split(rows, sizes, dim=1), self.shapes, strict=True
            )
        ]


def unit_maps(unit: Unit, splits: Mapping[str, Split], context: Context) -> UnitMaps:
    """Return the unit's maps: from the feature store, or computed once and held in memory.

    Raises:
        DataError: two splits were made with different weights.
        RequestError: the backbone has no such maps.
    """
    forward = FrozenPass(
        unit,
        context,
        MAPS,
        lambda encoder, images: _flat(
            encoder.maps(images, levels_of(encoder, unit.backbone).layers)
        ),
        lambda encoder: _facts(encoder, unit),
    )
    rows, made = kept_rows(forward, splits)
    shapes = tuple((width, height, columns) for width, height, columns in made.facts["maps"])
    return UnitMaps(rows, shapes, made.facts["tokens"], made)


def _flat(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B, D, h, w] as rows [B, F], each level channels last."""
    return torch.cat([level.permute(0, 2, 3, 1).flatten(1) for level in maps], dim=1)


def _facts(encoder: Encoder, unit: Unit) -> dict[str, Any]:
    levels = levels_of(encoder, unit.backbone)
    size = unit.recipe["input_size"]
    with torch.no_grad():
        maps = encoder.maps(torch.zeros(1, size, size, dtype=torch.uint8), levels.layers)
    return {
        "layers": list(levels.layers),
        "tokens": levels.tokens,
        "maps": [list(level.shape[1:]) for level in maps],
    }
