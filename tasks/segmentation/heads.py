"""What is trained on a backbone's maps: the study's decoder, or a linear layer."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from omnibench.cell import Unit
from omnibench.data import Dataset
from omnibench.data.label_subset import Subset
from omnibench.encoders.maps import UnitMaps
from omnibench.errors import RequestError

from .decoder import Decoder, DetailedDecoder
from .hybrid import BASE, SMALL, HybridEncoder
from .prior import FusedPyramid
from .refusals import size_refusal
from .width import DEFAULT_WIDTH, decoder_width

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
HEAD_STD = 0.01
BLOCK = 64  # images that are read at a time

Shapes = Sequence[tuple[int, int, int]]  # (D, h, w) of each level, finest first


class MapCases(Protocol):
    """The cases of a task whose model is a head on maps."""

    @property
    def dataset(self) -> Dataset:
        """Return the dataset whose images are read."""
        ...

    @property
    def outputs(self) -> int:
        """Return how many numbers a pixel is given."""
        ...

    def of(self, subset: Subset) -> Self:
        """Return the cases with these images of the training and validation splits."""
        ...

    def count(self, split: str) -> int:
        """Return the number of images of a split."""
        ...


class Head(nn.Module):
    """What is trained on a backbone's maps: (pixels, maps) -> logits [B, C, h, w].

    Attributes:
        takes_pixels: whether it reads the prepared pixels, too.
    """

    takes_pixels: bool

    @classmethod
    def check(cls, unit: Unit) -> None:
        """Refuse a unit that the head cannot serve, before anything is computed.

        Raises:
            RequestError: saying what to change.
        """

    @classmethod
    def on_kept(
        cls, maps: UnitMaps, cases: MapCases, options: Mapping[str, Any]
    ) -> "Callable[[], Head]":
        """Return what draws a head on the kept maps of a frozen backbone."""
        raise NotImplementedError

    @classmethod
    def on_live(
        cls, shapes: Shapes, tokens: bool, outputs: int, options: Mapping[str, Any] = NO_OPTIONS
    ) -> "Head":
        """Draw a head on the maps that a backbone gives as it runs.

        Args:
            options: as of `on_kept`; none for the head as it is by default.
        """
        raise NotImplementedError


class UNet(Head):
    """Prior, hybrid encoder and decoder: logits at an eighth of the input size, or at all of it."""

    takes_pixels = True

    def __init__(
        self,
        shapes: Shapes,
        tokens: bool,
        outputs: int,
        prior: str = "trained",
        width: int | None = None,
        detail: bool = False,
    ) -> None:
        super().__init__()
        width = width or decoder_width(shapes[-1][0], tokens)
        scale = SMALL if width <= DEFAULT_WIDTH else BASE
        self.pyramid = FusedPyramid([shape[0] for shape in shapes], enlarged(tokens), width)
        self.encoder = HybridEncoder(width, scale)
        self.decoder = (DetailedDecoder if detail else Decoder)(width, outputs)
        self.pyramid.requires_grad_(prior == "trained")
        self.to(memory_format=torch.channels_last)  # bf16 convolutions are faster in it

    def forward(self, pixels: Tensor, maps: Sequence[Tensor]) -> Tensor:
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        return self.decoder.detailed(pixels, self.encoder(self.pyramid(pixels, maps)))

    @classmethod
    def check(cls, unit: Unit) -> None:
        """Refuse an input size that the decoder's strides do not divide.

        Raises:
            RequestError: with the nearest sizes that serve.
        """
        check_input_size(unit.recipe["input_size"])

    @classmethod
    def on_kept(
        cls, maps: UnitMaps, cases: MapCases, options: Mapping[str, Any]
    ) -> Callable[[], Head]:
        return lambda: cls.on_live(maps.shapes, maps.tokens, cases.outputs, options)

    @classmethod
    def on_live(
        cls, shapes: Shapes, tokens: bool, outputs: int, options: Mapping[str, Any] = NO_OPTIONS
    ) -> Head:
        own = {name: options[name] for name in ("prior", "width", "detail") if name in options}
        return cls(shapes, tokens, outputs, **own)


def enlarged(tokens: bool) -> tuple[int, int, int]:
    """Return by what the three maps are enlarged: a ViT's are all of one size."""
    return (4, 2, 1) if tokens else (1, 1, 1)


def check_input_size(size: int) -> None:
    """Refuse an input size that the decoder's strides do not divide.

    Raises:
        RequestError: with the nearest sizes that serve.
    """
    if refusal := size_refusal(size):
        raise RequestError(refusal)


class Linear(Head):
    """A 1x1 convolution on the last map, each channel standardised by its training statistics."""

    takes_pixels = False

    def __init__(self, mean: Tensor, std: Tensor, outputs: int) -> None:
        super().__init__()
        self.mean, self.std = nn.Buffer(mean.view(1, -1, 1, 1)), nn.Buffer(std.view(1, -1, 1, 1))
        self.classify = nn.Conv2d(len(mean), outputs, 1)
        nn.init.normal_(self.classify.weight, std=HEAD_STD)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor | None, maps: Sequence[Tensor]) -> Tensor:
        logits: Tensor = self.classify((maps[-1].float() - self.mean) / self.std)
        return logits

    @classmethod
    def on_kept(
        cls, maps: UnitMaps, cases: MapCases, options: Mapping[str, Any]
    ) -> Callable[[], Head]:
        mean, std = _moments(maps, cases.count("train"))
        return lambda: cls(mean, std, cases.outputs)

    @classmethod
    def on_live(
        cls, shapes: Shapes, tokens: bool, outputs: int, options: Mapping[str, Any] = NO_OPTIONS
    ) -> Head:
        """Draw one whose statistics are yet to be loaded."""
        width = shapes[-1][0]
        return cls(torch.zeros(width), torch.ones(width), outputs)


def _moments(maps: UnitMaps, count: int) -> tuple[Tensor, Tensor]:
    """Return mean and std [D] of the last map's channels over the training images."""
    width = maps.shapes[-1][0]
    total, squares, positions = torch.zeros(width).double(), torch.zeros(width).double(), 0
    for start in range(0, count, BLOCK):
        last = maps.read("train", np.arange(start, min(start + BLOCK, count)))[-1]
        values = last.permute(0, 2, 3, 1).reshape(-1, width).double()
        total += values.sum(dim=0)
        squares += values.square().sum(dim=0)
        positions += len(values)
    mean = total / positions
    std = (squares / positions - mean.square()).clamp(min=0).sqrt()
    std[std == 0] = 1.0  # a constant channel keeps its scale
    return mean.float(), std.float()
