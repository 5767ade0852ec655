"""Unlabelled training volumes of one or several datasets as one pool, all of one shape."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import Images, Labels, Split, sources
from omnibench.data.pool import HALF, grey, resized
from omnibench.data.series import Series
from omnibench.encoders.volume_vit import at_depth
from omnibench.errors import DataError

from .refusals import no_volumes


@dataclass(frozen=True)
class EvenVolumes(Images):
    """A split's series as volumes of one shape, grey; a volume is a series.

    Attributes:
        slices, size: of each; resampled linearly with antialiasing, first in the plane.
    """

    series: Series
    slices: int
    size: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.series.slices), self.slices, self.size, self.size)

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.read_rows(np.arange(start, stop))

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        volumes = np.empty((len(indices), *self.shape[1:]), np.uint8)
        for volume, index in zip(volumes, indices, strict=True):
            slices = resized(grey(self.series.base.read_rows(self.series.slices[index])), self.size)
            even = at_depth(torch.from_numpy(slices)[None, None].float(), self.slices)
            volume[:] = (even[0, 0] + HALF).clamp(0, 255).to(torch.uint8).numpy()
        return volumes


@dataclass
class VolumePool:
    """The training volumes of several datasets, in their order.

    Attributes:
        members: ids of the datasets; `member_of`: int64 [N], the index of each one's dataset.
        unreadable: none: series that cannot be read are left out by their readers.
    """

    members: tuple[str, ...]
    parts: Sequence[Series]
    slices: int
    unreadable: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        counts = [len(part.slices) for part in self.parts]
        self.member_of: NDArray[np.int64] = np.repeat(np.arange(len(counts)), counts)
        self._starts = np.cumsum([0, *counts])

    def __len__(self) -> int:
        return len(self.member_of)

    def read(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Return the volumes at `rows`, uint8 [n, slices, size, size]."""
        volumes = np.empty((len(rows), self.slices, size, size), np.uint8)
        for owner in np.unique(self.member_of[rows]):
            places = np.flatnonzero(self.member_of[rows] == owner)
            part = EvenVolumes(self.parts[int(owner)], self.slices, size)
            volumes[places] = part.read_rows(rows[places] - self._starts[owner])
        return volumes

    def smaller_than(self, size: int) -> int:
        """Return how many have slices with a side below `size`."""
        return sum(len(p.slices) for p in self.parts if min(p.base.shape[1:3]) < size)


def open_series(card: DatasetCard, data: Path) -> dict[str, dict[str, Series]]:
    """Return the series of the training and validation splits of each dataset of a pool.

    Returns:
        split -> the dataset's id -> its series; a dataset without the split is left out.

    Raises:
        DataError: a dataset is absent, or knows no studies.
    """
    if absent := sources.missing(card, data):
        raise DataError("; ".join(absent))
    series: dict[str, dict[str, Series]] = {"train": {}, "val": {}}
    for member in card.members or (card,):
        splits = sources.load(member, data).splits
        for name, parts in series.items():
            if name not in splits:
                continue
            if splits[name].study is None:
                raise DataError(no_volumes(member.id))
            parts[member.id] = Series.from_split(splits[name])
    return series


def labelled_series(
    slices: int, size: int, split: Split
) -> tuple[Images, NDArray[np.int64]] | None:
    """Return a split's volumes, and of each the label of its study; None without one label each."""
    labels = split.by_study.get("labels") if split.study is not None else None
    if not isinstance(labels, Labels) or labels.values.ndim != 1:
        return None
    series = Series.from_split(split)
    return EvenVolumes(series, slices, size), labels.values[series.study]
