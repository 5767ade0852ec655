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
from scipy.spatial import cKDTree

from omnibench.data.declaration import VOID

from .counts import Masks, check_masks

Floats: TypeAlias = NDArray[np.float64]
Spacing = tuple[float, float]  # mm from row to row, and from column to column
ALL = 0b1111  # all four pixels around a corner
ROUNDING = 1e-6  # mm, more than that of coordinates


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
    (of_a, lengths_a), (of_b, lengths_b) = surfels(a, spacing), surfels(b, spacing)
    near_a = _within(of_a, of_b, spacing, tolerance)
    near_b = _within(of_b, of_a, spacing, tolerance)
    within = lengths_a[near_a].sum() + lengths_b[near_b].sum()
    return float(within / (lengths_a.sum() + lengths_b.sum()))


def surfels(mask: NDArray[np.bool_], spacing: Spacing) -> tuple[NDArray[np.intp], Floats]:
    """Return the corners that a contour runs through, and its length at each.

    Beyond the mask is background.

    Returns:
        corners: [P, 2], row and column in the grid of (H + 1) x (W + 1) corners between pixels.
        lengths: [P], mm.
    """
    padded = np.pad(mask, 1).view(np.uint8)
    pairs = 4 * padded[:-1] + padded[1:]
    code = 2 * pairs[:, :-1] + pairs[:, 1:]  # four pixels, as bits in reading order
    corners = np.argwhere((code > 0) & (code < ALL))
    return corners, _lengths(spacing)[code[tuple(corners.T)]]


def _within(
    corners: NDArray[np.intp], others: NDArray[np.intp], spacing: Spacing, tolerance: float
) -> NDArray[np.bool_]:
    """Return which corners [P] have another one within a tolerance in mm."""
    tree = cKDTree(others * spacing, balanced_tree=False)
    nearest = tree.query(corners * spacing, distance_upper_bound=tolerance + ROUNDING)[1]
    close: NDArray[np.bool_] = nearest < len(others)
    # The difference of whole numbers is exact: a distance of the tolerance itself is within it.
    steps = (corners[close] - others[nearest[close]]) * spacing
    close[close] = np.sqrt((steps**2).sum(axis=1)) <= tolerance
    return close


def _lengths(spacing: Spacing) -> Floats:
    """Return the contour's length by what four pixels hold, as bits in reading order, [ALL + 1]."""
    row, column = spacing
    slope = hypot(row, column) / 2  # cuts off one corner
    lengths: Any = np.zeros(ALL + 1)
    for code in range(1, ALL):
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
