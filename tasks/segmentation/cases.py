"""The images and masks of a segmentation dataset, checked, and what is stored of predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data import Dataset, Images
from omnibench.data.masks import class_indexed
from omnibench.data.subset import limited
from omnibench.errors import DataError

from .counts import counts_of
from .distances import surface_distances

BLOCK = 64


@dataclass(frozen=True)
class Cases:
    """A dataset whose masks are class indices, and the sizes at which they are needed.

    Attributes:
        trained: side of the masks that the loss is taken on, the input size.
        scored: (H, W) of the masks that predictions are compared with.
    """

    dataset: Dataset
    trained: int
    scored: tuple[int, int]

    @classmethod
    def of(cls, dataset: Dataset, input_size: int, score_at: str, limit: int | None) -> "Cases":
        """Map mask values to classes, over the whole dataset, then cut it to `limit` images.

        Raises:
            DataError: masks that are absent, of another size, or hold other values; or a class
                that no training pixel shows.
        """
        dataset = limited(class_indexed(dataset), limit)
        shape = _masks(dataset, "train").shape
        scored = {
            "input": (input_size, input_size),
            "stride8": (input_size // 8, input_size // 8),
            "native": (shape[1], shape[2]),
        }[score_at]
        cases = cls(dataset, input_size, scored)
        cases._check_classes()
        return cases

    @property
    def classes(self) -> int:
        """Number of classes, the background included."""
        return len(self.dataset.card.mask_classes)

    def count(self, split: str) -> int:
        """Number of images of a split."""
        return len(self.dataset.splits[split])

    def masks(self, split: str, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Class indices [B, S, S] at the input size."""
        read = _masks(self.dataset, split).read_rows(rows)
        return nearest(read, (self.trained, self.trained))

    def truth(self, split: str, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Class indices [B, H, W] at the size of scoring."""
        return nearest(_masks(self.dataset, split).read_rows(rows), self.scored)

    def predictions(self, predicted: Mapping[str, NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
        """The arrays stored beside a record: counts, case and, where known, group; distances.

        Args:
            predicted: class indices [N, H, W] of val and test at the size of scoring.
        """
        arrays: dict[str, NDArray[Any]] = {}
        for name, masks in predicted.items():
            split = self.dataset.splits[name]
            truth = self.truth(name, np.arange(len(split)))
            arrays[f"{name}_counts"] = counts_of(masks, truth, self.classes)
            arrays[f"{name}_case"] = np.arange(len(split), dtype=np.int64)
            if split.groups is not None:
                arrays[f"{name}_group"] = split.groups
            if name == "test":
                hd95, nsd = surface_distances(masks, truth, self.classes)
                arrays |= {"test_hd95": hd95, "test_nsd": nsd}
        return arrays

    def _check_classes(self) -> None:
        masks = _masks(self.dataset, "train")
        shown = np.zeros(256, np.int64)
        for start in range(0, masks.shape[0], BLOCK):
            shown += np.bincount(masks.read(start, start + BLOCK).ravel(), minlength=256)
        for index, name in enumerate(self.dataset.card.mask_classes):
            if not shown[index]:
                raise DataError(
                    f"{self.dataset.card.id}: no training mask shows the class '{name}'; add "
                    "some, or raise the recipe's limit"
                )


def _masks(dataset: Dataset, split: str) -> Images:
    masks = dataset.splits[split].masks
    assert masks is not None  # `class_indexed` refuses a split without masks
    return masks


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
