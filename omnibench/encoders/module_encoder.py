"""A plain nn.Module as an encoder: no base class, one forward method."""

from collections.abc import Sequence

from torch import Tensor, nn

from omnibench.cards import BackboneCard
from omnibench.encoders.pooling import pooled
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError, WeightsError


class ModuleEncoder:
    """A module whose forward takes normalised [B, 3, S, S] images and returns one of

    - an embedding [B, D];
    - tokens [B, P + N, D], P as the card's `prefix_tokens` says, N patches row by row;
    - a map [B, D, h, w].

    `maps` needs a method `forward_intermediates(x, layers) -> list of [B, D, h, w]`, and
    `embed_volumes` a method `forward_volumes(x)` of [B, 3, Z, S, S] that returns [B, D].
    """

    def __init__(self, module: nn.Module, preprocess: Preprocess, card: BackboneCard) -> None:
        self.module = module
        self.preprocess = preprocess
        self.card = card
        self.prefix_tokens = card.prefix_tokens or 0

    def embed(self, images: Tensor) -> Tensor:
        return self.pooled(self.preprocess(images))

    def pooled(self, pixels: Tensor) -> Tensor:
        output = self._forward(pixels)
        if output.ndim == 2:
            return output
        prefix, patches = self._split(output)
        pool = self.card.pool or "mean"
        if pool != "mean" and not self.prefix_tokens:
            raise WeightsError(
                f"{self.card.id}: pool '{pool}' needs a class token, and its card says "
                "prefix_tokens=0; set prefix_tokens or pool='mean'"
            )
        return pooled(prefix, patches, pool)

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        output = self._forward(self.preprocess(images))
        if output.ndim == 2:
            raise RequestError(
                f"{self.card.id}: its forward gives one vector an image, no tokens; return "
                "tokens [B, P + N, D] or a map [B, D, h, w] for tasks that need them"
            )
        return self._split(output)

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        return self.intermediates(self.preprocess(images), layers)

    def intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        intermediates = getattr(self.module, "forward_intermediates", None)
        if intermediates is None:
            raise RequestError(
                f"{self.card.id}: it has no method forward_intermediates(x, layers), which "
                "tasks on feature maps need"
            )
        return list(intermediates(pixels, layers))

    def embed_volumes(self, volumes: Tensor) -> Tensor:
        forward_volumes = getattr(self.module, "forward_volumes", None)
        if forward_volumes is None:
            raise RequestError(
                f"{self.card.id}: it has no method forward_volumes(x), which tasks on whole "
                "volumes need"
            )
        output: Tensor = forward_volumes(self.preprocess.of_volumes(volumes))
        return output

    def _forward(self, pixels: Tensor) -> Tensor:
        output = self.module(pixels)
        if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4):
            shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise WeightsError(
                f"{self.card.id}: its forward gives {shape}; return an embedding [B, D], tokens "
                "[B, P + N, D] or a map [B, D, h, w]"
            )
        return output

    def _split(self, output: Tensor) -> tuple[Tensor, Tensor]:
        """(prefix, patches [B, h, w, D]) of a token sequence or a map."""
        if output.ndim == 4:
            return output.new_zeros(output.shape[0], 0, output.shape[1]), output.permute(0, 2, 3, 1)
        count = output.shape[1] - self.prefix_tokens
        side = round(max(count, 0) ** 0.5)
        if self.card.patch:
            side = self.preprocess.size // self.card.patch
        if count != side * side or side == 0:
            raise WeightsError(
                f"{self.card.id}: {output.shape[1]} tokens for {self.prefix_tokens} prefix tokens "
                f"and {side} x {side} patches; correct prefix_tokens or patch on its card"
            )
        prefix, patches = output[:, : self.prefix_tokens], output[:, self.prefix_tokens :]
        return prefix, patches.reshape(output.shape[0], side, side, -1)
