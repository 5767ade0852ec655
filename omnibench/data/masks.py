"""Masks as class indices 0..C-1, told for a whole dataset at once and never split by split."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Images, npz
from omnibench.errors import DataError

MOST_CLASSES = 64  # more values than these are grey levels
BLOCK_PIXELS = 1 << 20

Place = tuple[str, int]  # split and index of an image


@dataclass(frozen=True)
class RecodedMasks:
    """Masks whose values are looked up as they are read.

    Attributes:
        table: uint8 [256], what each value of `base` becomes.
    """

    base: Images
    table: NDArray[np.uint8]

    @property
    def shape(self) -> tuple[int, ...]:
        return self.base.shape

    def read(self, start: int, stop: int) -> NDArray[np.uint8]:
        return np.take(self.table, self.base.read(start, stop))

    def read_rows(self, indices: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.take(self.table, self.base.read_rows(indices))


def class_indexed(dataset: Dataset) -> Dataset:
    """Return the dataset with masks of class indices and a card that names their classes.

    Where the card has `mask_classes`, mask values are indices of these already, except that two
    classes may be coded as 0 and 255. Elsewhere the values of all splits, sorted, are the classes
    and give them their names. One pass reads every mask: give it the whole dataset, not a subset.

    Raises:
        DataError: a split has no masks or masks of another size than its images; a value is none
            of the card's classes; or the values that were found make no classes.
    """
    card = dataset.card
    masks = {split: _masks(dataset, split) for split in dataset.splits}
    places = _places(masks)
    values = sorted(places)
    if len(values) < 2:
        raise DataError(
            f"every mask of '{card.id}' holds {values or 'nothing'} alone; segmentation needs two "
            "classes: save the masks with their class values"
        )
    names, table = _declared(card, places) if card.mask_classes else _found(card.id, values)
    splits = {
        split: replace(part, masks=RecodedMasks(masks[split], table))
        for split, part in dataset.splits.items()
    }
    return replace(dataset, card=card.model_copy(update={"mask_classes": names}), splits=splits)


def read_foreground(card: DatasetCard, data_dir: Path) -> Dataset:
    """Read an npz dataset whose masks mark the foreground by any value but 0: it becomes 1.

    Raises:
        DataError: as `npz.read`.
    """
    dataset = npz.read(card, data_dir)
    table = np.minimum(np.arange(256), 1).astype(np.uint8)
    splits = {
        split: part if part.masks is None else replace(part, masks=RecodedMasks(part.masks, table))
        for split, part in dataset.splits.items()
    }
    return replace(dataset, splits=splits)


def _masks(dataset: Dataset, split: str) -> Images:
    part, name = dataset.splits[split], dataset.card.id
    if part.masks is None:
        raise DataError(f"{split} of '{name}' has no masks; add them or name another dataset")
    if part.masks.shape != part.images.shape[:3]:
        raise DataError(
            f"the masks of {split} of '{name}' are {list(part.masks.shape)} where its images are "
            f"{list(part.images.shape[:3])}; save one mask of the same size for each image"
        )
    return part.masks


def _places(masks: Mapping[str, Images]) -> dict[int, Place]:
    """Every value that occurs, with the first image that has it."""
    places: dict[int, Place] = {}
    for split, images in masks.items():
        count, height, width = images.shape
        step = max(1, BLOCK_PIXELS // (height * width))
        for start in range(0, count, step):
            block = images.read(start, start + step)
            for value in np.flatnonzero(np.bincount(block.reshape(-1), minlength=256)).tolist():
                if value not in places:
                    first = int((block == value).any(axis=(1, 2)).argmax())
                    places[value] = (split, start + first)
    return places


def _declared(
    card: DatasetCard, places: Mapping[int, Place]
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    table = np.arange(256, dtype=np.uint8)
    count = len(card.mask_classes)
    if count == 2 and set(places) == {0, 255}:
        table[255] = 1
        return card.mask_classes, table
    outside = sorted(value for value in places if value >= count)
    if outside:
        split, index = places[outside[0]]
        raise DataError(
            f"'{card.id}' has the mask classes 0..{count - 1}, but the mask of image {index} of "
            f"{split} holds {outside[0]}; correct the masks or the card's mask_classes"
        )
    return card.mask_classes, table


def _found(name: str, values: list[int]) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    if len(values) > MOST_CLASSES:
        raise DataError(
            f"the masks of '{name}' hold {len(values)} values, more than {MOST_CLASSES} classes: "
            "they look like grey levels or like masks that were interpolated or saved as JPEG; "
            "save class values without loss"
        )
    table = np.zeros(256, np.uint8)
    table[values] = np.arange(len(values))
    return tuple(str(value) for value in values), table
