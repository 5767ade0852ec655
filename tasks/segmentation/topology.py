"""Betti numbers of masks: components, holes or tunnels, and cavities.

Foreground is joined through corners and background through faces alone (8 and 4 neighbours in
2-D, 26 and 6 in 3-D), and beyond the image is background: so a pixel mask is the union of its
closed pixels, and the numbers are those of that set.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label
from skimage.measure import euler_number

from omnibench.data.declaration import VOID

from .counts import Masks, check_masks

Mask = NDArray[np.bool_]


def betti_numbers(mask: Mask) -> tuple[int, ...]:
    """Return (b0, b1) of a mask [H, W], or (b0, b1, b2) of one [D, H, W].

    b0 counts components; b1 the holes of a 2-D mask, the tunnels of a 3-D one; b2 its cavities.
    """
    components = _components(mask, mask.ndim)
    # One component of the background is what lies around.
    enclosed = _components(np.pad(~mask, 1, constant_values=True), 1) - 1
    if mask.ndim == 2:
        return components, enclosed
    # chi = b0 - b1 + b2
    chi = int(euler_number(np.pad(mask, 1), connectivity=mask.ndim))
    return components, components + enclosed - chi, enclosed


def betti_errors(predicted: Masks, truth: Masks, classes: int) -> NDArray[np.int32]:
    """Return |b(predicted) - b(truth)|, [N, C - 1, 2], of every image and foreground class.

    Of whole images, not of patches as in Hu et al. 2019 (arXiv:1906.05404). An empty mask has the
    numbers 0 and 0.

    Args:
        predicted, truth: class indices [N, H, W]; class 0 is the background. Pixels whose truth is
            VOID are of no class in either mask.
        classes: C, the background included.

    Raises:
        DataError: the masks do not fit each other or the number of classes.
    """
    check_masks(predicted, truth, classes)
    errors = np.empty((len(truth), classes - 1, 2), np.int32)
    for image, (own, right) in enumerate(zip(predicted, truth, strict=True)):
        for index in range(1, classes):
            numbers: list[Any] = [
                np.array(betti_numbers(mask))
                for mask in ((own == index) & (right != VOID), right == index)
            ]
            errors[image, index - 1] = np.abs(numbers[0] - numbers[1])
    return errors


def _components(mask: Mask, connectivity: int) -> int:
    return int(label(mask, generate_binary_structure(mask.ndim, connectivity))[1])
