"""The U-shaped decoder (Ronneberger et al. 2015): from the coarsest map up to stride 8."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers import conv_bn, resize


class Decoder(nn.Module):
    """Three maps of one width, finest first, to logits at the finest one's size."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.project = nn.ModuleList(nn.Conv2d(width, width, 1, bias=False) for _ in range(3))
        self.steps = nn.ModuleList(
            nn.Sequential(
                *conv_bn(2 * width, width, 3),
                nn.ReLU(),
                *conv_bn(width, width, 3),
                nn.ReLU(),
            )
            for _ in range(2)
        )
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Logits [B, C, H/8, W/8] of maps at strides 8, 16 and 32."""
        fine, middle, coarse = (
            project(own) for project, own in zip(self.project, maps, strict=True)
        )
        current = coarse
        for step, finer in zip(self.steps, (middle, fine), strict=True):
            enlarged = resize(current, finer.shape[-2:])
            current = step(torch.cat([enlarged, finer], dim=1))
        logits: Tensor = self.classify(current)
        return logits
