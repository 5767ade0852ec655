"""What is trained on a backbone's maps: the study's decoder, or a linear layer."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from omnibench.errors import RequestError

from .decoder import Decoder
from .hybrid import BASE, HEADS, SMALL, HybridEncoder
from .prior import FusedPyramid

# The width of the decoder where a ViT's own does not serve: the study's small model's.
DEFAULT_WIDTH, LARGEST_WIDTH = 384, 768
LARGEST_STRIDE = 32
HEAD_STD = 0.01

Shapes = Sequence[tuple[int, int, int]]  # (D, h, w) of each level, finest first


class Head(Protocol):
    """Logits [B, C, h, w] of prepared pixels [B, 3, S, S] and three maps.

    Attributes:
        takes_pixels: whether the pixels are looked at; None may stand for them where not.
    """

    takes_pixels: bool

    def __call__(self, pixels: Tensor | None, maps: Sequence[Tensor]) -> Tensor: ...


class UNetHead(nn.Module):
    """Prior, hybrid encoder and decoder: logits at an eighth of the input size."""

    takes_pixels = True

    def __init__(self, shapes: Shapes, tokens: bool, classes: int, prior: str) -> None:
        super().__init__()
        width = decoder_width(shapes[-1][0], tokens)
        scale = SMALL if width <= DEFAULT_WIDTH else BASE
        enlarge = (4, 2, 1) if tokens else (1, 1, 1)
        self.pyramid = FusedPyramid([shape[0] for shape in shapes], enlarge, width)
        self.encoder = HybridEncoder(width, scale)
        self.decoder = Decoder(width, classes)
        self.pyramid.requires_grad_(prior == "trained")
        self.to(memory_format=torch.channels_last)  # bf16 convolutions are faster in it

    def forward(self, pixels: Tensor, maps: Sequence[Tensor]) -> Tensor:
        side = pixels.shape[-1]
        if side % LARGEST_STRIDE:
            below = side // LARGEST_STRIDE * LARGEST_STRIDE
            raise RequestError(
                f"recipe.input_size {side} is not a multiple of {LARGEST_STRIDE}, the decoder's "
                f"largest stride; use {below or LARGEST_STRIDE} or {below + LARGEST_STRIDE}"
            )
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.decoder(self.encoder(self.pyramid(pixels, maps)))
        return logits


def decoder_width(width: int, tokens: bool) -> int:
    """The decoder's width D: a ViT's own up to 768 where the attention heads divide it, else 384.

    The study has 384 and 768 alone; a wider ViT is projected to 768, a CNN to 384.
    """
    if tokens and width > LARGEST_WIDTH:
        return LARGEST_WIDTH
    return width if tokens and width % (4 * HEADS) == 0 else DEFAULT_WIDTH


class LinearHead(nn.Module):
    """A 1x1 convolution on the last map, each channel standardised by its training statistics."""

    takes_pixels = False

    def __init__(self, mean: Tensor, std: Tensor, classes: int) -> None:
        super().__init__()
        self.mean, self.std = nn.Buffer(mean.view(1, -1, 1, 1)), nn.Buffer(std.view(1, -1, 1, 1))
        self.classify = nn.Conv2d(len(mean), classes, 1)
        nn.init.normal_(self.classify.weight, std=HEAD_STD)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor | None, maps: Sequence[Tensor]) -> Tensor:
        logits: Tensor = self.classify((maps[-1].float() - self.mean) / self.std)
        return logits
