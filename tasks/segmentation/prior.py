"""The convolutional prior, and its fusion with a backbone's maps."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import conv_bn, resize

CHANNELS = (32, 64, 64)  # of the prior's maps at strides 8, 16, 32


class ConvolutionalPrior(nn.Module):
    """Local detail that patch tokens lack: maps at strides 8, 16 and 32 of the input image.

    Args:
        inputs: channels of what it sees.
    """

    def __init__(self, inputs: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(*conv_bn(inputs, 16, 3, 2), nn.GELU(), nn.MaxPool2d(3, 2, 1))
        self.stages = nn.ModuleList(
            [
                conv_bn(16, 32, 3, 2),
                nn.Sequential(nn.GELU(), *conv_bn(32, 64, 3, 2)),
                nn.Sequential(nn.GELU(), *conv_bn(64, 64, 3, 2)),
            ]
        )

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Maps [B, 32, H/8, W/8], [B, 64, H/16, W/16], [B, 64, H/32, W/32] of [B, I, H, W]."""
        maps = []
        current = self.stem(pixels)
        for stage in self.stages:
            current = stage(current)
            maps.append(current)
        return maps


class Fusion(nn.Module):
    """One level: backbone map and prior, concatenated, projected to the decoder's width, normed.

    A 1x1 convolution commutes with bilinear resizing, so both parts are projected at their own
    sizes and only their sum is formed at the fused one: the same result for a tenth of the work.
    """

    def __init__(self, channels: int, prior_channels: int, width: int) -> None:
        super().__init__()
        self.split = (channels, prior_channels)
        self.project = nn.Conv2d(channels + prior_channels, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(
        self, backbone: Tensor, prior: Tensor, fused: tuple[int, int], size: tuple[int, int]
    ) -> Tensor:
        """Return [B, width, *size]; the two maps meet, and are normed, at the size `fused`."""
        of_backbone, of_prior = torch.split(self.project.weight, list(self.split), dim=1)
        joint = resize(functional.conv2d(backbone, of_backbone), fused)
        joint = joint + resize(functional.conv2d(prior, of_prior), fused)
        return resize(self.norm(joint), size)


class FusedPyramid(nn.Module):
    """Backbone maps and prior as maps [B, width, ...] at strides 8, 16 and 32.

    The patch tokens of a ViT, all of one size h x w, are first enlarged to 4h, 2h and h; a CNN's
    maps stay at their strides.
    """

    def __init__(
        self, channels: Sequence[int], enlarge: Sequence[int], width: int, inputs: int = 3
    ) -> None:
        super().__init__()
        self.enlarge = tuple(enlarge)
        self.prior = ConvolutionalPrior(inputs)
        self.fusions = nn.ModuleList(
            Fusion(own, prior, width) for own, prior in zip(channels, CHANNELS, strict=True)
        )

    def forward(self, pixels: Tensor, maps: Sequence[Tensor]) -> list[Tensor]:
        """Return the pyramid, finest first.

        Args:
            pixels: [B, I, H, W], normalised; H and W multiples of 32.
            maps: three backbone maps [B, C, h, w], finest first.
        """
        height, width = pixels.shape[-2:]
        levels = zip(self.fusions, maps, self.prior(pixels), self.enlarge, strict=True)
        return [
            fusion(
                own,
                prior,
                (own.shape[-2] * factor, own.shape[-1] * factor),
                (height // stride, width // stride),
            )
            for (fusion, own, prior, factor), stride in zip(levels, (8, 16, 32), strict=True)
        ]
