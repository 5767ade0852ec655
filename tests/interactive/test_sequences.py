from collections.abc import Sequence

import numpy as np
import pytest

from omnibench.tasks.interactive.sequences import NO_CLICK, Target, clicked, jittered
from omnibench.tasks.interactive.simulators import Bits, Click, edt
from tests.interactive.conftest import SIDE, disc

WHOLE = np.ones((SIDE, SIDE), np.bool_)


class Scripted:
    """A method that gives one mask after the other, whatever is clicked."""

    def __init__(self, *masks: Bits) -> None:
        self.masks = list(masks)

    def start(self) -> Bits:
        return self.masks[0]

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        assert previous is self.masks[len(clicks) - 1]
        return self.masks[len(clicks)]


class Painter:
    """A method that corrects the pixels that are clicked, and nothing else."""

    def start(self) -> Bits:
        return ~WHOLE

    def mask(self, clicks: Sequence[Click], previous: Bits) -> Bits:
        mask = previous.copy()
        mask[clicks[-1][:2]] = clicks[-1].sign > 0
        return mask


def test_overlaps_are_those_of_the_masks_in_their_order() -> None:
    truth = disc(16, 16, 6)
    masks = [~WHOLE, disc(16, 16, 4), disc(14, 16, 7), disc(17, 16, 6)]
    sequence = clicked(Target(truth, WHOLE), Scripted(*masks), edt, 3, keep=(1, 3))
    ious = [(mask & truth).sum() / (mask | truth).sum() for mask in masks]
    assert sequence.start == (0, 0)
    assert sequence.overlaps[:, 0] == pytest.approx(ious[1:])
    assert sequence.overlaps[:, 1] == pytest.approx([2 * iou / (1 + iou) for iou in ious[1:]])
    assert [mask.sum() for mask in sequence.masks] == [masks[1].sum(), masks[3].sum()]
    assert sequence.clicks[0].tolist() == [16, 16, 1]


def test_a_mask_that_is_right_after_three_clicks_is_clicked_at_no_more() -> None:
    truth = np.zeros((SIDE, SIDE), np.bool_)
    truth[0, :3] = True  # at the border
    sequence = clicked(Target(truth, WHOLE), Painter(), edt, 21)
    assert sequence.overlaps[:, 0] == pytest.approx([1 / 3, 2 / 3, *[1] * 19])
    assert (sequence.clicks[3:] == NO_CLICK).all()
    assert len(sequence.seconds) == 3


def test_a_start_without_an_error_needs_no_click() -> None:
    for truth in (WHOLE, disc(0, 0, 1)):  # the whole image, one pixel in its corner
        sequence = clicked(Target(truth, WHOLE), Scripted(truth), edt, 4)
        assert sequence.start == (1, 1)
        assert (sequence.overlaps == 1).all()
        assert (sequence.clicks == NO_CLICK).all()


def test_a_score_may_fall_with_a_click_and_is_stored_as_it_is() -> None:
    truth = disc(16, 16, 6)
    masks = [~WHOLE, truth | disc(3, 3, 2), disc(16, 16, 2)]
    sequence = clicked(Target(truth, WHOLE), Scripted(*masks), edt, 2)
    assert sequence.overlaps[1, 0] < sequence.overlaps[0, 0]


def test_pixels_without_a_truth_are_neither_clicked_nor_counted() -> None:
    truth, counted = disc(16, 16, 6), ~disc(4, 4, 3)
    mask = truth | disc(4, 4, 3)
    sequence = clicked(Target(truth, counted), Scripted(mask), edt, 2)
    assert sequence.start == (1, 1)
    assert (sequence.clicks == NO_CLICK).all()


def test_a_box_is_the_smallest_around_the_object() -> None:
    truth = disc(10, 20, 3.5)
    inside = Target(truth, WHOLE).box
    assert truth[inside].sum() == truth.sum()
    assert truth[inside].shape == (7, 7)


def test_jitter_moves_a_click_within_the_image_and_leaves_its_sign() -> None:
    assert jittered(0, (SIDE, SIDE), (0, 0)) is None
    moves = [jittered(2, (SIDE, SIDE), (seed, 0)) for seed in (0, 0, 1)]
    paths = [[move(Click(0, 16, -1)) for _ in range(50)] for move in moves if move]
    assert paths[0] == paths[1] != paths[2]
    assert {click.row for click in paths[0]} == {0, 1, 2}
    assert {click.column for click in paths[0]} == {14, 15, 16, 17, 18}
    assert {click.sign for click in paths[0]} == {-1}
