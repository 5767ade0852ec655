"""What a guess scores in segmentation, against masks that are filled with one class."""

from typing import Any

import numpy as np
import pytest

from omnibench.scoring import chances, score
from omnibench.tasks.segmentation.counts import counts_of
from omnibench.tasks.segmentation.metrics import GUESSED

IMAGES, SIDE = 21, 8
DEFINITIONS = ("per-image-foreground", "per-image-macro", "dataset", "omnirad-batch16")


def blobs(classes: int) -> Any:
    """Return masks of blobs, some of them empty and some without a class: [N, H, W]."""
    rng = np.random.default_rng(classes)
    masks = np.zeros((IMAGES, SIDE, SIDE), np.int64)
    for image in range(3, IMAGES):
        top, left = rng.integers(0, SIDE - 2, 2)
        masks[image, top : top + 4, left : left + 5] = rng.integers(1, classes)
    return masks


@pytest.mark.parametrize("classes", [2, 4])
def test_chance_is_the_best_mask_of_one_class(classes: int) -> None:
    truth = blobs(classes)
    known = chances("segmentation", {"test_counts": counts_of(truth, truth, classes)})
    guesses = [
        score("segmentation", {"test_counts": counts_of(np.full_like(truth, k), truth, classes)})
        for k in range(classes)
    ]
    ids = [f"{definition}/{name}" for definition in DEFINITIONS for name in GUESSED]
    assert set(known) == set(ids)
    for key in ids:
        best = max(float(guess[key] or 0) for guess in guesses)
        assert known[key].value == pytest.approx(best, abs=1e-12)


def test_chance_of_two_classes_is_the_dice_of_all_foreground() -> None:
    truth = np.zeros((2, SIDE, SIDE), np.int64)
    truth[0, :4], truth[1, :2] = 1, 1
    known = chances("segmentation", {"test_counts": counts_of(truth, truth, 2)})
    expected = np.mean([2 * n / (n + SIDE * SIDE) for n in (32, 16)])
    assert known["per-image-foreground/dice"].value == pytest.approx(expected)
