"""Operators, line search, bank and solver, against matrices, scipy and closed forms."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from refine_lesions import BLOCK, SIDE, body
from refine_solver import (
    BANKED,
    CURVED,
    LEVELS,
    LONGEST,
    SHARES,
    SHORTEST,
    SUFFICIENT,
    TAU,
    Solver,
    bank_of,
    block_means,
    blurred_means,
    spread_out,
    start_of,
    wolfe_length,
)
from scipy.ndimage import gaussian_filter
from scipy.optimize import line_search
from torch import Tensor

from omnibench.tasks.dense.measures import projected

SMALL, PART = 8, 4


def matrix() -> NDArray[np.float64]:
    """Return the operator of block means of SMALL x SMALL maps, one basis map at a time."""
    basis = torch.eye(SMALL**2).view(-1, SMALL, SMALL)
    return block_means(basis, PART).flatten(1).T.double().numpy()


def test_spreading_out_is_the_pseudoinverse_of_block_means() -> None:
    inverse = np.linalg.pinv(matrix())
    means = torch.randn(3, 2, 2, generator=torch.Generator().manual_seed(0))
    expected = (means.flatten(1).double().numpy() @ inverse.T).reshape(3, SMALL, SMALL)
    np.testing.assert_allclose(spread_out(means, PART), expected, atol=1e-6)


def test_the_parts_of_an_error_are_those_that_the_pseudoinverse_tells_apart() -> None:
    random = np.random.default_rng(1)
    error, truth = random.standard_normal((2, SMALL, SMALL))
    a, flat = matrix(), error.ravel()
    seen = np.linalg.pinv(a) @ a @ flat
    lengths = [np.linalg.norm(x) for x in (a @ flat, a @ truth.ravel(), seen, flat - seen, truth)]
    np.testing.assert_allclose(projected(error, truth, PART), lengths, rtol=1e-6)
    own = spread_out(block_means(torch.from_numpy(error[None]), PART), PART).numpy()
    np.testing.assert_allclose(own.ravel(), seen, rtol=1e-6)


def test_the_mismatched_operator_blurs_as_scipy_does() -> None:
    maps = np.random.default_rng(2).random((1, SIDE, SIDE))
    smooth = gaussian_filter(maps[0], 1.0, truncate=3.0, mode="mirror")
    expected = smooth.reshape(8, BLOCK, 8, BLOCK).mean(axis=(1, 3))
    actual = blurred_means(torch.from_numpy(maps).float(), BLOCK)
    np.testing.assert_allclose(actual[0], expected, atol=1e-6)


class Curve:
    """f(x) = sum of cosh(c x) from a point along the steepest descent, scaled."""

    def __init__(self, scale: float) -> None:
        self.curvatures, self.place = np.array([1.0, 0.5, 2.0]), np.array([1.0, -2.0, 0.5])
        self.direction = -scale * self.gradient(self.place)

    def value(self, x: NDArray[np.float64]) -> float:
        return float(np.cosh(self.curvatures * x).sum())

    def gradient(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self.curvatures * np.sinh(self.curvatures * x))

    def along(self, length: float) -> tuple[float, float]:
        x = self.place + length * self.direction
        return self.value(x), float(self.gradient(x) @ self.direction)


@pytest.mark.parametrize("scale", [0.3, 0.8, 2.0])
def test_a_length_fulfils_what_that_of_scipy_fulfils(scale: float) -> None:
    curve = Curve(scale)
    value, slope = curve.along(0.0)
    own = wolfe_length(curve.along)
    other = line_search(
        curve.value, curve.gradient, curve.place, curve.direction, c1=SUFFICIENT, c2=CURVED
    )[0]
    for length in (own, other):
        there, slope_there = curve.along(length)
        assert there <= value + SUFFICIENT * length * slope
        assert slope_there >= CURVED * slope
    assert SHORTEST <= own <= LONGEST


@pytest.mark.parametrize("best", [0.15, 0.6, 1.4])
def test_a_length_on_a_parabola_lies_in_the_known_interval(best: float) -> None:
    """Of h/2 (s - best)^2 those from (1 - c2) best to 2 (1 - c1) best fulfil both conditions."""
    length = wolfe_length(lambda s: ((s - best) ** 2 / 2, s - best))
    assert (1 - CURVED) * best <= length <= 2 * (1 - SUFFICIENT) * best


def test_a_length_that_nothing_fulfils_stays_within_its_bounds() -> None:
    falling = wolfe_length(lambda s: (-s, -1.0))
    assert falling == pytest.approx(LONGEST, abs=1e-3)
    rising = wolfe_length(lambda s: (s, 1.0 if s else -1.0))
    assert rising == pytest.approx(SHORTEST, abs=2e-3)


def test_the_bank_has_means_of_blocks_of_levels_and_gives_the_nearest() -> None:
    runs = [[2.0 * level for level in range(LEVELS)][::-1], [0.0] * LEVELS]
    bank = bank_of(runs)
    expected = np.arange(LEVELS, dtype=float).reshape(-1, BANKED).mean(axis=1).repeat(BANKED)
    np.testing.assert_allclose(bank, expected)
    for level in (0, 8, 36):
        assert start_of(bank[level] ** (1 / TAU), bank) == level - level % BANKED


class Exact:
    """The denoiser of maps that are N(0, I): its velocity is 0 at every level."""

    def __call__(self, noisy: Tensor, levels: Tensor) -> Tensor:
        return torch.zeros_like(noisy)


def test_a_refined_map_fits_the_data_and_the_operator_decides_to_which() -> None:
    random = np.random.default_rng(3)
    truth = torch.from_numpy(body(random))[None]
    measured, given = block_means(truth, BLOCK), truth + 0.3
    noise = torch.from_numpy(random.standard_normal((1, SIDE, SIDE))).float()
    share, start = SHARES[8].float(), 8
    noisy = share.sqrt() * given + (1 - share).sqrt() * noise
    residuals = {}
    for name, means in (("same", block_means), ("mismatched", blurred_means)):
        solver = Solver(Exact(), means, BLOCK)
        refined, history = solver.run(measured, noisy, start, given)
        believed = (measured - solver.means(refined, BLOCK)).norm()
        assert len(history) == start + 1
        assert float(believed) == pytest.approx(min(history), rel=1e-4)
        residuals[name] = float((measured - block_means(refined, BLOCK)).norm())
    before = float((measured - block_means(given, BLOCK)).norm())
    assert residuals["same"] < 0.2 * before
    assert residuals["same"] < residuals["mismatched"]


def test_a_step_of_length_one_makes_the_residual_of_block_means_zero() -> None:
    """Where the clean map is the noisy one itself: |y - A (x - g)| = 0 for g = A+ (A x - y)."""

    def denoiser(noisy: Tensor, levels: Tensor) -> Tensor:
        share = SHARES[levels].float()
        return (share.sqrt() - 1) / (1 - share).sqrt() * noisy

    solver = Solver(denoiser, block_means, BLOCK)
    noisy = torch.randn(1, SIDE, SIDE, generator=torch.Generator().manual_seed(4))
    measured = torch.zeros(1, SIDE // BLOCK, SIDE // BLOCK)
    clean, loss, gradient = solver.step(noisy, 0, measured)
    torch.testing.assert_close(clean, noisy, atol=1e-5, rtol=1e-5)
    assert loss == pytest.approx(BLOCK**2 * float(block_means(noisy, BLOCK).square().sum()) / 2)
    assert float(block_means(noisy - gradient, BLOCK).norm()) < 1e-5
