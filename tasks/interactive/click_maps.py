"""What a model is shown of the clicks so far: how near each pixel is to them, and the last mask."""

import numpy as np
from numpy.typing import NDArray

from omnibench.tasks.segmentation.cases import nearest

from .simulators import Bits, Click

CHANNELS = 3  # nearness to the positive clicks, nearness to the negative ones, the mask before


class ClickMaps:
    """The maps of one object [CHANNELS, S, S], kept up to date click by click.

    Nearness falls from 1 on a click to 0 at the length of the diagonal: 1 - log(1 + d) / log(1 + D)
    with the distance d to the nearest click in pixels. So one map tells both where a click is, as
    the discs of RITM (Sofiiuk et al., arXiv:2102.06583) do, and which pixels lie nearer to another.

    Args:
        side: S; clicks and masks of another size (H, W) are brought to it.
    """

    def __init__(self, size: tuple[int, int], side: int) -> None:
        self.size, self.side = size, side
        self.rows, self.columns = np.ogrid[:side, :side]
        self.diagonal = float(np.log1p(np.hypot(side, side)))
        self.near = np.zeros((2, side, side), np.float32)

    def add(self, click: Click) -> None:
        """Take in a further click."""
        row, column = (
            (place + 0.5) * self.side / length - 0.5
            for place, length in zip(click[:2], self.size, strict=True)
        )
        distance = np.hypot(self.rows - row, self.columns - column)
        own = self.near[0 if click.sign > 0 else 1]
        np.maximum(own, 1 - np.log1p(distance) / self.diagonal, out=own, casting="same_kind")

    def with_mask(self, mask: Bits) -> NDArray[np.float32]:
        """Return the maps with the mask before the last click."""
        own = nearest(mask.astype(np.uint8)[None], (self.side, self.side))
        return np.concatenate([self.near, own.astype(np.float32)])
