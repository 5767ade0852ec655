"""Convolutional building blocks that prior, hybrid encoder and decoder share."""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional


def conv_bn(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> Any:
    """Convolution without bias, padded to keep the size at stride 1, then batch norm."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    )


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear resizing of [B, C, H, W] without antialiasing; no-op at the right size."""
    if maps.shape[-2:] == size:
        return maps
    return functional.interpolate(maps, size=size, mode="bilinear", align_corners=False)
