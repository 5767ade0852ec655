"""What the loss of a pixel may be taken on in place of its class: heat around centrelines."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from omnibench.data.declaration import VOID

from .centreline import skeleton


def centreline_heat(masks: NDArray[np.uint8], classes: int, sigma: float) -> NDArray[np.float32]:
    """Return each pixel's share of every class, [N, C, H, W], by the nearest centreline.

    The class of a centreline at a distance of d pixels, the nearest of all, has exp(-d^2 / (2
    sigma^2)), the background the rest. A pixel that is VOID has no share of any.

    Args:
        masks: class indices [N, H, W]; class 0 is the background.
        classes: C, the background included.
        sigma: in pixels of the masks.
    """
    heat = np.zeros((len(masks), classes, *masks.shape[1:]), np.float32)
    for shares, mask in zip(heat, masks, strict=True):
        lines = np.zeros_like(mask)
        for index in range(1, classes):
            lines[skeleton(mask == index)] = index
        shares[0] = 1
        if lines.any():
            distance, nearest = distance_transform_edt(lines == 0, return_indices=True)
            warm = np.exp(-(distance**2) / (2 * sigma**2)).astype(np.float32)
            shares[0] -= warm
            of_class = lines[tuple(nearest)].astype(np.intp)
            np.put_along_axis(shares, of_class[None], warm[None], axis=0)
        shares[:, mask == VOID] = 0
    return heat
