"""What is measured of the shape of predicted masks, beside overlaps and distances in pixels."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.data.declaration import VOID
from omnibench.task import Predictions

from .centreline import centreline_measures
from .counts import Masks
from .surfels import Spacing, surfel_dice
from .topology import betti_errors

SHAPE = ("cldice", "centreline", "betti", "surfel")
MASK, TRUTH, SPACING = "test_mask", "test_true_mask", "test_spacing"


def shape_arrays(
    predicted: Masks,
    truth: Masks,
    classes: int,
    spacings: Sequence[Spacing] | None,
    names: Collection[str] = SHAPE,
) -> dict[str, NDArray[Any]]:
    """Return what is stored of images: cldice, centreline, betti and, in mm, surfel.

    Args:
        spacings: mm of each image's pixels; None where that is not known.
        names: of what is to be measured; the first two share a pass, which gives both.
    """
    arrays: dict[str, NDArray[Any]] = {}
    if "cldice" in names or "centreline" in names:
        arrays["cldice"], arrays["centreline"] = centreline_measures(predicted, truth, classes)
    if "betti" in names:
        arrays["betti"] = betti_errors(predicted, truth, classes)
    if "surfel" in names and spacings is not None:
        arrays["surfel"] = surfel_dice(predicted, truth, classes, spacings)
    return arrays


def mask_arrays(
    predicted: Masks, truth: Masks, spacings: Sequence[Spacing] | None
) -> dict[str, NDArray[Any]]:
    """Return masks as they are stored, [N, H, W]; those of smaller images end in VOID."""
    height, width = (max(mask.shape[axis] for mask in truth) for axis in (0, 1))
    arrays: dict[str, NDArray[Any]] = {}
    for name, masks in (("mask", predicted), ("true_mask", truth)):
        arrays[name] = np.full((len(truth), height, width), VOID, np.uint8)
        for whole, mask in zip(arrays[name], masks, strict=True):
            whole[: mask.shape[0], : mask.shape[1]] = mask
    if spacings is not None:
        arrays["spacing"] = np.array(spacings, np.float64)
    return arrays


def measured(predictions: Predictions, name: str) -> NDArray[Any] | None:
    """Return a stored array of `shape_arrays`, or measure it of stored masks; None without both."""
    if f"test_{name}" in predictions or MASK not in predictions:
        return predictions.get(f"test_{name}")
    predicted, truth = predictions[MASK], predictions[TRUTH]
    classes = predictions["test_counts"].shape[1]
    spacings = [tuple(row) for row in predictions.get(SPACING, ())] or None
    # Beyond a smaller image is VOID in both, and a prediction may not hold that.
    own = np.where(truth == VOID, 0, predicted)
    return shape_arrays(own, truth, classes, spacings, (name,)).get(name)
