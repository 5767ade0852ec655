import math
import random
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import label
from scipy.stats import ks_2samp

from omnibench.tasks.pretraining.masks import draw_masks

GRID = (16, 16)
TINY = [(1, 1), (1, 2), (1, 9), (2, 2), (2, 3), (3, 3), (4, 4), (5, 2)]


def reference_mask(target: Any, height: Any, width: Any) -> NDArray[Any]:
    """A mask as sets of patches, with the standard library's generator."""
    masked = set[Any]()
    while len(masked) < target:
        for _ in range(10):
            area = random.uniform(4, target - len(masked))
            aspect = math.exp(random.uniform(math.log(0.3), math.log(1 / 0.3)))
            h, w = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if h >= height or w >= width:
                continue
            top, left = random.randint(0, height - h), random.randint(0, width - w)
            block = {(top + i, left + j) for i in range(h) for j in range(w)} - masked
            if 0 < len(block) <= target - len(masked):
                masked |= block
                break
        else:
            break
    mask = np.zeros((height, width), dtype=bool)
    for place in masked:
        mask[place] = True
    return mask


@pytest.mark.parametrize(("low", "high"), [(0.1, 0.5), (0.02, 0.06)])
def test_masks_follow_the_law_of_an_independent_reference(low: float, high: float) -> None:
    random.seed(0)
    count, patches = 600, GRID[0] * GRID[1]
    bounds = np.linspace(low, high, count + 1)
    theirs = [
        reference_mask(int(patches * random.uniform(*pair)), *GRID) for pair in pairwise(bounds)
    ]
    drawn = draw_masks(2 * count, GRID, np.random.default_rng(0), ratio=(low, high))
    ours = [mask for mask in drawn if mask.any()]
    for measure in (
        np.sum,
        lambda mask: label(mask)[1],
        lambda mask: mask.any(axis=1).sum(),
        lambda mask: mask.any(axis=0).sum() - mask.any(axis=1).sum(),
        lambda mask: mask.argmax(),
        lambda mask: mask.sum(axis=1).max(),
        lambda mask: (mask[1:] != mask[:-1]).sum() + (mask[:, 1:] != mask[:, :-1]).sum(),
    ):
        assert ks_2samp([measure(m) for m in ours], [measure(m) for m in theirs]).pvalue > 0.01


@pytest.mark.parametrize(("crops", "share"), [(64, 0.5), (7, 0.5), (10, 0.3), (5, 1.0), (1, 1.0)])
def test_each_mask_keeps_to_its_own_slice(crops: int, share: float) -> None:
    masks = draw_masks(crops, GRID, np.random.default_rng(crops), share)
    assert masks.shape == (crops, *GRID)
    assert masks.dtype == np.bool_
    counts = np.sort(masks.sum(axis=(1, 2)))
    masked = int(crops * share)
    assert (counts[: crops - masked] == 0).all()
    bounds = np.linspace(0.1, 0.5, masked + 1)
    assert (counts[crops - masked :] <= (256 * bounds[1:]).astype(int)).all()
    # Blocks that no longer fit leave a little of a target unfilled, rarely much.
    assert (counts[crops - masked :] >= 0.5 * 256 * bounds[:-1]).all()


def test_a_first_block_has_the_permitted_shape() -> None:
    masks = draw_masks(2000, GRID, np.random.default_rng(0), 1.0, (4 / 256, 4.9 / 256))
    shapes = set()
    for mask in masks:
        parts, number = label(mask)
        assert mask.sum() <= 4
        if number == 1 and mask.sum() == 4:
            rows, columns = np.nonzero(parts)
            shapes.add((np.ptp(rows) + 1, np.ptp(columns) + 1))
    assert {(2, 2), (1, 4), (4, 1)} <= shapes
    assert all(max(shape) <= 4 for shape in shapes)


def test_masked_crops_and_places_are_spread_evenly() -> None:
    masks = np.concatenate([draw_masks(8, GRID, np.random.default_rng(k)) for k in range(400)])
    asked = masks.any(axis=(1, 2)).reshape(-1, 8)
    assert (asked.sum(axis=1) == 4).all()
    assert np.abs(asked.mean(axis=0) - 0.5).max() < 3 * 0.5 / math.sqrt(400)
    ratios = masks.mean(axis=(1, 2)).reshape(-1, 8).sum(axis=0) / asked.sum(axis=0)
    assert np.ptp(ratios) < 0.05  # no place in the batch gets the larger masks
    where = masks.mean(axis=0)
    assert np.abs(where - where[::-1]).max() < 0.05
    assert np.abs(where - where.T).max() < 0.05


def test_one_generator_makes_the_same_masks_again() -> None:
    first, again, other = (draw_masks(16, GRID, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("grid", TINY)
def test_no_mask_asked_for_is_empty_on_tiny_grids(grid: tuple[int, int]) -> None:
    patches = grid[0] * grid[1]
    for seed in range(100):
        masks = draw_masks(9, grid, np.random.default_rng(seed))
        counts = masks.sum(axis=(1, 2))
        assert (counts > 0).sum() == 4
        assert counts.max() <= max(1, patches // 2)


@pytest.mark.parametrize("grid", [(2, 2), (4, 4), (3, 7)])
def test_whole_grids_may_be_asked_for(grid: tuple[int, int]) -> None:
    masks = draw_masks(20, grid, np.random.default_rng(0), 1.0, (1.0, 1.0))
    assert masks.any(axis=(1, 2)).all()


@pytest.mark.parametrize(("crops", "share"), [(1, 0.5), (6, 0.0), (0, 0.5)])
def test_no_crop_to_mask_gives_no_mask(crops: int, share: float) -> None:
    masks = draw_masks(crops, GRID, np.random.default_rng(0), share)
    assert masks.shape == (crops, *GRID)
    assert not masks.any()
