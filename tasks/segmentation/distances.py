"""How far the boundaries of two masks lie apart, in pixels."""

from math import hypot
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from omnibench.data.declaration import VOID

from .counts import Masks, check_masks

Floats = NDArray[np.float64]


def surface_distances(
    predicted: Masks, truth: Masks, classes: int, tolerance: float = 2.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """HD95 and NSD, [N, C - 1] each, of every image and foreground class.

    With A and B the two boundaries and d(a, B) a pixel's Euclidean distance to the nearest of B:
    HD95 = max(P95 of d(a, B) over A, P95 of d(b, A) over B), percentiles interpolated linearly
    (MONAI's `compute_hausdorff_distance(percentile=95)`); NSD = the share of A's and B's pixels
    together that lie within `tolerance` of the other (Nikolov et al. 2021 with boundaries
    counted in pixels; MONAI's `compute_surface_dice(use_subvoxels=False)`).

    MONAI has no finite value for an empty mask. Here a class absent from both masks scores 0 and 1;
    one absent from either scores the image's diagonal sqrt(H^2 + W^2), which no distance within
    the image reaches, and 0: a missed lesion is never left out of a mean.

    Args:
        predicted, truth: class indices [N, H, W]; class 0 is the background. Pixels whose truth is
            VOID are of no class in either mask.
        classes: C, the background included.
        tolerance: in pixels.

    Raises:
        DataError: the masks do not fit each other or the number of classes.
    """
    check_masks(predicted, truth, classes)
    hd95 = np.empty((len(truth), classes - 1), np.float32)
    nsd = np.empty_like(hd95)
    for image in range(len(truth)):
        counted = truth[image] != VOID
        for label in range(1, classes):
            a = boundary((predicted[image] == label) & counted)
            b = boundary(truth[image] == label)
            if len(a) and len(b):
                there, back = nearest(a, b), nearest(b, a)
                far = max(float(np.percentile(d, 95)) for d in (there, back))
                near = float(np.mean(np.concatenate([there, back]) <= tolerance))
            elif len(a) or len(b):
                far, near = hypot(*truth[image].shape), 0.0
            else:
                far, near = 0.0, 1.0
            hd95[image, label - 1], nsd[image, label - 1] = far, near
    return hd95, nsd


def boundary(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Coordinates [P, 2] of the mask's pixels that erosion with a 3x3 cross removes.

    These are the pixels with one of four neighbours outside the mask. Beyond the image is outside,
    so the mask's pixels at the image's edge are boundary (as in MONAI's `get_mask_edges`).
    """
    padded = np.pad(mask, 1)
    inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return np.argwhere(mask & ~inner)


def nearest(points: NDArray[Any], others: NDArray[Any]) -> Floats:
    """The Euclidean distance [P] of every point to the nearest of the others."""
    distances: Floats = cKDTree(others, balanced_tree=False).query(points)[0]
    return distances
