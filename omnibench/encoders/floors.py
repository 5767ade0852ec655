"""Floors: modules without learnt weights that turn prepared pixels into one vector an image."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from omnibench.architecture.floors import (
    BINS,
    CONV_SIDE,
    FILTER_SIDE,
    FILTERS,
    ORIENTATIONS,
    PIXEL_SIDE,
)

# Normalised pixels that bins cover; those beyond count with the outermost.
SPAN = 3.0


class Pixels(nn.Module):
    """The image itself, averaged to 28 x 28 pixels of three channels."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn [B, 3, S, S] into [B, 2352]."""
        return functional.adaptive_avg_pool2d(pixels, PIXEL_SIDE).flatten(1)


class ImageStatistics(nn.Module):
    """What can be said of an image's grey levels and edges without where they are.

    Of each channel mean, deviation, skewness and kurtosis; of their mean the shares of pixels in 48
    equal bins of -3..3; of its Sobel gradient the length's mean and deviation, and the shares of
    length in 8 orientations of half a turn.
    """

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn [B, 3, S, S] into [B, 70]."""
        channels = pixels.float().flatten(2)
        grey = pixels.float().mean(1)
        parts = (_moments(channels), _shares_of_levels(grey), _edges(grey))
        return torch.cat(parts, 1).to(pixels.dtype)


class RandomConv(nn.Module):
    """One layer of random filters, rectified and averaged over the image's quarters.

    512 Gaussian filters of 7 x 7 pixels, each with mean 0 and length 1, two pixels apart on the
    image averaged to 56 x 56.

    Source:
        Coates, Ng & Lee 2011, An analysis of single-layer networks in unsupervised feature
        learning: its pooling over quarters; Saxe et al. 2011: that random filters do.
    """

    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        filters = torch.randn(FILTERS, 3 * FILTER_SIDE**2, dtype=torch.float64)
        filters = functional.normalize(filters - filters.mean(1, keepdim=True), dim=1)
        self.register_buffer("filters", filters.float().view(FILTERS, 3, FILTER_SIDE, FILTER_SIDE))

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn [B, 3, S, S] into [B, 2048]."""
        image = functional.adaptive_avg_pool2d(pixels, CONV_SIDE)
        answers = functional.conv2d(image, self.filters, stride=2, padding=FILTER_SIDE // 2)
        return functional.adaptive_avg_pool2d(answers.relu(), 2).flatten(1)


def _moments(values: Tensor) -> Tensor:
    """Return mean, deviation, skewness and kurtosis [B, 4 C] of values [B, C, N].

    Skewness and kurtosis of a constant are 0.
    """
    mean = values.mean(2, keepdim=True)
    deviation = values.std(2, correction=0, keepdim=True)
    score = (values - mean) / deviation.clamp_min(1e-6)
    powers = [(score**power).mean(2) for power in (3, 4)]
    return torch.cat([mean.squeeze(2), deviation.squeeze(2), *powers], 1)


def _shares_of_levels(grey: Tensor) -> Tensor:
    """Return the shares [B, 48] of pixels [B, S, S] in equal bins."""
    place = ((grey.flatten(1) + SPAN) * (BINS / (2 * SPAN))).long().clamp(0, BINS - 1)
    return functional.one_hot(place, BINS).float().mean(1)


def _edges(grey: Tensor) -> Tensor:
    """Return the gradient's mean length, its deviation, and shares of length by orientation."""
    sobel = grey.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]) / 8
    kernels = torch.stack([sobel, sobel.T])[:, None]
    image = functional.pad(grey[:, None], (1, 1, 1, 1), mode="replicate")
    across, down = functional.conv2d(image, kernels).flatten(2).unbind(1)
    length = torch.hypot(across, down)
    turn = torch.atan2(down, across) / torch.pi % 1
    place = (turn * ORIENTATIONS).long().clamp(0, ORIENTATIONS - 1)
    sums = length.new_zeros(len(grey), ORIENTATIONS).scatter_add_(1, place, length)
    shares = sums / sums.sum(1, keepdim=True).clamp_min(1e-6)
    spread = torch.stack([length.mean(1), length.std(1, correction=0)], 1)
    return torch.cat([spread, shares], 1)
