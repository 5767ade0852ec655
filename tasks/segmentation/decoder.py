"""The U-shaped decoder (Ronneberger et al. 2015): from the coarsest map up to stride 8, or to 1."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .layers import conv_bn, resize
from .width import DETAIL


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
        logits: Tensor = self.classify(self.features(maps))
        return logits

    def detailed(self, pixels: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return the logits of maps, to which the pixels add nothing here."""
        logits: Tensor = self(maps)
        return logits

    def features(self, maps: Sequence[Tensor]) -> Tensor:
        """Return [B, D, H/8, W/8], what the logits are made from."""
        fine, middle, coarse = (
            project(own) for project, own in zip(self.project, maps, strict=True)
        )
        current: Tensor = coarse
        for step, finer in zip(self.steps, (middle, fine), strict=True):
            enlarged = resize(current, finer.shape[-2:])
            current = step(torch.cat([enlarged, finer], dim=1))
        return current


class DetailedDecoder(Decoder):
    """The decoder, and three steps more: to logits at the pixels' own size.

    Each step doubles what came from below and convolves it with a map of the pixels at its size,
    as ViTMatte's detail capture does (Yao et al. 2024, arXiv:2305.15272).
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, classes)
        full, half, quarter = DETAIL
        self.stem = nn.ModuleList(
            nn.Sequential(*conv_bn(inputs, own, 3, stride), nn.ReLU())
            for inputs, own, stride in ((3, full, 1), (full, half, 2), (half, quarter, 2))
        )
        self.finer = nn.ModuleList(
            nn.Sequential(*conv_bn(below + own, own, 3), nn.ReLU())
            for below, own in ((width, quarter), (quarter, half), (half, full))
        )
        self.classify = nn.Conv2d(full, classes, 1)

    def detailed(self, pixels: Tensor, maps: Sequence[Tensor]) -> Tensor:
        """Return logits [B, C, H, W] of pixels [B, 3, H, W] and maps at strides 8, 16 and 32."""
        details: list[Tensor] = []
        for stage in self.stem:
            details.append(stage(details[-1] if details else pixels))
        current = self.features(maps)
        for step, detail in zip(self.finer, reversed(details), strict=True):
            current = step(
                torch.cat([resize(current, (detail.shape[-2], detail.shape[-1])), detail], dim=1)
            )
        logits: Tensor = self.classify(current)
        return logits
