"""A sequence of simulated clicks on one object, and how good the mask is after each."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from omnibench.data.declaration import VOID
from omnibench.tasks.segmentation.distances import surface_distances

from .simulators import Bits, Click, Simulator

NO_CLICK = (-1, -1, 0)  # of a sequence that ended before: row, column, sign
Jitter = Callable[[Click], Click]
Box = tuple[slice, slice]


class Method(Protocol):
    """Predicts the mask of one object from the clicks on its image."""

    def start(self) -> Bits:
        """Return the mask [H, W] before the first click."""
        ...

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        """Return the mask [H, W] after a further click, the last of `clicks`.

        Args:
            previous: the mask before that click.
        """
        ...


@dataclass(frozen=True)
class Target:
    """An object to be outlined.

    Attributes:
        truth: [H, W], at least one pixel.
        counted: [H, W], the pixels that have a truth.
    """

    truth: Bits
    counted: Bits

    def overlap(self, mask: Bits) -> tuple[float, float]:
        """Return IoU and Dice over the counted pixels; the truth is never empty."""
        mask = mask & self.counted
        shared = int(np.count_nonzero(mask & self.truth))
        both = int(np.count_nonzero(mask)) + int(np.count_nonzero(self.truth))
        return shared / (both - shared), 2 * shared / both

    def surface_dice(self, mask: Bits) -> float:
        """Return the NSD of a mask at a tolerance of 2 pixels, as segmentation measures it."""
        truth = np.where(self.counted, self.truth, VOID).astype(np.uint8)
        return float(surface_distances([mask.astype(np.uint8)], [truth], 2)[1][0, 0])

    @property
    def box(self) -> Box:
        """Return the bounding box of the object."""
        rows, columns = (np.flatnonzero(self.truth.any(axis=axis)) for axis in (1, 0))
        return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def within(box: Box | None, size: tuple[int, ...]) -> Bits:
    """Return the pixels [H, W] of a box; all of them without one."""
    pixels = np.full(size, box is None)
    if box is not None:
        pixels[box] = True
    return pixels


@dataclass(frozen=True)
class Clicked:
    """What a sequence of K clicks made of an object.

    Attributes:
        start: IoU and Dice before the first click.
        overlaps: [K, 2], IoU and Dice after each click.
        clicks: [K, 3], row, column and sign of each; NO_CLICK behind the end of the sequence.
        seconds: what the method took for each click that was made.
        masks: those after the clicks that are asked for.
    """

    start: tuple[float, float]
    overlaps: NDArray[np.float64]
    clicks: NDArray[np.int32]
    seconds: tuple[float, ...]
    masks: tuple[Bits, ...]


def clicked(
    target: Target,
    method: Method,
    simulate: Simulator,
    count: int,
    jitter: Jitter | None = None,
    keep: Sequence[int] = (),
) -> Clicked:
    """Click until `count` clicks are made or no error is left that is not clicked.

    There is no early stop at a threshold. Where a sequence ends before, its last mask stands for
    the clicks that were not needed.

    Args:
        jitter: moves a click; its sign stays.
        keep: the numbers of clicks after which the mask is kept.
    """
    start = mask = method.start()
    at = np.zeros_like(target.truth)
    clicks: list[Click] = []
    overlaps: list[tuple[float, float]] = []
    masks: dict[int, Bits] = {}
    seconds: list[float] = []
    while len(clicks) < count:
        missed, extra = target.truth & ~mask, mask & target.counted & ~target.truth
        click = simulate(missed, extra, at)
        if click is None:
            break
        click = click if jitter is None else jitter(click)
        at[click.row, click.column] = True
        clicks.append(click)
        began = time.perf_counter()
        mask = method.mask(clicks, mask)
        seconds.append(time.perf_counter() - began)
        overlaps.append(target.overlap(mask))
        if len(clicks) in keep:
            masks[len(clicks)] = mask
    before = target.overlap(start)
    overlaps += [overlaps[-1] if overlaps else before] * (count - len(overlaps))
    rows: list[Any] = [*clicks, *[NO_CLICK] * (count - len(clicks))]
    return Clicked(
        before,
        np.array(overlaps, np.float64),
        np.array(rows, np.int32),
        tuple(seconds),
        tuple(masks.get(k, mask) for k in keep),
    )


def jittered(pixels: int, shape: tuple[int, ...], seed: Sequence[int]) -> Jitter | None:
    """Return what moves clicks by up to `pixels` in each direction, within the image; None of 0."""
    if not pixels:
        return None
    random = np.random.default_rng(list(seed))

    def move(click: Click) -> Click:
        row, column = random.integers(-pixels, pixels + 1, 2)
        return Click(
            int(np.clip(click.row + row, 0, shape[0] - 1)),
            int(np.clip(click.column + column, 0, shape[1] - 1)),
            click.sign,
        )

    return move
