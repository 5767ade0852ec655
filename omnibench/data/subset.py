"""A dataset cut to some images a split, for trials."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Dataset, Images, Split
from omnibench.data.sized import native


@dataclass(frozen=True)
class SubsetImages:
    """The images of `base` at `indices`."""

    base: Images
    indices: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.indices), *self.base.shape[1:])

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return self.base.read_rows(self.indices[start:stop])

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return self.base.read_rows(self.indices[indices])

    def read_native(self, index: int) -> NDArray[np.uint8]:
        return native(self.base, int(self.indices[index]))


def name_of(images: Images, index: int) -> str:
    """Return an image's file, or its number in the whole split where it has none."""
    if isinstance(images, SubsetImages):
        return name_of(images.base, int(images.indices[index]))
    files = getattr(images, "files", None)
    return f"image {index}" if files is None else str(files[index])


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """Keep at most `limit` images a split: one fixed draw, in their own order.

    A draw, because the first images of a sorted dataset show one class alone.
    """
    if limit is None:
        return dataset
    return replace(
        dataset, splits={name: _cut(split, limit) for name, split in dataset.splits.items()}
    )


def drawn(count: int, limit: int | None) -> NDArray[np.int64]:
    """Indices of the `limit` of `count` images that are kept, in their order; None for all."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).permutation(count)[:limit])


def _cut(split: Split, limit: int) -> Split:
    if len(split) <= limit:
        return split
    indices = drawn(len(split), limit)
    return replace(
        split,
        images=SubsetImages(split.images, indices),
        labels=None if split.labels is None else split.labels[indices],
        masks=None if split.masks is None else SubsetImages(split.masks, indices),
        captions=None
        if split.captions is None
        else tuple(split.captions[index] for index in indices),
        groups=None if split.groups is None else split.groups[indices],
    )
