"""Diffusion posterior sampling from a given image on, after DynamicDPS (arXiv 2503.01075).

A noisy map is x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e; a denoiser gives v = sqrt(a) e - sqrt(1 - a)
x_0 (arXiv 2202.00512).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 40  # of noise
SEARCHED, BANKED = 5, 4  # every so many steps the length is searched, and losses are averaged
SUFFICIENT, CURVED = 1e-3, 0.8  # Wolfe's c1 and c2
SHORTEST, LONGEST, TRIES = 0.1, 1.5, 10
TAU = 0.4  # power of the residual that is looked up
SIGMA = 1.0  # pixels of the mismatched operator's blur


def signal_shares() -> Tensor:
    """Return a_t [LEVELS], of 1000 scaled-linear betas those at even distances."""
    betas = torch.linspace(0.0015**0.5, 0.0205**0.5, 1000, dtype=torch.float64) ** 2
    shares = torch.cumprod(1 - betas, dim=0)
    return shares[torch.linspace(0, 999, LEVELS).round().long()].float()


def block_means(maps: Tensor, block: int) -> Tensor:
    """Return the means [B, h, w] of the blocks of maps [B, H, W]."""
    return functional.avg_pool2d(maps[:, None], block)[:, 0]


def spread_out(means: Tensor, block: int) -> Tensor:
    """Return maps whose blocks are their means: the pseudoinverse of `block_means`."""
    return means.repeat_interleave(block, dim=1).repeat_interleave(block, dim=2)


def blurred(maps: Tensor) -> Tensor:
    """Return maps [B, H, W] under a Gaussian of SIGMA; what is beyond an edge mirrors it."""
    places = torch.arange(-3, 4, device=maps.device)
    kernel = torch.exp(-places.square() / (2 * SIGMA**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(maps[:, None], (3, 3, 3, 3), mode="reflect")
    across = functional.conv2d(padded, kernel.view(1, 1, 1, -1))
    return functional.conv2d(across, kernel.view(1, 1, -1, 1))[:, 0]


def wolfe_length(
    along: Callable[[float], tuple[float, float]], value: float, slope: float
) -> float:
    """Return a length between SHORTEST and LONGEST that fulfils Wolfe's two conditions.

    Args:
        along: gives value and slope after a length; value, slope: those at 0.

    Returns:
        The last of TRIES lengths where none does.
    """
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
    """Makes maps fit what was measured of them.

    Attributes:
        denoiser: gives v [1, H, W] of a noisy map at a level.
        operator: A, what is measured of maps, as the solver believes.
        block: side of the blocks that are measured.
    """

    denoiser: Callable[[Tensor, int], Tensor]
    operator: Callable[[Tensor], Tensor]
    block: int

    def run(
        self, measured: Tensor, noisy: Tensor, start: int, guess: Tensor | None = None
    ) -> tuple[Tensor, list[float]]:
        """Return the clean map [1, H, W] of the least residual, and the residual of each level.

        Args:
            noisy: at the level `start`.
            guess: with which clean maps are blended, less and less; None for not at all.
        """
        shares, length = signal_shares().to(noisy.device), 1.0
        best, least, residuals = noisy, float("inf"), []
        for level in range(start, -1, -1):
            clean, loss, gradient = self.step(noisy, level, measured)
            residuals.append((2 * loss) ** 0.5 / self.block)
            if loss < least:
                best, least = clean, loss
            if (start - level) % SEARCHED == 0:
                length = self.searched(noisy, level, measured, loss, gradient)
            if level == 0:
                break
            share, later = shares[level], shares[level - 1]
            if guess is not None:
                clean = torch.lerp(clean, guess, level / start)
            noise = (noisy - share.sqrt() * clean) / (1 - share).sqrt()
            noisy = later.sqrt() * clean + (1 - later).sqrt() * noise - length * gradient
        return best, residuals

    def step(self, noisy: Tensor, level: int, measured: Tensor) -> tuple[Tensor, float, Tensor]:
        """Return the clean map, its loss, and the loss's gradient at the noisy map.

        The loss is half the square of block |y - A x_0|: of block means, whose A A^T is 1 /
        block^2, a step of length 1 in x_0 makes it 0.
        """
        share = signal_shares()[level].to(noisy.device)
        with torch.enable_grad():
            variable = noisy.detach().requires_grad_()
            speed = self.denoiser(variable, level)
            clean = share.sqrt() * variable - (1 - share).sqrt() * speed
            missing = measured - self.operator(clean)
            loss = self.block**2 * missing.square().sum() / 2
            (gradient,) = torch.autograd.grad(loss, variable)
        return clean.detach(), float(loss.detach()), gradient

    def searched(
        self, noisy: Tensor, level: int, measured: Tensor, loss: float, gradient: Tensor
    ) -> float:
        """Return the length of a step against the gradient."""

        def along(length: float) -> tuple[float, float]:
            _, there, turned = self.step(noisy - length * gradient, level, measured)
            return there, -float((turned * gradient).sum())

        return wolfe_length(along, loss, -float(gradient.square().sum()))


def bank_of(runs: Sequence[Sequence[float]]) -> list[float]:
    """Return the mean residual of each level, averaged in blocks of BANKED levels.

    Args:
        runs: residuals from the noisiest level on, one run for each image.
    """
    means = torch.tensor(runs, dtype=torch.float64).mean(dim=0).flip(0)
    return [float(part.mean()) for part in means.split(BANKED) for _ in part]


def start_of(residual: float, bank: Sequence[float]) -> int:
    """Return the level whose banked loss is nearest to a residual's power TAU."""
    return min(range(len(bank)), key=lambda level: abs(bank[level] - residual**TAU))
