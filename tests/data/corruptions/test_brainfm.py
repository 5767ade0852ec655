"""BrainFM's corruptions against its formulas, written out place by place."""

import itertools
import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from omnibench.data.corruptions import SETS, brainfm, corrupted
from tests.data.corruptions.pictures import images


def test_a_coarse_grid_is_zoomed_linearly_between_centres() -> None:
    grid = np.random.default_rng(0).normal(size=(3, 2))
    field = brainfm.zoomed(grid, (12, 9))
    for row, column in itertools.product(range(12), range(9)):
        # BrainFM: places from (1 - f) / 2f in steps of 1 / f, for a zoom by f.
        y = min(max((1 - 4) / 8 + row / 4, 0), 2)
        x = min(max((1 - 4.5) / 9 + column / 4.5, 0), 1)
        top, left = int(y), int(x)
        below, right = min(top + 1, 2), min(left + 1, 1)
        upper = (1 - (x - left)) * grid[top, left] + (x - left) * grid[top, right]
        lower = (1 - (x - left)) * grid[below, left] + (x - left) * grid[below, right]
        assert field[row, column] == pytest.approx((1 - (y - top)) * upper + (y - top) * lower)


def test_a_bias_field_is_log_normal_with_the_levels_deviation() -> None:
    white = np.full((400, 64, 64), 60, np.uint8)
    after = corrupted(white, "brainfm-severe.bias-field", 3, np.arange(400))
    corner = np.log(after[:, 0, 0] / 60)  # beyond the outer points a field is as they are
    inside = corner[(after[:, 0, 0] > 0) & (after[:, 0, 0] < 255)]
    assert inside.std() == pytest.approx(0.35, rel=0.1)
    assert abs(inside.mean()) < 0.05


def test_gamma_is_about_300_and_goes_either_way() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (20, 4, 1))
    after = corrupted(ramp, "brainfm-severe.gamma", 5, np.arange(20))
    up, down = (300 * (np.arange(256) / 300) ** math.exp(sign * 0.3) for sign in (1, -1))
    brighter = after[:, 0, 100] > 100
    expected = np.where(brighter[:, None], down, up).clip(0, 255)
    assert abs(after[:, 0] - expected).max() <= 0.51
    assert 0 < brighter.sum() < 20


@pytest.mark.parametrize("factor", [2, 4])
def test_low_resolution_is_a_blur_fewer_pixels_and_a_line_through_them(factor: int) -> None:
    line = images(1, 1, 48)[0][5].astype(float)
    sigma = math.log(5) / math.pi * factor
    blurred = gaussian_filter1d(line, sigma, radius=math.ceil(3 * sigma), mode="nearest")
    centres = np.arange(48 // factor) * factor + (factor - 1) / 2
    coarse = np.interp(centres, np.arange(48), blurred)
    expected = np.interp(np.arange(48), centres, coarse)
    np.testing.assert_allclose(brainfm._thick(48, factor, sigma) @ line, expected, rtol=1e-5)


def test_mild_corruptions_lie_closer_than_severe_ones() -> None:
    clean = images(6, 1, 96)
    assert list(SETS["brainfm-mild"].general) == list(SETS["brainfm-severe"].general)
    for name in SETS["brainfm-mild"].general:
        mild, severe = (
            (
                (corrupted(clean, f"brainfm-{how}.{name}", 5, np.arange(6)) - clean.astype(float))
                ** 2
            )
            for how in ("mild", "severe")
        )
        assert mild.mean() < severe.mean()
