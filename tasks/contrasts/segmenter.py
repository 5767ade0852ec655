"""The network of contrasts under a decoder: pixels of a study in, logits out."""

import numpy as np
import torch
from torch import Tensor

from omnibench.data import Dataset
from omnibench.encoders.preprocess import Preprocess
from omnibench.tasks.segmentation.heads import Head
from omnibench.tasks.segmentation.segmenter import Segmenter

from .layouts import Layouts, Rows, Shown
from .network import ContrastViT


class ContrastSegmenter(Segmenter):
    """A decoder on the maps of the contrasts that a study has, or is shown by.

    The decoder's convolutional prior sees the mean of their images.

    Attributes:
        only: bool [K], the contrasts that studies are shown by; None for all that each has.
    """

    def __init__(
        self,
        dataset: Dataset,
        layouts: Layouts,
        head: Head,
        prepare: Preprocess,
        encoder: ContrastViT,
        layers: tuple[int, ...],
    ) -> None:
        super().__init__(dataset, head, prepare, _no_maps)
        self.layouts, self.encoder, self.layers = layouts, encoder, layers
        self.only: Shown | None = None

    def forward(self, split: str, rows: Rows, shown: Shown | None = None) -> Tensor:
        """Return logits [B, C, h, w] of studies.

        Args:
            shown: bool [B, K], what each is shown by; None for what `only` leaves of all it has.
        """
        if shown is None:
            shown = self.layouts.held(split)[rows]
            shown = shown if self.only is None else shown & self.only
        places, parts = [], []
        for pattern in np.unique(shown, axis=0):
            own = np.flatnonzero((shown == pattern).all(axis=1))
            places.append(own)
            parts.append(self.maps_of(split, rows[own], np.flatnonzero(pattern)))
        back = torch.from_numpy(np.concatenate(places).argsort()).to(parts[0][0].device)
        pixels, *maps = (torch.cat(level)[back] for level in zip(*parts, strict=True))
        logits: Tensor = self.head(pixels, maps)
        return logits

    def maps_of(self, split: str, rows: Rows, contrasts: Rows) -> list[Tensor]:
        """Return the mean image [B, 3, S, S] and the maps of studies shown by some contrasts."""
        images = self.layouts.prepared(split, rows, contrasts, self.prepare)
        return [images.mean(dim=1), *self.encoder.maps(images, contrasts.tolist(), self.layers)]

    def set_training(self) -> None:
        """Put all of it into training mode."""
        self.train()


def _no_maps(split: str, rows: Rows, pixels: Tensor | None) -> list[Tensor]:
    """Stand where other models take their maps from."""
    raise NotImplementedError
