"""The noise of a diffusion, what its network answers, and how that is sampled.

With a_t the signal's share of a noisy latent's variance, z_t = sqrt(a_t) z_0 + sqrt(1 - a_t) e.
"""

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 1000  # T
BETAS = (0.0015, 0.0205)  # of the first and the last step, as CoCoLIT


def signal_shares() -> Tensor:
    """Return a_t [T] of scaled-linear betas, whose square roots rise evenly."""
    first, last = BETAS
    betas = torch.linspace(first**0.5, last**0.5, STEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0).float()


def image_weights() -> Tensor:
    """Return the weights (T - t) / T [T] of the image-space loss: little where all is noise."""
    return (STEPS - torch.arange(STEPS)) / STEPS


def velocity(clean: Tensor, noise: Tensor, share: Tensor) -> Tensor:
    """Return v = sqrt(a) e - sqrt(1 - a) z_0, which the network learns (arXiv 2202.00512)."""
    return share.sqrt() * noise - (1 - share).sqrt() * clean


def clean_of(noisy: Tensor, speed: Tensor, share: Tensor) -> Tensor:
    """Return the estimate of z_0 from z_t and v."""
    return share.sqrt() * noisy - (1 - share).sqrt() * speed


def noise_of(noisy: Tensor, speed: Tensor, share: Tensor) -> Tensor:
    """Return the estimate of e from z_t and v."""
    return (1 - share).sqrt() * noisy + share.sqrt() * speed


def sample(network: Callable[[Tensor, int], Tensor], noise: Tensor, count: int) -> Tensor:
    """Return samples [B, ...] made of noise in `count` steps of DDIM (arXiv 2010.02502).

    Args:
        network: gives the velocity of noisy latents at a time.
    """
    shares = signal_shares().to(noise.device)
    times = torch.linspace(STEPS - 1, 0, count).round().long().tolist()
    latents = noise
    for time, later in zip(times, [*times[1:], None], strict=True):
        speed = network(latents, time)
        clean = clean_of(latents, speed, shares[time])
        if later is None:
            return clean
        remaining = noise_of(latents, speed, shares[time])
        latents = shares[later].sqrt() * clean + (1 - shares[later]).sqrt() * remaining
    raise ValueError("a sample takes a step or more")
