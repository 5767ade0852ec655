import numpy as np
import pytest

from omnibench.tasks.interactive.click_maps import ClickMaps
from omnibench.tasks.interactive.simulators import Click
from tests.interactive.conftest import disc


def test_nearness_is_that_to_the_nearest_click_of_a_sign() -> None:
    maps = ClickMaps((12, 12), 12)
    clicks = [Click(2, 3, 1), Click(9, 9, 1), Click(11, 0, -1)]
    for click in clicks:
        maps.add(click)
    for channel, sign in enumerate((1, -1)):
        for row in range(12):
            for column in range(12):
                distance = min(
                    np.hypot(row - c.row, column - c.column) for c in clicks if c.sign == sign
                )
                expected = 1 - np.log(1 + distance) / np.log(1 + np.hypot(12, 12))
                assert maps.near[channel, row, column] == pytest.approx(expected, abs=1e-6)


def test_without_a_click_nothing_is_near() -> None:
    maps = ClickMaps((12, 12), 12)
    assert not maps.near.any()
    maps.add(Click(0, 0, -1))
    assert not maps.near[0].any()
    assert maps.near[1, 0, 0] == 1


def test_clicks_and_masks_of_another_size_are_brought_to_the_side() -> None:
    maps = ClickMaps((64, 32), 16)
    maps.add(Click(63, 31, 1))
    assert maps.near[0].argmax() == 16 * 16 - 1
    mask = np.zeros((64, 32), np.bool_)
    mask[32:] = True
    assert (maps.with_mask(mask)[2, 8:] == 1).all()
    assert not maps.with_mask(mask)[2, :8].any()
    assert ClickMaps((16, 16), 16).with_mask(disc(8, 8, 3, 16))[2].sum() == disc(8, 8, 3, 16).sum()
