"""The images and masks of a segmentation dataset, checked, and what is stored of predictions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench import data
from omnibench.data import Dataset, Images
from omnibench.data.columns import stored
from omnibench.data.declaration import VOID, declaration_of
from omnibench.data.images import is_native, name_of, native
from omnibench.data.label_subset import Subset
from omnibench.data.masks import class_indexed
from omnibench.data.subset import limited
from omnibench.data.views import TEST, corrupted_split
from omnibench.errors import DataError
from omnibench.views import Corrupted

from .counts import Mask, Masks, counts_of
from .distances import surface_distances
from .refusals import untrained_class
from .shape import mask_arrays, shape_arrays
from .surfels import Spacing

BLOCK = 64
HELD = 256 << 20  # bytes of masks of the size of scoring that are read once for all epochs
SCORED_BLOCK = 8  # images predicted and compared at once
Predict = Callable[[str, NDArray[np.int64]], Masks]  # class indices at the size of scoring


@dataclass(frozen=True)
class Cases:
    """A dataset whose masks are class indices, and the sizes at which they are needed.

    Attributes:
        trained: side of the masks that the loss is taken on, the input size.
        scored: (H, W) of the masks that predictions are compared with; None for each file's own.
        void: whether pixels may be VOID: left out of the loss and of every metric.
        shape, keep_masks: as of the recipe.
    """

    dataset: Dataset
    trained: int
    scored: tuple[int, int] | None
    void: bool = False
    shape: bool = False
    keep_masks: bool = False
    _held: dict[tuple[str, bytes], Masks] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def from_dataset(
        cls,
        dataset: Dataset,
        input_size: int,
        score_at: str,
        limit: int | None,
        corruptions: Sequence[Corrupted] = (),
    ) -> "Cases":
        """Map mask values to classes, over the whole dataset, then cut it to `limit` images.

        Args:
            corruptions: of the test images, whose masks stay as they are; each makes a split
                "test@VIEW".

        Raises:
            DataError: masks that are absent, of another size, or hold other values; a class that
                no training pixel shows; or a mask to score that is VOID throughout at that size.
        """
        void = bool(declaration_of(dataset.card).ignore)
        of_files = is_native(dataset.target("train", "masks", data.Masks).images)
        dataset = limited(class_indexed(dataset), limit)
        copies = {
            f"{TEST}@{view.name}": corrupted_split(dataset.splits[TEST], view, dataset.card.id)
            for view in corruptions
        }
        dataset = replace(dataset, splits={**dataset.splits, **copies})
        shape = _masks(dataset, "train").shape
        scored = {
            "input": (input_size, input_size),
            "stride8": (input_size // 8, input_size // 8),
            "native": None if of_files else (shape[1], shape[2]),
        }[score_at]
        cases = cls(dataset, input_size, scored, void)
        cases._check_classes(limit)
        if void and score_at != "native":  # masks of their own size have been looked at
            for split in ("val", "test"):
                for rows in cases._blocks(split):
                    cases.truth(split, rows)
        return cases

    def of(self, subset: Subset) -> "Cases":
        """Return the cases with these images of the training and validation splits."""
        dataset = subset.of(self.dataset)
        return self if dataset is self.dataset else replace(self, dataset=dataset, _held={})

    @property
    def classes(self) -> int:
        """Number of classes, the background included."""
        return len(self.dataset.card.mask_classes)

    @property
    def outputs(self) -> int:
        """How many numbers a head gives a pixel: a logit for each class."""
        return self.classes

    def count(self, split: str) -> int:
        """Number of images of a split."""
        return len(self.dataset.splits[split])

    def masks(self, split: str, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Class indices [B, S, S] at the input size."""
        read = _masks(self.dataset, split).read_rows(rows)
        return nearest(read, (self.trained, self.trained))

    def truth(self, split: str, rows: NDArray[np.int64]) -> Masks:
        """Class indices [B, H, W] at the size of scoring, or B masks of their files' sizes.

        They are held, as much as HELD allows, since every epoch asks for those of validation.

        Raises:
            DataError: resizing leaves nothing but VOID of one: every class would score 1 there.
        """
        key = (split, rows.tobytes())
        if key not in self._held:
            truth = self._truth(split, rows)
            if sum(mask.nbytes for masks in self._held.values() for mask in masks) > HELD:
                self._held.clear()
            self._held[key] = truth
        return self._held[key]

    def _truth(self, split: str, rows: NDArray[np.int64]) -> Masks:
        masks = _masks(self.dataset, split)
        if self.scored is None:
            return [native(masks, row) for row in rows.tolist()]
        truth = nearest(masks.read_rows(rows), self.scored)
        void = (truth == VOID).all(axis=(1, 2))
        if void.any():
            name = name_of(self.dataset.splits[split].images, int(rows[void.argmax()]))
            raise DataError(
                f"{self.dataset.card.id}: the mask of {name} of {split} holds ignored values alone "
                f"at the {self.scored[0]} x {self.scored[1]} pixels of scoring, so that there is "
                "nothing to score; leave that image out, or score at a larger size"
            )
        return truth

    def sizes(self, split: str, rows: NDArray[np.int64]) -> list[tuple[int, int]]:
        """Return the (H, W) at which each image is scored."""
        if self.scored is not None:
            return [self.scored] * len(rows)
        return [(mask.shape[0], mask.shape[1]) for mask in self.truth(split, rows)]

    def counts(self, split: str, predict: Predict) -> NDArray[np.int32]:
        """Count [N, C, 4] of what is predicted of a split, as `counts_of` does."""
        return np.concatenate(
            [
                counts_of(predict(split, rows), self.truth(split, rows), self.classes)
                for rows in self._blocks(split)
            ]
        )

    def predictions(self, predict: Predict) -> dict[str, NDArray[Any]]:
        """The arrays stored beside a record: counts, case, distances; group and columns.

        Masks are predicted and compared a block at a time: at their own size they may be large.
        """
        arrays: dict[str, NDArray[Any]] = {"val_counts": self.counts("val", predict)}
        for tested in self.dataset.splits:
            test, at, view = tested.partition("@")
            if test == TEST:
                for name, array in self._compared(tested, predict).items():
                    arrays[f"{test}_{name}{at}{view}"] = array
        for name in ("val", "test"):
            split = self.dataset.splits[name]
            arrays[f"{name}_case"] = np.arange(len(split), dtype=np.int64)
            if split.groups is not None:
                arrays[f"{name}_group"] = split.groups
        return arrays | stored(self.dataset.splits["test"])

    def _compared(self, split: str, predict: Predict) -> dict[str, NDArray[Any]]:
        """Return counts, distances and what else is asked for of what is predicted of a split."""
        blocks: list[dict[str, NDArray[Any]]] = []
        predicted: list[Mask] = []
        truths: list[Mask] = []
        spacings: list[Spacing] = []
        for rows in self._blocks(split):
            masks, truth = predict(split, rows), self.truth(split, rows)
            hd95, nsd = surface_distances(masks, truth, self.classes)
            counts = counts_of(masks, truth, self.classes)
            blocks.append({"counts": counts, "hd95": hd95, "nsd": nsd})
            own = self.spacings(split, rows) if self.shape or self.keep_masks else None
            if self.shape:
                blocks[-1] |= shape_arrays(masks, truth, self.classes, own)
            if self.keep_masks:
                predicted.extend(masks)
                truths.extend(truth)
                spacings.extend(own or ())
        arrays = {name: np.concatenate([part[name] for part in blocks]) for name in blocks[0]}
        if self.keep_masks:
            arrays |= mask_arrays(predicted, truths, spacings or None)
        return arrays

    def spacings(self, split: str, rows: NDArray[np.int64]) -> list[Spacing] | None:
        """Return the mm of each image's pixels at the size of scoring; None where not known."""
        spacing = self.dataset.card.pixel_spacing
        if spacing is None:
            return None
        if self.scored is None:
            return [spacing] * len(rows)
        masks = _masks(self.dataset, split)
        # Files of their own sizes are read at another one, which their spacing is not of.
        sizes = [native(masks, row).shape for row in rows.tolist()]
        return [
            (spacing[0] * height / self.scored[0], spacing[1] * width / self.scored[1])
            for height, width in sizes
        ]

    def _blocks(self, split: str) -> Iterator[NDArray[np.int64]]:
        rows = np.arange(self.count(split))
        return (rows[start : start + SCORED_BLOCK] for start in range(0, len(rows), SCORED_BLOCK))

    def _check_classes(self, limit: int | None) -> None:
        """Refuse a class that no training mask shows; masks are read until all have been seen."""
        masks, names = _masks(self.dataset, "train"), self.dataset.card.mask_classes
        absent = set(range(len(names)))
        for start in range(0, masks.shape[0], BLOCK):
            counts = np.bincount(masks.read(start, start + BLOCK).ravel())
            absent -= set(np.flatnonzero(counts).tolist())
            if not absent:
                return
        absent_name = names[min(absent)]
        raise DataError(f"{self.dataset.card.id}: {untrained_class(absent_name, limit)}")


def _masks(dataset: Dataset, split: str) -> Images:
    return dataset.target(split, "masks", data.Masks).images


def nearest(masks: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Resize class indices [B, H, W] by nearest neighbour, as Pillow's NEAREST does."""
    if masks.shape[1:] == size:
        return masks
    rows, columns = (_sources(old, new) for old, new in zip(masks.shape[1:], size, strict=True))
    return masks[:, rows[:, None], columns]


def _sources(old: int, new: int) -> NDArray[np.int64]:
    """The pixel under each new one's centre.

    Pillow adds up the step, which decides where a centre falls between two pixels (as with 512 to
    448); `cumsum` adds in the same order.
    """
    steps = np.full(new, old / new)
    steps[0] /= 2
    sources: NDArray[np.int64] = np.cumsum(steps).astype(np.int64)
    return sources
