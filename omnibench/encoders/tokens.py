"""The frozen tokens of one unit, after the final norm: computed once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

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
from omnibench.placement import TOKENS


@dataclass(frozen=True)
class UnitTokens:
    """Tokens of every split.

    Attributes:
        width: D.
    """

    rows: Mapping[str, Rows]
    width: int
    made: PassFacts

    def of(self, subset: Subset) -> "UnitTokens":
        """Return the same of the images that a label budget leaves."""
        return replace(self, rows=taken(self.rows, subset))

    def read(self, split: str, indices: NDArray[np.int64]) -> Tensor:
        """Tokens [B, T, D] of the images at `indices`: prefix tokens, then patches row by row."""
        return as_tensor(self.rows[split].read_rows(indices))


def unit_tokens(unit: Unit, splits: Mapping[str, Split], context: Context) -> UnitTokens:
    """Return the unit's tokens; a CNN's are the positions of its last map.

    Raises:
        DataError: two splits were made with different weights.
        RequestError: the backbone gives no tokens.
    """
    rows, made = kept_rows(FrozenPass(unit, context, TOKENS, _tokens), splits)
    first = next(iter(rows.values())).read_rows(np.array([0]))
    return UnitTokens(rows, first.shape[-1], made)


def _tokens(encoder: Encoder, images: Tensor) -> Tensor:
    prefix, patches = encoder.tokens(images)
    return torch.cat([prefix, patches.flatten(1, 2)], dim=1)
