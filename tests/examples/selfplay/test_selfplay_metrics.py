"""Metrics of the example `selfplay`, against the house's own, scipy and closed forms."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from scipy.stats import rankdata

from omnibench.tasks.segmentation.metrics import per_image_foreground


def test_dice_is_that_of_segmentation() -> None:
    from selfplay import overlap

    counts = np.random.default_rng(0).integers(0, 4, (60, 4))
    counts[:3] = [[0, 0, 0, 9], [0, 2, 0, 7], [0, 0, 2, 7]]
    both = np.stack([counts[:, [3, 2, 1, 0]], counts], axis=1)  # the background's, and the object's
    expected = per_image_foreground({"test_counts": both})["dice"]
    assert overlap({"test_counts": counts})["dice"] == pytest.approx(expected)


def test_chance_answers_every_pixel() -> None:
    from selfplay import everywhere

    counts = np.array([[1, 2, 3, 4], [0, 5, 0, 5]])  # 4 of 10 pixels, and none
    assert everywhere({"test_counts": counts}).value == pytest.approx((2 * 4 / 14 + 0) / 2)


def test_patches_are_counted_pixel_by_pixel() -> None:
    from selfplay_trial import LocalisationTrial

    random = np.random.default_rng(0)
    answers, truth, known = (random.random(s) < 0.5 for s in ((3, 2, 3), (3, 5, 7), (3, 5, 7)))
    seen = SimpleNamespace(seen=SimpleNamespace(truth=(truth, known)))
    expected = np.zeros((3, 4), int)
    for case, row, column in np.argwhere(known):
        answer = answers[case, row * 2 // 5, column * 3 // 7]
        expected[case, 2 * (not answer) + (not truth[case, row, column])] += 1
    counts = LocalisationTrial.counts(cast(Any, seen), answers)
    assert np.array_equal(counts, expected)


def test_the_area_of_a_line_over_log_updates_is_its_middle() -> None:
    from selfplay import UPDATES, areas

    rising = np.log2(1 + np.array(UPDATES)) / np.log2(257)
    curves = np.stack([np.full(4, 0.3), rising, 1 - rising])
    assert areas({"test_curve": curves})["area"] == pytest.approx([0.3, 0.5, 0.5])
    assert areas({"test_curve": curves, "test_mflop": np.zeros(3)}) == {}


def test_page_l_is_the_sum_of_ranks_times_the_order() -> None:
    from selfplay import trend

    random = np.random.default_rng(0)
    flat, rising = random.random((40, 4)), random.random((40, 4)) + np.arange(4) / 2
    for curves in (flat, rising):
        by_hand = (rankdata(curves, axis=1) @ [1, 2, 3, 4]).sum()
        assert trend({"test_curve": curves})["page-l"] == pytest.approx(by_hand)
    assert trend({"test_curve": rising})["page-p"] < 1e-6
    assert trend({"test_curve": flat})["page-p"] > 0.05
