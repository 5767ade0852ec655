"""The losses of maps, as sums over what counts."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional

Loss = Callable[..., Tensor]
LOSSES: Mapping[str, Loss] = {
    "l1": functional.l1_loss,
    "l2": functional.mse_loss,
    "huber": functional.huber_loss,
}


def pixel_loss(name: str, predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return the sum over valid pixels of the error of maps [B, H, W] or [B, H, W, C]."""
    return LOSSES[name](predicted[valid], truth[valid], reduction="sum")


def gradient_loss(predicted: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
    """Return the sum of the absolute error of differences of neighbours that are both valid.

    Source:
        BrainFM (arXiv 2509.00549): L1 of finite differences, along each axis.
    """
    known = valid[..., None] if truth.ndim > valid.ndim else valid
    error = predicted - torch.where(known, truth, predicted.detach())
    across = (error[:, :, 1:] - error[:, :, :-1])[valid[:, :, 1:] & valid[:, :, :-1]]
    down = (error[:, 1:] - error[:, :-1])[valid[:, 1:] & valid[:, :-1]]
    return across.abs().sum() + down.abs().sum()


def neighbours(valid: Tensor) -> int:
    """Return how many pairs of neighbours of masks [B, H, W] are both valid."""
    across = (valid[:, :, 1:] & valid[:, :, :-1]).sum()
    return int(across + (valid[:, 1:] & valid[:, :-1]).sum())
