"""Masks as class indices 0..C-1, told for a whole dataset at once and never split by split."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from omnibench.cards import DatasetCard
from omnibench.data import Dataset, Images, Masks, Split, npz
from omnibench.data.declaration import (
    MOST_CLASSES,
    UNDECLARED,
    VOID,
    coding_of,
    declaration_of,
    numbers,
)
from omnibench.data.images import at_size, is_native, native
from omnibench.errors import DataError

BLOCK_PIXELS = 1 << 20

SHOWN = 8  # values in a message


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

    def at(self, size: int) -> Self:
        return replace(self, base=at_size(self.base, size))

    def read_native(self, index: int) -> NDArray[np.uint8]:
        return np.take(self.table, native(self.base, index))


def class_indexed(dataset: Dataset) -> Dataset:
    """Return the dataset with masks of class indices and a card that names their classes.

    What is declared beside a local dataset decides; its ignored values become VOID. Where the card
    has `mask_classes`, mask values are indices of these already, except that two classes may be
    coded as 0 and 255. Elsewhere the values of all splits, sorted, are the classes and give them
    their names, where they leave no doubt: two values, or numbers below MOST_CLASSES. One pass
    reads every mask: give it the whole dataset, not a subset.

    Raises:
        DataError: a split has no masks or masks of another size than its images; a value is none
            of the classes; the values that were found leave doubt; or a mask is VOID throughout.
    """
    names, table, _ = _classes_of(dataset)
    splits = {split: recoded(part, table) for split, part in dataset.splits.items()}
    return replace(
        dataset, card=dataset.card.model_copy(update={"mask_classes": names}), splits=splits
    )


def mask_shares(dataset: Dataset) -> tuple[dict[str, float], dict[str, int]]:
    """Return the share of each mask class, and how many training masks show it.

    Returns:
        Mask class -> its share of the pixels of all splits, what is ignored by itself; and of each
        class of the dataset the number of training images.

    Raises:
        DataError: as `class_indexed`.
    """
    names, table, values = _classes_of(dataset)
    pixels = np.zeros(256, np.int64)
    trained: dict[str, NDArray[np.bool_] | bool] = dict.fromkeys(names, False)
    for value, occurrence in values.items():
        pixels[table[value]] += occurrence.pixels
        if table[value] != VOID:
            trained[names[table[value]]] |= occurrence.trained
    named = dict(enumerate(names)) | {VOID: "(ignored)"}
    total = pixels.sum()
    shares = {
        named[index]: float(pixels[index] / total) for index in np.flatnonzero(pixels).tolist()
    }
    return shares, {name: int(np.sum(images)) for name, images in trained.items()}


def _classes_of(
    dataset: Dataset,
) -> tuple[tuple[str, ...], NDArray[np.uint8], dict[int, "Occurrence"]]:
    """Return the classes' names, the class of each value, uint8 [256], and the values that occur.

    Raises:
        DataError: as `class_indexed`.
    """
    card, declaration = dataset.card, declaration_of(dataset.card)
    first = sorted(dataset.splits, key=lambda split: split != "train")
    masks = {split: _masks(dataset, split) for split in first}
    ignored = [level for value in declaration.ignore for level in numbers(value)]
    if declaration.mask_values:
        coding = coding_of(declaration)
        names, table = coding.classes, coding.table
        values = values_of(masks, table == VOID)
        _check_declared(card, values, table)
        return names, table, values
    values = values_of(masks, np.isin(np.arange(256), ignored))
    shown = {value: places for value, places in values.items() if value not in ignored}
    if len(shown) < 2:
        raise DataError(
            f"every mask of '{card.id}' holds {sorted(shown) or 'nothing'} alone; save "
            "masks of two classes or more, with their class values"
        )
    names, table = _of_card(card, shown) if card.mask_classes else _in_order(card.id, shown)
    table[ignored] = VOID
    return names, table, values


def read_foreground(card: DatasetCard, data_dir: Path) -> Dataset:
    """Read an npz dataset whose masks mark the foreground by any value but 0: it becomes 1.

    Raises:
        DataError: as `npz.read`.
    """
    dataset = npz.read(card, data_dir)
    table = np.minimum(np.arange(256), 1).astype(np.uint8)
    splits = {
        split: recoded(part, table) if "masks" in part.targets else part
        for split, part in dataset.splits.items()
    }
    return replace(dataset, splits=splits)


def recoded(split: Split, table: NDArray[np.uint8]) -> Split:
    """Return a split whose mask values are looked up in a table, uint8 [256]."""
    masks = RecodedMasks(split.target("masks", Masks).images, table)
    return replace(split, targets={**split.targets, "masks": Masks(masks)})


def _masks(dataset: Dataset, split: str) -> Images:
    part, name = dataset.splits[split], dataset.card.id
    masks = dataset.target(split, "masks", Masks).images
    if masks.shape != part.images.shape[:3]:
        raise DataError(
            f"the masks of {split} of '{name}' are {list(masks.shape)} where its images are "
            f"{list(part.images.shape[:3])}; save one mask of the same size for each image"
        )
    return masks


@dataclass(frozen=True)
class Occurrence:
    """Where a mask value occurs first, in how many pixels of all splits, in what training images.

    Attributes:
        trained: bool [N], of each training image.
    """

    split: str
    image: int
    pixels: int
    trained: NDArray[np.bool_]


def values_of(
    masks: Mapping[str, Images], ignored: NDArray[np.bool_] | None = None
) -> dict[int, Occurrence]:
    """Return every value that occurs, in order; one pass over all masks.

    Args:
        ignored: bool [256], the values that may not fill a whole mask.

    Raises:
        DataError: they fill one.
    """
    first: dict[int, tuple[str, int]] = {}
    trained = [np.empty((0, 256), np.bool_)]
    pixels = np.zeros(256, np.int64)
    for split, images in masks.items():
        for start, block in _blocks(images):
            counts = _counts(block)
            pixels += counts.sum(axis=0)
            for value in np.flatnonzero(counts.any(axis=0)).tolist():
                first.setdefault(value, (split, start + int((counts[:, value] > 0).argmax())))
            if split == "train":
                trained.append(counts > 0)
            if ignored is not None:
                void = np.flatnonzero(~counts[:, ~ignored].any(axis=1))
                if len(void):
                    raise DataError(
                        f"the mask of image {start + int(void[0])} of {split} holds ignored "
                        "values alone, so that there is nothing to score; leave that image out"
                    )
    every = np.concatenate(trained)
    return {v: Occurrence(*first[v], int(pixels[v]), every[:, v]) for v in sorted(first)}


def _counts(masks: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return in how many pixels of each mask [n, H, W] each value occurs, [n, 256]."""
    rows = 256 * np.arange(len(masks))[:, None] + masks.reshape(len(masks), -1)
    return np.bincount(rows.reshape(-1), minlength=256 * len(masks)).reshape(-1, 256)


