"""Images and volumes as rows of patches, and back (He et al. 2022, MAE), on any grid."""

import math

import torch
from torch import Tensor

EPSILON = 1e-6


def patchify(images: Tensor, patch: tuple[int, ...]) -> Tensor:
    """Cut [B, C, *sides] into patches, row by row: [B, N, prod(patch) * C], channels innermost.

    Args:
        patch: the sides of a patch, which divide those of the images.
    """
    axes = len(patch)
    counts = (side // own for side, own in zip(images.shape[2:], patch, strict=True))
    pairs = (size for count, own in zip(counts, patch, strict=True) for size in (count, own))
    split = images.reshape(*images.shape[:2], *pairs)
    grid, inner = range(2, 2 + 2 * axes, 2), range(3, 3 + 2 * axes, 2)
    return split.permute(0, *grid, *inner, 1).reshape(
        len(images), -1, math.prod(patch) * images.shape[1]
    )


def unpatchify(patches: Tensor, grid: tuple[int, ...], patch: tuple[int, ...]) -> Tensor:
    """Put patches [B, N, prod(patch) * C] together: [B, C, *sides]; undoes `patchify`.

    Args:
        grid: the number of patches on each axis.
    """
    axes = len(patch)
    split = patches.reshape(len(patches), *grid, *patch, -1)
    pairs = (axis for k in range(axes) for axis in (1 + k, 1 + axes + k))
    sides = (count * side for count, side in zip(grid, patch, strict=True))
    return split.permute(0, 1 + 2 * axes, *pairs).reshape(len(patches), split.shape[-1], *sides)


def normalised(patches: Tensor) -> Tensor:
    """Return patches [B, N, V] less their means, over their deviations (of V - 1)."""
    mean, scale = statistics(patches)
    return (patches - mean) / scale


def statistics(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of each patch, and sqrt(unbiased variance + 1e-6), [B, N, 1] each."""
    variance = patches.var(dim=-1, keepdim=True)
    return patches.mean(dim=-1, keepdim=True), (variance + EPSILON).sqrt()


def draw_noise(count: int, patches: int, generator: torch.Generator) -> Tensor:
    """Draw the uniform numbers by whose order patches are masked, [count, patches] on the CPU."""
    return torch.rand(count, patches, generator=generator)


def reconstruction_losses(predictions: Tensor, target: Tensor, masked: Tensor) -> Tensor:
    """Return each image's squared error, a mean over a patch and over its masked patches, [B].

    Args:
        predictions, target: [B, N, V]; masked: bool [B, N], at least one of each image.
    """
    errors = ((predictions.float() - target.float()) ** 2).mean(dim=-1)
    return (errors * masked).sum(dim=1) / masked.sum(dim=1)


def rows_at(tokens: Tensor, places: Tensor) -> Tensor:
    """Return tokens [B, K, D] at places [B, K] of [B, N, D]."""
    return tokens.gather(1, places[..., None].expand(-1, -1, tokens.shape[-1]))
