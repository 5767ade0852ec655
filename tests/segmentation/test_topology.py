"""Betti numbers against closed forms, gudhi's cubical complexes and a second route."""

from typing import Any

import gudhi
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.measure import euler_number

from omnibench.data.declaration import VOID
from omnibench.tasks.segmentation.topology import betti_errors, betti_numbers


def by_gudhi(mask: Any) -> tuple[int, ...]:
    """The union of closed pixels: cells of 0 are there from the start, those of 1 never count."""
    cells = gudhi.CubicalComplex(top_dimensional_cells=1.0 - np.pad(mask, 1))
    cells.compute_persistence()
    return tuple(cells.persistent_betti_numbers(0.5, 0.5)[: mask.ndim])


def disc(shape: tuple[int, ...], centre: tuple[int, ...], radius: float) -> Any:
    grid = np.indices(shape).reshape(len(shape), -1).T - np.array(centre)
    return (np.hypot.reduce(grid, axis=1) <= radius).reshape(shape)


def torus() -> Any:
    z, y, x = np.indices((9, 25, 25)) - np.array([4, 12, 12])[:, None, None, None]
    return (np.hypot(y, x) - 8) ** 2 + z**2 <= 9


ANNULUS = disc((21, 21), (10, 10), 8) & ~disc((21, 21), (10, 10), 4)
DISCS = disc((21, 21), (5, 5), 3) | disc((21, 21), (15, 15), 3)
BOX = np.ones((5, 5, 5), bool)
BOX[2, 2, 2] = False
CUT = torus()
CUT[:, 12, :12] = False
ACROSS = np.zeros((2, 2, 2), bool)
ACROSS[0, 0, 0] = ACROSS[1, 1, 1] = True
SIX = disc((3, 3, 3), (1, 1, 1), 1) & ~disc((3, 3, 3), (1, 1, 1), 0)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (ANNULUS, (1, 1)),
        (DISCS, (2, 0)),
        (np.zeros((4, 4), bool), (0, 0)),
        (np.ones((4, 4), bool), (1, 0)),
        (np.eye(5, dtype=bool), (1, 0)),  # joined through corners
        (np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool), (1, 1)),  # enclosed by corners
        (BOX, (1, 0, 1)),
        (torus(), (1, 1, 0)),
        (CUT, (1, 0, 0)),  # a gap of one voxel
        (ACROSS, (1, 0, 0)),  # joined through a corner
        (SIX, (1, 0, 1)),  # enclosed by voxels that share edges alone
        (np.zeros((3, 3, 3), bool), (0, 0, 0)),
    ],
)
def test_closed_forms(mask: Any, expected: tuple[int, ...]) -> None:
    assert betti_numbers(mask) == by_gudhi(mask) == expected


@pytest.mark.parametrize("shape", [(30, 40), (12, 14, 16)])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0])
def test_numbers_are_gudhis_and_eulers(shape: tuple[int, ...], sigma: float) -> None:
    for seed in range(4):
        field = np.random.default_rng(seed).standard_normal(shape)
        mask = gaussian_filter(field, sigma) > 0
        numbers = betti_numbers(mask)
        assert numbers == by_gudhi(mask)
        alternating = sum(n * (-1) ** d for d, n in enumerate(numbers))
        assert alternating == euler_number(np.pad(mask, 1), connectivity=mask.ndim)


def test_a_gap_of_one_pixel_in_a_ring_is_an_error_of_one_hole() -> None:
    ring = ANNULUS.astype(np.uint8)
    cut = ring.copy()
    cut[10, :10] = 0
    line = np.zeros((21, 21), np.uint8)
    line[10, 2:19] = 1
    broken = line.copy()
    broken[10, 10] = 0
    errors = betti_errors([cut, broken, ring], [ring, line, ring], 2)
    assert errors.tolist() == [[[0, 1]], [[1, 0]], [[0, 0]]]


def test_empty_masks_have_the_numbers_zero() -> None:
    empty = np.zeros((21, 21), np.uint8)
    ring = ANNULUS.astype(np.uint8)
    assert betti_errors([empty, empty], [ring, empty], 2).tolist() == [[[1, 1]], [[0, 0]]]


def test_void_pixels_are_of_no_class() -> None:
    truth = ANNULUS.astype(np.uint8)
    truth[:, :3] = VOID
    predicted = ANNULUS.astype(np.uint8)
    predicted[0, 0] = 1
    assert betti_errors([predicted], [truth], 2).tolist() == [[[0, 0]]]
