"""clDice and centreline shares against brute force, closed forms and each other."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import binary_opening, gaussian_filter
from skimage.morphology import skeletonize

from omnibench.data.declaration import VOID
from omnibench.data.phantom.vessels import draw
from omnibench.tasks.segmentation.centreline import (
    CENTRELINE,
    TOLERANCES,
    centreline_dice,
    centreline_measures,
    centreline_within,
    skeleton,
)
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.metrics import per_image_foreground


def blobs(seed: int, shape: tuple[int, ...] = (40, 50)) -> Any:
    return gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2) > 0.05


def by_counting(predicted: Any, truth: Any) -> float:
    thin, thin_truth = skeletonize(predicted), skeletonize(truth)
    precision = sum(truth[tuple(p)] for p in np.argwhere(thin)) / thin.sum()
    recall = sum(predicted[tuple(p)] for p in np.argwhere(thin_truth)) / thin_truth.sum()
    return float(2 * precision * recall / (precision + recall))


@pytest.mark.parametrize("shape", [(40, 50), (12, 14, 16)])
def test_cldice_is_the_papers_by_counting(shape: tuple[int, ...]) -> None:
    for seed in range(3):
        predicted, truth = blobs(seed, shape), blobs(seed + 10, shape)
        expected = by_counting(predicted, truth)
        assert centreline_dice(predicted, truth) == pytest.approx(expected, abs=1e-12)


def test_a_mask_agrees_with_itself_and_a_disjoint_one_not_at_all() -> None:
    mask = blobs(0)
    assert centreline_dice(mask, mask) == 1
    left, right = np.zeros((9, 20), bool), np.zeros((9, 20), bool)
    left[4, 1:8], right[4, 12:19] = True, True
    assert centreline_dice(left, right) == 0


def test_the_shapes_of_a_t_and_a_ring_by_hand() -> None:
    t = np.zeros((11, 11), bool)
    t[1, 1:10], t[1:10, 5] = True, True
    bar = np.zeros_like(t)
    bar[1, 1:10] = True
    # The bar lies in the T; of the T's skeleton what is below the bar does not lie in it.
    thin = skeletonize(t)
    recall = float(bar[thin].mean())
    assert centreline_dice(bar, t) == pytest.approx(2 * recall / (1 + recall))


def test_a_gap_of_one_pixel_costs_at_most_one_skeleton_pixel() -> None:
    line = np.zeros((9, 41), bool)
    line[4, 2:39] = True
    cut = line.copy()
    cut[4, 20] = False
    skeleton = int(skeletonize(line).sum())
    assert 1 - 1 / skeleton <= centreline_dice(cut, line) < 1


@pytest.mark.parametrize("name", ["test-00000", "test-00001"])
def test_a_better_dice_may_be_a_worse_tree(name: str) -> None:
    truth = draw(name, 96)[1] == 1
    without_thin_branches, lines_alone = binary_opening(truth), skeletonize(truth)
    masks = np.stack([without_thin_branches, lines_alone])
    of_overlap = per_image_foreground({"test_counts": counts_of(masks * 1, [truth * 1] * 2, 2)})
    dice = of_overlap["dice"]
    of_lines = [centreline_dice(mask, truth) for mask in masks]
    assert dice[0] > dice[1] + 0.3
    assert of_lines[0] < of_lines[1] - 0.05


def test_empty_masks_have_their_rules() -> None:
    empty, mask = np.zeros((40, 50), bool), blobs(0)
    assert centreline_dice(empty, empty) == 1
    assert centreline_dice(empty, mask) == centreline_dice(mask, empty) == 0
    assert centreline_within(empty, empty, (1,)) == [(1, 1)]
    assert centreline_within(empty, mask, (1, 2)) == [(0, 0), (0, 0)]


@pytest.mark.parametrize("shape", [(40, 50), (12, 14, 16)])
def test_shares_within_a_distance_are_those_of_every_pixel_against_every_other(
    shape: tuple[int, ...],
) -> None:
    predicted, truth = (skeletonize(blobs(seed, shape)) for seed in (3, 4))
    a, b = np.argwhere(predicted), np.argwhere(truth)
    apart = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))
    for tolerance, shares in zip(
        (0, *TOLERANCES), centreline_within(predicted, truth, (0, *TOLERANCES)), strict=True
    ):
        assert shares.precision == pytest.approx((apart.min(1) <= tolerance).mean(), abs=1e-12)
        assert shares.recall == pytest.approx((apart.min(0) <= tolerance).mean(), abs=1e-12)


def test_a_tolerance_of_zero_is_precision_and_recall_of_skeleton_pixels() -> None:
    predicted, truth = (skeletonize(blobs(seed)) for seed in (3, 4))
    (shares,) = centreline_within(predicted, truth, (0,))
    both = (predicted & truth).sum()
    assert shares == pytest.approx((both / predicted.sum(), both / truth.sum()))


def test_measures_of_images_are_those_of_their_masks_and_rise_with_the_tolerance() -> None:
    predicted = [blobs(0).astype(np.uint8), np.zeros((40, 50), np.uint8)]
    truth = [blobs(1).astype(np.uint8), np.zeros((40, 50), np.uint8)]
    truth[0][:5] = VOID
    dice, within = centreline_measures(predicted, truth, 2)
    counted = truth[0] != VOID
    own, right = (predicted[0] == 1) & counted, truth[0] == 1
    assert dice[:, 0].tolist() == pytest.approx([centreline_dice(own, right), 1])
    assert within[1, 0].tolist() == [1] * len(CENTRELINE)
    for name in ("precision", "recall", "f1"):
        values = [within[0, 0, CENTRELINE.index(f"{name}-{t}px")] for t in TOLERANCES]
        assert all(before <= after for before, after in pairwise(values))


@pytest.mark.parametrize("side", [(1, 1), (2, 2), (1, 1, 1), (2, 2, 2), (5, 5, 5)])
@pytest.mark.parametrize("margin", [0, 2])
def test_a_small_block_has_a_centreline_and_agrees_with_itself(
    side: tuple[int, ...], margin: int
) -> None:
    block = np.pad(np.ones(side, bool), margin)
    assert skeleton(block).any()
    assert not (skeleton(block) & ~block).any()
    assert centreline_dice(block, block) == 1
    assert centreline_dice(block, np.zeros_like(block)) == 0
