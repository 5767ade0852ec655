"""What a loss on pixels needs: patch tokens with the embedding, a decoder of stacks, the loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from omnibench.data.declaration import VOID
from omnibench.encoders import TrainableEncoder

WIDTH = 32  # of the decoder
SMOOTH = 1.0  # of Dice, so that a class that is nowhere costs nothing where none is seen


def embed_with_patches(encoder: TrainableEncoder, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the embeddings [n, D] and patch tokens [n, h, w, D] of uint8 images.

    Of one forward where the encoder tells how it pools, else of two.
    """
    prefix, patches = encoder.tokens(images)
    pool = getattr(encoder, "pool", None)
    if pool == "cls":
        return prefix[:, 0], patches
    if pool == "mean":
        return patches.float().mean(dim=(1, 2)), patches
    return encoder.pooled(encoder.preprocess(images)), patches


class TokenDecoder(nn.Module):
    """A light decoder of the patch tokens of a stack of slices; for training alone.

    Args:
        width: D of the tokens.
        classes: C, without the background.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(width, WIDTH, 1),
            nn.GELU(),
            nn.Conv3d(WIDTH, WIDTH, 3, padding=1),
            nn.GELU(),
            nn.Conv3d(WIDTH, classes, 3, padding=1),
        )

    def forward(self, patches: Tensor) -> Tensor:
        """Return logits [C, T, h, w] of tokens [T, h, w, D]."""
        logits: Tensor = self.layers(patches.permute(3, 0, 1, 2)[None])[0]
        return logits


def pixel_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """Return binary cross-entropy and soft Dice loss, each the mean over the classes of a stack.

    Args:
        logits: [C, T, h, w] of each class but the background; enlarged in the plane to the masks.
        masks: uint8 [T, H, W] of class indices; what is VOID takes no part.
    """
    size = masks.shape[1:]
    logits = functional.interpolate(
        logits.float().transpose(0, 1), size=size, mode="bilinear", align_corners=False
    )
    known = (masks != VOID)[:, None]
    classes = torch.arange(1, logits.shape[1] + 1, device=masks.device)
    truth = (masks[:, None] == classes[:, None, None]).float()
    entropy = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    shares, axes = logits.sigmoid() * known, (0, 2, 3)
    overlap = (shares * truth).sum(axes)
    dice = (2 * overlap + SMOOTH) / (shares.sum(axes) + truth.sum(axes) + SMOOTH)
    pixels = known.sum().clamp(min=1)
    return ((entropy * known).sum(axes) / pixels).mean() + (1 - dice).mean()
