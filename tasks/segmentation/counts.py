"""What masks of class indices have in common, in pixels: all that overlap metrics need."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from omnibench.data.declaration import VOID
from omnibench.errors import DataError

Mask: TypeAlias = NDArray[np.integer[Any]]
Masks: TypeAlias = Mask | Sequence[Mask]  # [N, H, W], or N masks of sizes of their own


def counts_of(predicted: Masks, truth: Masks, classes: int) -> NDArray[np.int32]:
    """Count [N, C, 4] pixels of every image and class: true and false positives, then negatives.

    Args:
        predicted, truth: class indices [N, H, W]; class 0 is the background. Pixels whose truth is
            VOID are not counted.
        classes: C, the background included.

    Raises:
        DataError: the masks do not fit each other or the number of classes.
    """
    check_masks(predicted, truth, classes)
    counts = np.empty((len(truth), classes, 4), np.int32)
    for image in range(len(truth)):
        counted = truth[image] != VOID
        rows = truth[image][counted].astype(np.intp)
        cells = rows * classes + predicted[image][counted].astype(np.intp)
        confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes)
        tp = confusion.diagonal()
        fp, fn = confusion.sum(axis=0) - tp, confusion.sum(axis=1) - tp
        counts[image] = np.stack([tp, fp, fn, cells.size - tp - fp - fn], axis=1)
    return counts


def check_masks(predicted: Masks, truth: Masks, classes: int) -> None:
    """Refuse masks that can't be compared.

    Raises:
        DataError: fewer than two classes, shapes that differ or are not [N, H, W], or a value that
            is no class index, nor VOID in the truth.
    """
    if classes < 2:
        raise DataError(f"masks need a background and a class, so two classes, not {classes}")
    shapes = [[mask.shape for mask in masks] for masks in (predicted, truth)]
    if shapes[0] != shapes[1] or any(len(shape) != 2 for shape in shapes[1]):
        raise DataError(
            f"predicted masks {shapes[0]} and true masks {shapes[1]} must both be [N, H, W]"
        )
    for name, masks in (("predicted", predicted), ("true", truth)):
        for mask in masks:
            if mask.dtype.kind not in "biu":
                raise DataError(f"{name} masks must hold class indices, not {mask.dtype}")
            values = mask[mask != VOID] if name == "true" else mask
            if values.size and (values.min() < 0 or values.max() >= classes):
                raise DataError(
                    f"{name} masks hold values {values.min()}..{values.max()}; class indices are "
                    f"0..{classes - 1}"
                )
