"""Surface Dice by surfels against DeepMind's package, MONAI and a square by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from monai.metrics.surface_dice import compute_surface_dice
from surface_distance import metrics as deepmind

from omnibench.data.declaration import VOID
from omnibench.tasks.segmentation.surfels import Spacing, surfel_dice, surfels
from tests.segmentation.test_distances import blobs, one_hot

# Those of a tenth put whole numbers of pixels at the tolerance itself.
SPACINGS: list[Spacing] = [(1.0, 1.0), (0.7, 0.7), (0.1, 0.1), (0.3, 0.4), (2.0, 0.5)]


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("tolerance", [0.5, 1.0, 2.0])
def test_values_are_deepminds(spacing: Spacing, tolerance: float) -> None:
    predicted, truth = blobs(0), blobs(1)
    values = surfel_dice(predicted, truth, 3, [spacing] * len(truth), tolerance)
    for image in range(len(truth)):
        for label in (1, 2):
            distances = deepmind.compute_surface_distances(
                truth[image] == label, predicted[image] == label, spacing
            )
            expected = deepmind.compute_surface_dice_at_tolerance(distances, tolerance)
            assert values[image, label - 1] == pytest.approx(expected, abs=1e-7)


def test_values_are_monais_of_subvoxels() -> None:
    predicted, truth = blobs(2), blobs(3)
    values = surfel_dice(predicted, truth, 3, [(1.0, 1.0)] * len(truth), 1.0)
    expected: Any = compute_surface_dice(
        one_hot(predicted, 3), one_hot(truth, 3), [1.0, 1.0], spacing=[1.0, 1.0], use_subvoxels=True
    )
    assert torch.from_numpy(values).numpy() == pytest.approx(expected.numpy(), abs=1e-6)


def test_the_contour_of_a_square_has_its_sides_and_cut_corners() -> None:
    mask = np.zeros((9, 9), bool)
    mask[2:7, 2:7] = True
    # Four sides of four whole steps between pixel centres, and four corners cut off.
    corners, lengths = surfels(mask, (1.0, 1.0))
    assert len(corners) == len(lengths) == 20
    assert lengths.sum() == pytest.approx(4 * 4 + 4 * np.hypot(0.5, 0.5))
    stretched = surfels(mask, (3.0, 1.0))[1].sum()
    assert stretched == pytest.approx(2 * 4 * 3 + 2 * 4 + 4 * np.hypot(1.5, 0.5))


def test_empty_masks_have_their_rules() -> None:
    empty, mask = np.zeros((9, 9), np.uint8), np.eye(9, dtype=np.uint8)
    spacings: list[Spacing] = [(1.0, 1.0)] * 3
    values = surfel_dice([empty, empty, mask], [empty, mask, empty], 2, spacings)
    assert values.tolist() == [[1], [0], [0]]


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 5)])
def test_single_pixels_and_whole_images_are_deepminds(size: tuple[int, int]) -> None:
    whole, dot = np.ones(size, np.uint8), np.zeros(size, np.uint8)
    dot[0, -1] = 1
    for predicted, truth in ((dot, whole), (whole, dot), (dot, dot), (whole, whole)):
        distances = deepmind.compute_surface_distances(truth == 1, predicted == 1, (0.5, 0.25))
        expected = deepmind.compute_surface_dice_at_tolerance(distances, 1.0)
        values = surfel_dice([predicted], [truth], 2, [(0.5, 0.25)])
        assert values[0, 0] == pytest.approx(expected, abs=1e-7)


def test_a_shift_within_the_tolerance_costs_nothing_and_one_beyond_it_does() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    values = [
        surfel_dice([np.roll(mask, shift, 0)], [mask], 2, [(0.5, 0.5)])[0, 0] for shift in (2, 3)
    ]
    assert values[0] == 1 > values[1]


def test_void_pixels_are_of_no_class() -> None:
    truth = np.zeros((20, 20), np.uint8)
    truth[5:15, 5:15] = 1
    predicted = truth.copy()
    truth[:3], predicted[:3] = VOID, 1
    assert surfel_dice([predicted], [truth], 2, [(1.0, 1.0)]).tolist() == [[1]]
