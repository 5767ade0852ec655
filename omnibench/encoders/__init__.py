"""Encoders: every backbone behind the same three methods."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from torch import Tensor, nn

if TYPE_CHECKING:
    from omnibench.encoders.preprocess import Preprocess


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


@runtime_checkable
class VolumeEncoder(Encoder, Protocol):
    """An encoder that sees whole volumes, too."""

    def embed_volumes(self, volumes: Tensor) -> Tensor:
        """Return one vector a volume, [B, D], of uint8 [B, Z, H, W] or [B, Z, H, W, 3]."""
        ...


@runtime_checkable
class TrainableEncoder(Encoder, Protocol):
    """An encoder whose backbone can be trained: its module and a forward that keeps gradients."""

    module: nn.Module
    preprocess: "Preprocess"

    def pooled(self, pixels: Tensor) -> Tensor:
        """Return embeddings [B, D] of prepared pixels [B, 3, S, S]; `embed` is this."""
        ...


@runtime_checkable
class MapEncoder(TrainableEncoder, Protocol):
    """A trainable encoder whose maps, too, keep gradients."""

    def intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """Return maps [B, D, h, w] of prepared pixels [B, 3, S, S]; `maps` is this."""
        ...
