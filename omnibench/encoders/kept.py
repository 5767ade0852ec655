"""Rows of every position of an image, maps or tokens: kept on disk, or held in memory."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Split
from omnibench.data.label_subset import Subset
from omnibench.encoders.frozen import FrozenPass, PassFacts
from omnibench.features import check_finite
from omnibench.placement import kept_in_memory


class Rows(Protocol):
    """Feature rows of one split."""

    @property
    def facts(self) -> Mapping[str, Any]: ...

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[Any]: ...


@dataclass(frozen=True)
class HeldRows:
    """Rows in memory, as `FeatureRows` has them on disk."""

    rows: NDArray[Any]
    facts: Mapping[str, Any]

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        return self.rows[indices]


@dataclass(frozen=True)
class TakenRows:
    """Some of a split's rows, by their indices, as rows of their own."""

    rows: Rows
    indices: NDArray[np.int64]

    @property
    def facts(self) -> Mapping[str, Any]:
        return self.rows.facts

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[Any]:
        return self.rows.read_rows(self.indices[indices])


def taken(rows: Mapping[str, Rows], subset: Subset) -> dict[str, Rows]:
    """Return every split's rows, those of training and validation as a label budget leaves them."""
    own = {"train": subset.train, "val": subset.val}
    return {
        name: TakenRows(part, own[name]) if name in own else part for name, part in rows.items()
    }


def kept_rows(
    forward: FrozenPass, splits: Mapping[str, Split]
) -> tuple[dict[str, Rows], PassFacts]:
    """Every split's rows: from the feature store, or computed once and held in memory.

    Raises:
        DataError: two splits were made with different weights.
    """
    images = sum(len(split) for split in splits.values())
    held = kept_in_memory(forward.unit, forward.kind, images, forward.context)
    rows: dict[str, Rows] = {
        name: _held(forward, name, split) if held else forward.stored(name, split)
        for name, split in splits.items()
    }
    facts = {name: features.facts for name, features in rows.items()}
    return rows, PassFacts.from_facts(forward.unit, facts, images)


def _held(forward: FrozenPass, name: str, split: Split) -> HeldRows:
    began = time.perf_counter()
    first = forward.rows(name, split, 0, min(forward.batch, len(split)))
    rows = np.empty((len(split), *first.shape[1:]), first.dtype)
    rows[: len(first)] = first
    for start in range(len(first), len(split), forward.batch):
        stop = min(start + forward.batch, len(split))
        rows[start:stop] = forward.rows(name, split, start, stop)
    check_finite(rows, 0, name)
    return HeldRows(rows, {**forward.encoder[1], "seconds": time.perf_counter() - began})
