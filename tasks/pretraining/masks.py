"""Blockwise masks (Bao et al. 2021, BEiT, algorithm 1) of iBOT (Zhou et al. 2022).

Their law is that of DINOv2's public code (Oquab et al. 2023).
"""

import math

import numpy as np
from numpy.typing import NDArray

# Patches of a block, its height over its width (or its inverse), and tries to place one.
LEAST = 4
ASPECT = 0.3
TRIES = 10


def draw_masks(
    crops: int,
    grid: tuple[int, int],
    generator: np.random.Generator,
    share: float = 0.5,
    ratio: tuple[float, float] = (0.1, 0.5),
) -> NDArray[np.bool_]:
    """Draw which patches of a batch's crops are masked.

    As in DINOv2, int(crops * share) crops get a mask, of at most int(patches * u) patches; each u
    is uniform on its own slice of `ratio`, so every batch holds masks of all sizes. Unlike there,
    such a mask is never empty: on a grid of a few patches it holds at least one.

    Args:
        crops: of the batch, all global views together.
        grid: patches down and across.
        generator: where all numbers come from.
        share: of the crops that get a mask.
        ratio: least and largest share of a crop's patches, within 0..1.

    Returns:
        [crops, *grid], True where masked.
    """
    masks = np.zeros((crops, *grid), dtype=np.bool_)
    bounds = np.linspace(*ratio, int(crops * share) + 1)
    for mask, u in zip(masks, generator.uniform(bounds[:-1], bounds[1:]), strict=False):
        _fill(mask, max(1, int(mask.size * u)), generator)
    generator.shuffle(masks)
    return masks


def _fill(mask: NDArray[np.bool_], target: int, generator: np.random.Generator) -> None:
    """Mask 1 to `target` patches of an empty mask: blocks until it is full or no more fits."""
    height, width = mask.shape
    room, tries = target, TRIES
    while room and tries:
        tries -= 1
        # With less room than LEAST between the two, to be met where blocks overlap.
        area = LEAST + (room - LEAST) * generator.random()
        aspect = ASPECT ** generator.uniform(-1, 1)
        down, across = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if down >= height or across >= width:
            continue
        top = generator.integers(height - down + 1)
        left = generator.integers(width - across + 1)
        block = mask[top : top + down, left : left + across]
        if 0 < (new := block.size - int(block.sum())) <= room:
            block[:] = True
            room, tries = room - new, TRIES
    if room == target:
        mask.flat[generator.integers(mask.size)] = True
