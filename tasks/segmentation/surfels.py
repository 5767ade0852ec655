"""Surface Dice by the lengths of contours, in millimetres (Nikolov et al. 2021, arXiv:1809.04430).

A contour is made of surface elements ("surfels") that stand at the corners between four pixels,
each as long as the contour that the four pixels enclose there. Matches DeepMind's package
surface-distance, and MONAI's `compute_surface_dice(use_subvoxels=True)`.
"""

from collections.abc import Sequence
from math import hypot
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from omnibench.data.declaration import VOID

from .counts import Masks, check_masks

Floats: TypeAlias = NDArray[np.float64]
Spacing = tuple[float, float]  # mm from row to row, and from column to column


def surfel_dice(
    predicted: Masks,
    truth: Masks,
    classes: int,
    spacings: Sequence[Spacing],
    tolerance: float = 1.0,
) -> NDArray[np.float32]:
    """Return the share of contours within a tolerance, [N, C - 1], of every image and class.

    With L the length of a contour's surfels and d a surfel's distance to the nearest of the other:
    (L(predicted with d <= tolerance) + L(truth with d <= tolerance)) / (L(predicted) + L(truth)).
    A class absent from both masks scores 1, one absent from either 0 (the library has NaN and 0).

    Args:
        predicted, truth: class indices [N, H, W]; class 0 is the background. Pixels whose truth is
            VOID are of no class in either mask.
        classes: C, the background included.
        spacings: of each image's pixels.
        tolerance: mm.

    Raises:
        DataError: the masks do not fit each other or the number of classes.
    """
    check_masks(predicted, truth, classes)
    values = np.empty((len(truth), classes - 1), np.float32)
    for image, (own, right, spacing) in enumerate(zip(predicted, truth, spacings, strict=True)):
        for index in range(1, classes):
            a, b = (own == index) & (right != VOID), right == index
            values[image, index - 1] = _share(a, b, spacing, tolerance)
    return values


def _share(a: NDArray[np.bool_], b: NDArray[np.bool_], spacing: Spacing, tolerance: float) -> float:
    if not a.any() or not b.any():
        return float(not a.any() and not b.any())
    rows, columns = np.nonzero(a | b)
    around = np.s_[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    lengths = [contour_lengths(mask[around], spacing) for mask in (a, b)]
    near = [
        distance_transform_edt(other == 0, sampling=spacing)[own > 0] <= tolerance
        for own, other in (lengths, lengths[::-1])
    ]
    parts = [own[own > 0] for own in lengths]
    within = sum(float(part[close].sum()) for part, close in zip(parts, near, strict=True))
    return within / sum(float(part.sum()) for part in parts)


def contour_lengths(mask: NDArray[np.bool_], spacing: Spacing) -> Floats:
    """Return the length of the contour at each corner between pixels, [H + 1, W + 1], in mm.

    Beyond the mask is background.
    """
    padded = np.pad(mask, 1).astype(np.uint8)
    code = 8 * padded[:-1, :-1] + 4 * padded[:-1, 1:] + 2 * padded[1:, :-1] + padded[1:, 1:]
    lengths: Floats = _lengths(spacing)[code]
    return lengths


def _lengths(spacing: Spacing) -> Floats:
    """Return the contour's length by what four pixels hold, as bits in reading order, [16]."""
    row, column = spacing
    slope = hypot(row, column) / 2  # cuts off one corner
    lengths: Any = np.zeros(16)
    for code in range(1, 15):
        pixels = [code >> shift & 1 for shift in (3, 2, 1, 0)]
        if sum(pixels) != 2:
            lengths[code] = slope
        elif pixels[0] == pixels[1]:
            lengths[code] = column  # runs along the rows
        elif pixels[0] == pixels[2]:
            lengths[code] = row
        else:
            lengths[code] = 2 * slope
    return np.asarray(lengths)
