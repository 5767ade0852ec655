"""A backbone's maps and a head on them: pixels in, logits out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from omnibench.adapt.trainable import Trainable
from omnibench.data import Dataset
from omnibench.encoders import MapEncoder
from omnibench.encoders.maps import UnitMaps
from omnibench.encoders.preprocess import Preprocess

from .heads import Head

Rows = NDArray[np.int64]


class Maps(Protocol):
    """Gives the three maps of a split's images, or of their prepared pixels."""

    def __call__(self, split: str, rows: Rows, pixels: Tensor | None) -> Sequence[Tensor]: ...


class Segmenter(nn.Module):
    """A head on the maps of a backbone that is frozen (its maps are kept) or trained with it.

    Args:
        dataset: whose images are read.
        head: logits of pixels and maps; with `takes_pixels`.
        prepare: resizes and normalises images.
        maps: where the maps come from.
        trainable: the backbone that `maps` trains; None where it is frozen.
    """

    def __init__(
        self,
        dataset: Dataset,
        head: Head,
        prepare: Preprocess,
        maps: Maps,
        trainable: Trainable | None = None,
    ) -> None:
        super().__init__()
        self.dataset, self.prepare, self.maps = dataset, prepare, maps
        self.head, self.trainable = head, trainable
        self.backbone = None if trainable is None else trainable.module
        self.takes_pixels = head.takes_pixels or trainable is not None

    def forward(self, split: str, rows: Rows) -> Tensor:
        """Logits [B, C, h, w] of a split's images, at the head's own size."""
        pixels = self.pixels(split, rows) if self.takes_pixels else None
        logits: Tensor = self.head(pixels, self.maps(split, rows, pixels))
        return logits

    def set_training(self) -> None:
        """Put what is trained into training mode and what is frozen into evaluation mode."""
        self.head.train()
        if self.trainable is not None:
            self.trainable.train()

    def pixels(self, split: str, rows: Rows) -> Tensor:
        """Prepared pixels [B, 3, S, S]."""
        images = self.dataset.splits[split].images.read_rows(rows)
        return self.prepare(torch.from_numpy(np.ascontiguousarray(images)))


def kept(unit_maps: UnitMaps, device: str) -> Maps:
    """The maps of a frozen backbone, computed before."""

    def read(split: str, rows: Rows, pixels: Tensor | None) -> Sequence[Tensor]:
        return [level.to(device, non_blocking=True) for level in unit_maps.read(split, rows)]

    return read


def live(encoder: MapEncoder, layers: Sequence[int]) -> Maps:
    """The maps of a backbone under training."""

    def compute(split: str, rows: Rows, pixels: Tensor | None) -> Sequence[Tensor]:
        assert pixels is not None
        return encoder.intermediates(pixels, layers)

    return compute
