"""What is trained on a backbone's maps: the study's decoder, or a linear layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from omnibench.errors import RequestError

from .decoder import Decoder
from .hybrid import BASE, SMALL, HybridEncoder
from .prior import FusedPyramid
from .width import DEFAULT_WIDTH, decoder_width

LARGEST_STRIDE = 32
HEAD_STD = 0.01

Shapes = Sequence[tuple[int, int, int]]  # (D, h, w) of each level, finest first


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
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.decoder(self.encoder(self.pyramid(pixels, maps)))
        return logits


def check_input_size(size: int) -> None:
    """Refuse an input size that the decoder's strides do not divide.

    Raises:
        RequestError: with the nearest sizes that serve.
    """
    below = size // LARGEST_STRIDE * LARGEST_STRIDE
    if size != below:
        fitting = f"{below} or {below + LARGEST_STRIDE}" if below else str(LARGEST_STRIDE)
        raise RequestError(
            f"recipe.input_size {size} is not a multiple of {LARGEST_STRIDE}, the decoder's "
            f"largest stride; use {fitting}"
        )


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
