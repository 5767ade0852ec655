"""Encoders: every backbone behind the same three methods."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor


@runtime_checkable
class Encoder(Protocol):
    """A loaded backbone. Images arrive as uint8 [B, H, W] (grey) or [B, H, W, 3] (RGB).

    Resizing and normalisation happen inside, as the card and the recipe say.
    """

    def embed(self, images: Tensor) -> Tensor:
        """Return one vector an image, [B, D], pooled as the card says."""
        ...

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return (prefix [B, P, D], patches [B, h, w, D]) after the final norm.

        A CNN has no prefix tokens; its patches are its last map.
        """
        ...

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return maps [B, D, h, w].

        `layers` are a ViT's blocks (0-based; outputs before the final norm) or a CNN's strides.
        """
        ...
