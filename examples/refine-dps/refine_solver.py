"""Diffusion posterior sampling from a given map on, after DynamicDPS (arXiv 2503.01075)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 40  # of noise
SEARCHED, BANKED = 5, 4  # every so many steps the length is searched, and losses are averaged
SUFFICIENT, CURVED = 1e-3, 0.8  # Wolfe's c1 and c2
SHORTEST, LONGEST, TRIES = 0.1, 1.5, 10
TAU = 0.4  # power of the residual that is looked up
BETAS = torch.linspace(0.0015**0.5, 0.0205**0.5, 1000, dtype=torch.float64) ** 2
SHARES = torch.cumprod(1 - BETAS, dim=0)[torch.linspace(0, 999, LEVELS).round().long()]  # a_t


def block_means(maps: Tensor, block: int) -> Tensor:
    """Return the means [B, h, w] of the blocks of maps [B, H, W]."""
    return functional.avg_pool2d(maps[:, None], block)[:, 0]


def spread_out(means: Tensor, block: int) -> Tensor:
    """Return maps whose blocks are their means: the pseudoinverse of `block_means`."""
    return means.repeat_interleave(block, dim=1).repeat_interleave(block, dim=2)


def blurred_means(maps: Tensor, block: int) -> Tensor:
    """Return the same of maps under a Gaussian of 1 px; what is beyond an edge mirrors it."""
    kernel = torch.softmax(-torch.arange(-3.0, 4.0, device=maps.device).square() / 2, dim=0)
    padded = functional.pad(maps[:, None], (3, 3, 3, 3), mode="reflect")
    across = functional.conv2d(padded, kernel.view(1, 1, 1, -1))
    return block_means(functional.conv2d(across, kernel.view(1, 1, -1, 1))[:, 0], block)


def wolfe_length(along: Callable[[float], tuple[float, float]]) -> float:
    """Return a length between SHORTEST and LONGEST that fulfils Wolfe's two conditions.

    `along` gives value and slope after a length; of TRIES that do not fulfil them the last counts.
    """
    value, slope = along(0.0)
    low, high, length = SHORTEST, LONGEST, 1.0
    for _ in range(TRIES):
        there, slope_there = along(length)
        if there > value + SUFFICIENT * length * slope:
            high = length
        elif slope_there < CURVED * slope:
            low = length
        else:
            break
        length = (low + high) / 2
    return length


@dataclass(frozen=True)
class Solver:
    """Makes maps fit what was measured of them."""

    denoiser: Callable[[Tensor, Tensor], Tensor]  # v = sqrt(a) e - sqrt(1 - a) x_0 of map and level
    means: Callable[[Tensor, int], Tensor]  # A of maps and a block's side, as the solver believes
    block: int

    def run(
        self, measured: Tensor, noisy: Tensor, start: int, guess: Tensor | None = None
    ) -> tuple[Tensor, list[float]]:
        """Return the clean map of least |y - A x_0|, and that of each level; a guess fades out."""
        best, least, length, residuals = noisy, float("inf"), 1.0, []
        for level in range(start, -1, -1):
            clean, loss, gradient = self.step(noisy, level, measured)
            residuals.append((2 * loss) ** 0.5 / self.block)
            best, least = (clean, loss) if loss < least else (best, least)
            if level == 0:
                break
            if (start - level) % SEARCHED == 0:
                length = wolfe_length(partial(self.along, noisy, level, measured, gradient))
            share, later = float(SHARES[level]), float(SHARES[level - 1])
            if guess is not None:
                clean = torch.lerp(clean, guess, level / start)
            noise = (noisy - share**0.5 * clean) / (1 - share) ** 0.5
            noisy = later**0.5 * clean + (1 - later) ** 0.5 * noise - length * gradient
        return best, residuals

    def step(self, noisy: Tensor, level: int, measured: Tensor) -> tuple[Tensor, float, Tensor]:
        """Return the clean map, its loss, and the loss's gradient at the noisy map.

        The loss is block^2 |y - A x_0|^2 / 2: a step of length 1 in x_0 makes it 0 for block means.
        """
        share = float(SHARES[level])
        with torch.enable_grad():
            variable = noisy.detach().requires_grad_()
            speed = self.denoiser(variable, torch.tensor([level], device=noisy.device))
            clean = share**0.5 * variable - (1 - share) ** 0.5 * speed
            loss = self.block**2 * (measured - self.means(clean, self.block)).square().sum() / 2
            (gradient,) = torch.autograd.grad(loss, variable)
        return clean.detach(), float(loss.detach()), gradient

    def along(
        self, noisy: Tensor, level: int, measured: Tensor, gradient: Tensor, length: float
    ) -> tuple[float, float]:
        """Return loss and slope after a length against a gradient."""
        _, loss, turned = self.step(noisy - length * gradient, level, measured)
        return loss, -float((turned * gradient).sum())


def bank_of(runs: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean residual of each level over runs, from noise on, in blocks of BANKED."""
    means = torch.tensor(runs, dtype=torch.float64).mean(dim=0).flip(0)
    return [float(part.mean()) for part in means.split(BANKED) for _ in part]


def start_of(residual: float, bank: Sequence[float]) -> int:
    """Return the level whose banked loss is nearest to a residual's power TAU."""
    return min(range(len(bank)), key=lambda level: abs(bank[level] - residual**TAU))
