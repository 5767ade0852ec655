"""Simulated clicks against the published rule in scipy, and against every pair of pixels."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from omnibench.tasks.interactive.simulators import SIMULATORS, Click, component_centre, edt
from tests.interactive.conftest import Bits

SIDE = 12


def brute_force(errors: Bits) -> NDArray[np.float64]:
    """Distance of each error pixel to the nearest other pixel, beyond the image too."""
    padded = np.pad(errors, 1)
    others = np.argwhere(~padded)
    distances = np.zeros(errors.shape)
    for row, column in np.argwhere(errors):
        distances[row, column] = np.hypot(*(others - (row + 1, column + 1)).T).min()
    return distances


def published(missed: Bits, extra: Bits, clicked: Bits) -> Click | None:
    """The rule of RITM's `Clicker`, with the stop where no error is left."""
    fn, fp = (
        ndimage.distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1] * ~clicked
        for part in (missed, extra)
    )
    positive = fn.max() > fp.max()
    chosen = fn if positive else fp
    if chosen.max() == 0:
        return None
    row, column = (places[0] for places in np.where(chosen == chosen.max()))
    return Click(int(row), int(column), 1 if positive else -1)


def random_errors(seed: int, side: int = SIDE) -> tuple[Bits, Bits, Bits]:
    random = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(random.normal(size=(2, side, side)), (0, 1, 1))
    truth, mask = smooth > 0
    return truth & ~mask, mask & ~truth, random.random((side, side)) < 0.1


@pytest.mark.parametrize("seed", range(25))
def test_edt_is_the_published_rule(seed: int) -> None:
    missed, extra, clicked = random_errors(seed)
    assert edt(missed, extra, clicked) == published(missed, extra, clicked)


@pytest.mark.parametrize("seed", range(25))
def test_edt_clicks_the_deepest_error_of_all(seed: int) -> None:
    missed, extra, clicked = random_errors(seed)
    fn, fp = (brute_force(part) * ~clicked for part in (missed, extra))
    click = edt(missed, extra, clicked)
    assert click is not None
    assert click.sign == (1 if fn.max() > fp.max() else -1)
    depths = fn if click.sign > 0 else fp
    row, column = divmod(int(depths.argmax()), depths.shape[1])
    assert (click.row, click.column) == (row, column)


@pytest.mark.parametrize("seed", range(25))
def test_component_centre_clicks_the_deepest_pixel_of_the_largest_region(seed: int) -> None:
    missed, extra, clicked = random_errors(seed)
    regions = []  # (pixels, sign, place in raster order, region)
    for sign, errors in ((1, missed), (-1, extra)):
        left = {(int(r), int(c)) for r, c in np.argwhere(errors)}
        while left:
            first = min(left)
            region, front = {first}, [first]
            while front:
                r, c = front.pop()
                near = {(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left - region
                region |= near
                front += near
            left -= region
            free = sum(not clicked[pixel] for pixel in region)
            regions.append((free, sign, first, region))
    # Equal sizes: the negative one, then the first in raster order.
    _, sign, _, region = min(regions, key=lambda entry: (-entry[0], entry[1], entry[2]))
    errors = np.zeros_like(missed)
    errors[tuple(np.array(sorted(region)).T)] = True
    depths = brute_force(errors) * ~clicked
    row, column = np.unravel_index(depths.argmax(), depths.shape)
    assert component_centre(missed, extra, clicked) == Click(int(row), int(column), sign)


def test_the_two_rules_differ_where_the_largest_region_is_not_the_deepest() -> None:
    missed = np.zeros((SIDE, SIDE), np.bool_)
    missed[0:2, :] = True  # 24 pixels, 1 deep
    missed[4:9, 4:8] = True  # 20 pixels, 2 deep
    nothing = np.zeros_like(missed)
    assert edt(missed, nothing, nothing) == Click(5, 5, 1)
    assert component_centre(missed, nothing, nothing) == Click(0, 0, 1)


@pytest.mark.parametrize("simulate", SIMULATORS.values())
def test_a_tie_is_a_negative_click(simulate: object) -> None:
    missed, extra = np.zeros((2, SIDE, SIDE), np.bool_)
    missed[1:4, 1:4] = extra[7:10, 7:10] = True
    assert callable(simulate)
    assert simulate(missed, extra, np.zeros_like(missed)) == Click(8, 8, -1)


@pytest.mark.parametrize("simulate", SIMULATORS.values())
def test_no_click_is_made_where_no_error_is_left(simulate: object) -> None:
    nothing, pixel = np.zeros((2, SIDE, SIDE), np.bool_)
    pixel[0, 11] = True
    assert callable(simulate)
    assert simulate(nothing, nothing, nothing) is None
    assert simulate(pixel, nothing, nothing) == Click(0, 11, 1)  # one pixel, at the border
    assert simulate(pixel, nothing, pixel) is None  # clicked already
    everything = ~nothing
    assert simulate(everything, nothing, nothing) == Click(5, 5, 1)  # beyond the image is no error
