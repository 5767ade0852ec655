"""What masks of class indices have in common, in pixels: all that overlap metrics need."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import DataError

Masks = NDArray[np.integer[Any]]


def counts_of(predicted: Masks, truth: Masks, classes: int) -> NDArray[np.int32]:
    """Count [N, C, 4] pixels of every image and class: true and false positives, then negatives.

    Args:
        predicted, truth: class indices [N, H, W]; class 0 is the background.
        classes: C, the background included.

    Raises:
        DataError: the masks do not fit each other or the number of classes.
    """
    check_masks(predicted, truth, classes)
    counts = np.empty((len(truth), classes, 4), np.int32)
    for image in range(len(truth)):
        cells = truth[image].astype(np.intp) * classes + predicted[image].astype(np.intp)
        confusion = np.bincount(cells.ravel(), minlength=classes**2).reshape(classes, classes)
        tp = confusion.diagonal()
        fp, fn = confusion.sum(axis=0) - tp, confusion.sum(axis=1) - tp
        counts[image] = np.stack([tp, fp, fn, cells.size - tp - fp - fn], axis=1)
    return counts


def check_masks(predicted: Masks, truth: Masks, classes: int) -> None:
    """Refuse masks that can't be compared.

    Raises:
        DataError: fewer than two classes, shapes that differ or are not [N, H, W], or a value that
            is no class index.
    """
    if classes < 2:
        raise DataError(f"masks need a background and a class, so two classes, not {classes}")
    if predicted.shape != truth.shape or truth.ndim != 3:
        raise DataError(
            f"predicted masks {predicted.shape} and true masks {truth.shape} must both be [N, H, W]"
        )
    for name, masks in (("predicted", predicted), ("true", truth)):
        if masks.dtype.kind not in "biu":
            raise DataError(f"{name} masks must hold class indices, not {masks.dtype}")
        if masks.size and (masks.min() < 0 or masks.max() >= classes):
            raise DataError(
                f"{name} masks hold values {masks.min()}..{masks.max()}; class indices are "
                f"0..{classes - 1}"
            )
