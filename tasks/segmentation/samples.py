"""Masks of single test images: small ones beside a record, and laid over their image."""

import io

import numpy as np
from numpy.typing import NDArray

from omnibench.samples import CaseAnswers
from omnibench.task import Predictions

from .cases import nearest
from .counts import Masks
from .metrics import per_image_foreground
from .overlay import paint

SIDE, MOST = 96, 512  # pixels of a small mask; images of which there are some
LEGEND = "green correct, blue over-predicted, red missed"


def small(masks: Masks) -> NDArray[np.uint8]:
    """Return class indices as [N, SIDE, SIDE], by nearest neighbour."""
    sides = [nearest(np.asarray(mask, np.uint8)[None], (SIDE, SIDE))[0] for mask in masks]
    return np.stack(sides) if sides else np.empty((0, SIDE, SIDE), np.uint8)


def packed(predicted: NDArray[np.uint8], truth: NDArray[np.uint8]) -> bytes:
    """Return the small masks of the first `MOST` test images as one compressed npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, predicted=predicted[:MOST], truth=truth[:MOST])
    return buffer.getvalue()


def case_answers(predictions: Predictions, masks: bytes | None) -> CaseAnswers:
    """Return the foreground Dice of each test image.

    Args:
        predictions: with test_counts [N, C, 4].
        masks: as `packed`; None of a record that has none.
    """
    dice = per_image_foreground(predictions)["dice"]
    answers = [f"Dice {100 * value:.1f}" if value == value else "no Dice" for value in dice]
    truth = [""] * len(dice)
    if masks is None:
        return CaseAnswers("Dice of the foreground", truth, answers, dice)
    with np.load(io.BytesIO(masks), allow_pickle=False) as arrays:
        predicted, true = arrays["predicted"], arrays["truth"]

    def painted(case: int, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if case >= len(predicted):
            return image
        pair = (nearest(part[case][None], image.shape[:2])[0] for part in (predicted, true))
        return paint(image, *pair)

    return CaseAnswers("Dice of the foreground", truth, answers, dice, painted, LEGEND)
