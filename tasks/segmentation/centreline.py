"""How well the centrelines of two masks agree: clDice, and precision and recall within a distance.

A centreline is the skeleton of scikit-image: Zhang & Suen 1984 of a 2-D mask, Lee et al. 1994 of a
3-D one.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.morphology import skeletonize

from omnibench.data.declaration import VOID

from .counts import Masks, check_masks

Mask = NDArray[np.bool_]
TOLERANCES = (1, 2, 3)  # pixels
CENTRELINE = tuple(f"{name}-{t}px" for t in TOLERANCES for name in ("precision", "recall", "f1"))


class Agreement(NamedTuple):
    """Shares of two centrelines.

    Attributes:
        precision: of the predicted one, that lies where the truth is.
        recall: of the true one, that lies where the prediction is.
    """

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Return the harmonic mean; 0 of two zeros."""
        whole = self.precision + self.recall
        return 2 * self.precision * self.recall / whole if whole else 0.0


def empty_agreement(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Agreement | None:
    """Return what stands where a mask is empty: 1 where both are, else 0; None where none is."""
    if predicted.any() and truth.any():
        return None
    return Agreement(*[float(not predicted.any() and not truth.any())] * 2)


def centreline_dice(predicted: Mask, truth: Mask) -> float:
    """Return clDice (Shit et al. 2021, arXiv:2003.07311), of 2-D or 3-D masks.

    The harmonic mean of the share of the predicted skeleton within the true mask, and of the true
    skeleton within the predicted mask. 1 where both masks are empty, 0 where one is.
    """
    return _masked(predicted, truth, skeleton(predicted), skeleton(truth)).f1


def skeleton(mask: Mask) -> Mask:
    """Return the centreline of a mask: scikit-image's, or the mask where that one is empty.

    Lee's thinning leaves nothing of a block of 2 x 2 x 2 voxels.
    """
    thin: Mask = skeletonize(mask)
    return thin if thin.any() else mask


def centreline_within(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], tolerances: tuple[float, ...]
) -> list[Agreement]:
    """Return the shares of skeleton pixels within each distance of the other skeleton.

    Several pixels may be matched to one. 1 where both skeletons are empty, 0 where one is.

    Args:
        predicted, truth: skeletons, 2-D or 3-D.
        tolerances: in pixels, that distance included; 0 is that of the same pixel.
    """
    if (empty := empty_agreement(predicted, truth)) is not None:
        return [empty] * len(tolerances)
    points, others = np.argwhere(predicted), np.argwhere(truth)
    there = cKDTree(others, balanced_tree=False).query(points)[0]
    back = cKDTree(points, balanced_tree=False).query(others)[0]
    return [Agreement(float((there <= t).mean()), float((back <= t).mean())) for t in tolerances]


def centreline_measures(
    predicted: Masks, truth: Masks, classes: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return clDice [N, C - 1] and `CENTRELINE` [N, C - 1, 9] of every image and foreground class.

    Args:
        predicted, truth: class indices [N, H, W]; class 0 is the background. Pixels whose truth is
            VOID are of no class in either mask.
        classes: C, the background included.

    Raises:
        DataError: the masks do not fit each other or the number of classes.
    """
    check_masks(predicted, truth, classes)
    dice = np.empty((len(truth), classes - 1), np.float32)
    within = np.empty((*dice.shape, len(CENTRELINE)), np.float32)
    for image, (own, right) in enumerate(zip(predicted, truth, strict=True)):
        for index in range(1, classes):
            a, b = (own == index) & (right != VOID), right == index
            skeletons = skeleton(a), skeleton(b)
            dice[image, index - 1] = _masked(a, b, *skeletons).f1
            shares = centreline_within(*skeletons, TOLERANCES)
            within[image, index - 1] = [value for share in shares for value in (*share, share.f1)]
    return dice, within


def _masked(predicted: Mask, truth: Mask, thin: Mask, thin_truth: Mask) -> Agreement:
    """Return the shares of skeletons that lie within the other mask."""
    if (empty := empty_agreement(predicted, truth)) is not None:
        return empty
    return Agreement(float(truth[thin].mean()), float(predicted[thin_truth].mean()))
