"""What is measured of one displacement against another, in numpy; sources in `metrics`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Masks = NDArray[np.uint8]
Valid = NDArray[np.bool_]
NEAR, FAR = 1.0, 3.0  # of endpoints, in the map's unit
REGISTRATION = ("endpoint-error", "within-1", "within-3", "folding", "dice")


def registration(
    predicted: Floats,
    truth: Floats,
    valid: Valid,
    pixel: tuple[float, float],
    unmoved: Masks | None = None,
) -> Floats:
    """Return the measures [5] of REGISTRATION of displacements [H, W, 2], over valid pixels.

    Args:
        pixel: its height and width in the displacements' unit.
        unmoved: masks [H, W] of the image before it was moved; without them `dice` is NaN.
    """
    error: Floats = np.linalg.norm((predicted - truth)[valid].astype(np.float64), axis=1)
    folded = jacobian(predicted, pixel)[valid] <= 0
    shares: list[Any] = [error.mean(), *((error <= t).mean() for t in (NEAR, FAR)), folded.mean()]
    if unmoved is None:
        return np.array([*shares, np.nan])
    known = valid[..., None]
    own, other = (
        moved(unmoved, np.where(known, each, 0), pixel)[valid] for each in (predicted, truth)
    )
    return np.array([*shares, _dice(own, other)])


def jacobian(displacement: Floats, pixel: tuple[float, float]) -> Floats:
    """Return the determinants [H, W] of the Jacobian of x + u(x), by central differences.

    At the edges differences are one-sided.
    """
    down, right = (displacement[..., k].astype(np.float64) / pixel[k] for k in range(2))
    (down_down, down_right), (right_down, right_right) = np.gradient(down), np.gradient(right)
    return np.asarray((1 + down_down) * (1 + right_right) - down_right * right_down)


def moved(masks: Masks, displacement: Floats, pixel: tuple[float, float]) -> Masks:
    """Return at each pixel x the class at x + u(x), the nearest pixel's; outside class 0."""
    height, width = masks.shape
    rows, columns = np.mgrid[:height, :width]
    rows = np.rint(rows + displacement[..., 0] / pixel[0]).astype(np.int64)
    columns = np.rint(columns + displacement[..., 1] / pixel[1]).astype(np.int64)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    classes = masks[rows.clip(0, height - 1), columns.clip(0, width - 1)]
    return np.where(inside, classes, 0).astype(np.uint8)


def _dice(predicted: Masks, truth: Masks) -> float:
    """Return the mean Dice of the classes but 0 that one of them shows; NaN without any."""
    classes = np.union1d(predicted, truth)
    scores = [
        2 * ((predicted == c) & (truth == c)).sum() / ((predicted == c).sum() + (truth == c).sum())
        for c in classes[classes > 0]
    ]
    return float(np.mean(scores)) if scores else np.nan
