"""What an embedding is made of: the class token, the mean of the patch tokens, or both."""

import torch
from torch import Tensor
from torch.nn import functional

EPSILON = 1e-6  # of a ViT's norms
# What an embedding is, in words.
POOLS = {
    "cls": "class token",
    "mean": "mean of the patch tokens",
    "cls+mean": "class token and mean of the patch tokens, side by side",
}


def pooled(prefix: Tensor, patches: Tensor, pool: str) -> Tensor:
    """Return [B, D], or [B, 2 D] of `cls+mean`, the class token first.

    Args:
        prefix: [B, P, D], the class token first.
        patches: [B, *grid, D].
        pool: `cls`, `mean` or `cls+mean`.

    Raises:
        ValueError: another one.
    """
    if pool == "cls":
        return prefix[:, 0]
    axes = tuple(range(1, patches.ndim - 1))
    mean = patches.float().mean(dim=axes).to(patches.dtype)
    if pool == "mean":
        return mean
    if pool == "cls+mean":
        return torch.cat([prefix[:, 0], mean], dim=1)
    raise ValueError(f"an embedding is pooled by cls, mean or cls+mean, not by '{pool}'")


def standardised(embeddings: Tensor) -> Tensor:
    """Return embeddings [B, D] less their means, over their deviations: a norm without weights."""
    return functional.layer_norm(embeddings.float(), embeddings.shape[1:], eps=EPSILON).to(
        embeddings.dtype
    )
