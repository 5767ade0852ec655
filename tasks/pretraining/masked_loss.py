"""What a masked autoencoder restores, and its error (He et al. 2022, arXiv:2111.06377)."""

from torch import Tensor

EPSILON = 1e-6


def patch_values(images: Tensor, patch: int) -> Tensor:
    """Cut grey images [..., S, S] into patches row by row, [..., N, p * p]."""
    side = images.shape[-1] // patch
    split = images.unflatten(-1, (side, patch)).unflatten(-3, (side, patch))
    patches: Tensor = split.transpose(-3, -2).flatten(-2).flatten(-3, -2)
    return patches


def normalised(patches: Tensor) -> Tensor:
    """Return patches [..., V] less their means, over sqrt(unbiased variance + 1e-6)."""
    variance = patches.var(dim=-1, keepdim=True)
    return (patches - patches.mean(dim=-1, keepdim=True)) / (variance + EPSILON).sqrt()


def masked_errors(predictions: Tensor, targets: Tensor, masked: Tensor) -> Tensor:
    """Return each case's squared error, a mean over a patch and over its masked patches, [B].

    Args:
        predictions, targets: [B, N, V]; masked: bool [B, N], at least one of each case.
    """
    errors = ((predictions.float() - targets.float()) ** 2).mean(dim=-1)
    return (errors * masked).sum(dim=1) / masked.sum(dim=1)
