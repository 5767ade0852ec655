"""Datasets in memory or on disk: uint8 images behind one small reading interface. No torch here.

numpy is imported by type checkers alone, so that registering a dataset stays light.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from omnibench.cards import DatasetCard


class Images(Protocol):
    """N images of one size, uint8: grey [N, H, W] or RGB [N, H, W, 3]."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W) or (N, H, W, 3)."""
        ...

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        """Return images start..stop-1, freshly read; at most N of them."""
        ...

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the images at `indices`, in that order."""
        ...


@dataclass(frozen=True)
class ArrayImages:
    """Images that are in memory already."""

    array: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.array.shape

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.array[start:stop]

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self.array[indices]


@dataclass(frozen=True)
class Split:
    """One split of a dataset.

    Attributes:
        images: the N images.
        labels: int64 [N] class indices, or [N, L] zeros and ones for multi-label sets.
        masks: uint8 [N, H, W] class values where the dataset has masks.
        captions: N texts where the dataset has captions.
        groups: [N] patient or study ids, where known: cases of one group are not independent.
    """

    images: Images
    labels: NDArray[np.int64] | None = None
    masks: Images | None = None
    captions: tuple[str, ...] | None = None
    groups: NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return self.images.shape[0]


@dataclass(frozen=True)
class Dataset:
    """A card and its splits (train, val, test).

    Attributes:
        card: as registered, with what the files told filled in (classes, channels, sizes).
        digests: hashes of the arrays that were really read.
    """

    card: DatasetCard
    splits: Mapping[str, Split]
    digests: Mapping[str, str] = field(default_factory=dict)
