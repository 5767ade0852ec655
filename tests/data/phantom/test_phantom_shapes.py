"""Shapes against closed forms, and the grid's windows against drawing everywhere."""

import math

import numpy as np
import pytest

from omnibench.data.phantom.grid import Grid, pixels
from omnibench.data.phantom.shapes import Below, Blob, Both, Either, Shape, Shell, wave

RNG = np.random.default_rng(0)
SPIKED = Blob(0.1, -0.2, 0.2, 0.25, 0.4, ((3, 0.1, 1.0),), ((0.9, 0.3), (0.4, 2.0)))
SHAPES = [
    Blob(0.3, 0.1, 0.4, 0.2, 0.7),
    Blob(-0.2, 0.1, 0.5, 0.1, -0.5),
    SPIKED,
    Shell(Blob(0.0, 0.0, 0.5, 0.4), 0.1),
    Both(Blob(0.3, 0.0, 0.4, 0.4), Blob(-0.1, 0.0, 0.4, 0.3)),
    Either(Blob(0.5, 0.0, 0.2, 0.2), Blob(-0.3, 0.0, 0.1, 0.3)),
    Both(Below(0.2, bend=0.3), Blob(0.0, 0.0, 0.8, 0.8)),
]


def test_depth_of_a_circle_is_the_distance_to_it() -> None:
    x, y = RNG.uniform(-1, 1, (2, 50))
    depth = Blob(0.2, -0.1, 0.3, 0.3).depth(x, y)
    assert depth == pytest.approx(0.3 - np.hypot(x - 0.2, y + 0.1), abs=1e-6)


@pytest.mark.parametrize("angle", [0.0, 0.8])
def test_area_of_an_ellipse(angle: float) -> None:
    grid = Grid(*pixels(400), 2 / 400)
    _, depth = grid.depth(Blob(0.05, 0.1, 0.6, 0.12, angle))
    area = np.clip(depth / grid.pixel + 0.5, 0, 1).sum() * grid.pixel**2
    assert area == pytest.approx(math.pi * 0.6 * 0.12, rel=0.01)


@pytest.mark.parametrize("k", [1, 2, 5, 23])
def test_wave_is_the_cosine(k: int) -> None:
    turn = RNG.uniform(0, math.tau, 40)
    values = wave(np.cos(turn), np.sin(turn), k, 0.3)
    assert values == pytest.approx(np.cos(k * turn + 0.3), abs=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: type(shape).__name__)
def test_windows_leave_nothing_out(shape: Shape) -> None:
    """448 pixels, so that a large window is drawn in several strips."""
    x, y = np.broadcast_arrays(*pixels(448))
    everywhere = shape.depth(x, y)
    grid = Grid(x, y, 2 / 448)
    window, depth = grid.depth(shape)
    assert np.array_equal(depth, everywhere[window])
    outside = np.ones(x.shape, bool)
    outside[window] = False
    assert everywhere[outside].max(initial=-1) <= -grid.pixel / 2


def test_a_shape_beyond_the_grid_has_an_empty_window() -> None:
    window, depth = Grid(*pixels(32), 2 / 32).depth(Blob(5.0, 0.0, 0.1, 0.1))
    assert depth.size == 0
    assert np.zeros((32, 32))[window].size == 0
