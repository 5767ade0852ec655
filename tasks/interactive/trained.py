"""One object under a model that is shown clicks: while it is judged, and while it learns."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .click_maps import ClickMaps
from .sequences import Box, Jitter, Target, within
from .simulators import Bits, Click, Simulator

Predict = Callable[[NDArray[np.float32]], Bits]  # click maps [3, S, S] -> a mask [H, W]


class TrainedClicks:
    """Outlines an object by what was trained.

    Args:
        size: (H, W) of its masks.
        side: S of the click maps.
        box: of the object, beyond which nothing is of it; None without one.
    """

    def __init__(self, predict: Predict, size: tuple[int, int], side: int, box: Box | None) -> None:
        self.predict, self.box = predict, box
        self.maps = ClickMaps(size, side)
        self.within = within(box, size)

    def start(self) -> Bits:
        """Return what is predicted of the box alone, as the mask before; empty without one."""
        if self.box is None:
            return np.zeros_like(self.within)
        return self.predict(self.maps.with_mask(self.within)) & self.within

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        """Return the mask after a further click."""
        self.maps.add(clicks[-1])
        return self.predict(self.maps.with_mask(previous)) & self.within


class LearntObject:
    """An object that is clicked at while a model learns; masks are of the input size S x S.

    Args:
        target: without a pixel where the image shows no object: it is never clicked at.
        boxed: whether its box is known before the first click.
    """

    def __init__(
        self, target: Target, simulate: Simulator, jitter: Jitter | None, boxed: bool
    ) -> None:
        self.target, self.simulate, self.jitter = target, simulate, jitter
        shape = (target.truth.shape[0], target.truth.shape[1])
        self.maps = ClickMaps(shape, shape[0])
        self.within = within(target.box if boxed and target.truth.any() else None, shape)
        self.previous = self.within if boxed else np.zeros(shape, np.bool_)
        self.clicked = np.zeros(shape, np.bool_)

    def click(self) -> None:
        """Make the click that the mask before calls for; none where every error is clicked."""
        missed = self.target.truth & ~self.previous
        extra = self.previous & self.target.counted & ~self.target.truth
        click = self.simulate(missed, extra, self.clicked)
        if click is None:
            return
        click = click if self.jitter is None else self.jitter(click)
        self.clicked[click.row, click.column] = True
        self.maps.add(click)

    def shown(self) -> NDArray[np.float32]:
        """Return the click maps [3, S, S] from which the next mask is predicted."""
        return self.maps.with_mask(self.previous)

    def answer(self, mask: Bits) -> None:
        """Take in the mask that was predicted."""
        self.previous = mask & self.within