def _blocks(masks: Images) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the first index and the masks [n, H, W] of one block after another.

    Those of files come one by one at their own size, so that no value is lost by resizing.
    """
    count, height, width = masks.shape
    if is_native(masks):
        yield from ((index, masks.read_native(index)[None]) for index in range(count))
        return
    step = max(1, BLOCK_PIXELS // (height * width))
    yield from ((start, masks.read(start, start + step)) for start in range(0, count, step))


def shares(values: Mapping[int, Occurrence]) -> str:
    """Return values with their share of the pixels, as in "0 (97.5 %), 1 (2.5 %)"."""
    total = sum(occurrence.pixels for occurrence in values.values())
    shown = [f"{v} ({100 * counted.pixels / total:.3g} %)" for v, counted in values.items()]
    return ", ".join(shown[:SHOWN]) + (f" and {len(shown) - SHOWN} more" * (len(shown) > SHOWN))


def _check_declared(
    card: DatasetCard, values: Mapping[int, Occurrence], table: NDArray[np.uint8]
) -> None:
    for value, counted in values.items():
        if table[value] == UNDECLARED:
            raise DataError(
                f"the mask of image {counted.image} of {counted.split} of '{card.id}' holds "
                f"{value}, "
                "which is not declared; add it to mask_values or to ignore"
            )


def _of_card(
    card: DatasetCard, values: Mapping[int, Occurrence]
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    table = np.arange(256, dtype=np.uint8)
    count = len(card.mask_classes)
    if count == 2 and set(values) == {0, 255}:
        table[255] = 1
        return card.mask_classes, table
    outside = next((value for value in values if value >= count), None)
    if outside is not None:
        counted = values[outside]
        raise DataError(
            f"'{card.id}' has the mask classes 0..{count - 1}, but the mask of image "
            f"{counted.image} of {counted.split} holds {outside}; correct the masks or the "
            "card's mask_classes"
        )
    return card.mask_classes, table


def _in_order(
    name: str, values: Mapping[int, Occurrence]
) -> tuple[tuple[str, ...], NDArray[np.uint8]]:
    """Number values that leave no doubt."""
    if len(values) > 2 and max(values) >= MOST_CLASSES:
        example = ", ".join(f"{value}: ..." for value in list(values)[:3])
        raise DataError(
            f"the masks of '{name}' hold {shares(values)}, and nothing tells whether these are "
            "classes, grey levels of antialiased or JPEG edges, two codings mixed (0/1 and 0/255) "
            "or void; declare them in a YAML file beside the data: "
            f'mask_values: {{{example}}}, the background first, a range as "1..127", and '
            f"ignore: [{max(values)}] for what is not to be scored"
        )
    table = np.zeros(256, np.uint8)
    table[list(values)] = np.arange(len(values))
    return tuple(str(value) for value in values), table
