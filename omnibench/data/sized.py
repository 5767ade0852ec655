"""Images whose files have their own sizes: decoded for an input size, or as large as they are."""

from dataclasses import replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Dataset, Images


@runtime_checkable
class Resizable(Images, Protocol):
    """Images that are decoded when they are read."""

    def at(self, size: int) -> Self:
        """Return the same images as they are decoded for an input of this size."""
        ...


@runtime_checkable
class Native(Images, Protocol):
    """Images that may be read at their files' own sizes."""

    def read_native(self, index: int) -> NDArray[np.uint8]:
        """Return one image at its own size."""
        ...


def at_size(images: Images, size: int) -> Images:
    """Return images as they are decoded for an input of this size; arrays as they are."""
    return images.at(size) if isinstance(images, Resizable) else images


def native(images: Images, index: int) -> NDArray[np.uint8]:
    """Return one image at its file's own size; of an array at the array's."""
    if isinstance(images, Native):
        return images.read_native(index)
    image: NDArray[np.uint8] = images.read(index, index + 1)[0]
    return image


def sized(dataset: Dataset, size: int) -> Dataset:
    """Return a dataset whose images and masks are decoded for an input of this size."""
    return replace(
        dataset,
        splits={
            name: replace(
                split,
                images=at_size(split.images, size),
                masks=None if split.masks is None else at_size(split.masks, size),
            )
            for name, split in dataset.splits.items()
        },
    )
