"""transformers vision models as encoders, through `last_hidden_state` and `hidden_states`."""

import inspect
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from omnibench.cards import BackboneCard
from omnibench.encoders.pooling import pooled
from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import WeightsError


class TransformersEncoder:
    """A transformers vision transformer with patch tokens behind its class and register tokens."""

    def __init__(self, module: Any, preprocess: Preprocess, card: BackboneCard, pool: str) -> None:
        self.module = module
        self.preprocess = preprocess
        self.pool = pool
        config = module.config
        patch = card.patch or getattr(config, "patch_size", None)
        if not isinstance(patch, int):
            raise WeightsError(f"{card.id}: its config tells no patch_size; set patch on its card")
        for name in ("hidden_size", "num_hidden_layers"):
            if not isinstance(getattr(config, name, None), int):
                raise WeightsError(
                    f"{card.id}: its config tells no {name}, so that a {type(module).__name__} is "
                    "no transformer of patch tokens; leave this adaptation to other backbones"
                )
        self.side = preprocess.size // patch
        self.width = int(config.hidden_size)
        self.depth = int(config.num_hidden_layers)
        self.prefix_tokens = (
            card.prefix_tokens
            if card.prefix_tokens is not None
            else 1 + int(getattr(config, "num_register_tokens", 0))
        )

    def embed(self, images: Tensor) -> Tensor:
        return self.pooled(self.preprocess(images))

    def pooled(self, pixels: Tensor) -> Tensor:
        prefix, patches = self._split(self.outputs(pixels).last_hidden_state)
        return pooled(prefix, patches, self.pool)

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._split(self.outputs(self.preprocess(images)).last_hidden_state)

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        return self.intermediates(self.preprocess(images), layers)

    def intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        states = self.outputs(pixels, output_hidden_states=True).hidden_states
        # hidden_states[0] is the embedding, so block k's output is hidden_states[k + 1].
        return [self._split(states[layer + 1])[1].permute(0, 3, 1, 2) for layer in layers]

    def outputs(self, pixels: Tensor, **options: bool) -> Any:
        """Return what the model gives of prepared pixels [B, 3, S, S], under its own options."""
        if self._interpolates:
            options["interpolate_pos_encoding"] = True
        return self.module(pixel_values=pixels, **options)

    @property
    def _interpolates(self) -> bool:
        """ViT and DeiT must be asked to resample their position embeddings; DINOv2 always does."""
        parameters = inspect.signature(self.module.forward).parameters
        return "interpolate_pos_encoding" in parameters

    def _split(self, states: Tensor) -> tuple[Tensor, Tensor]:
        count = states.shape[1] - self.prefix_tokens
        if count != self.side * self.side:
            raise WeightsError(
                f"{type(self.module).__name__}: {states.shape[1]} tokens for {self.prefix_tokens} "
                f"prefix tokens and {self.side} x {self.side} patches; set prefix_tokens and patch "
                "on its card"
            )
        prefix, patches = states[:, : self.prefix_tokens], states[:, self.prefix_tokens :]
        return prefix, patches.reshape(states.shape[0], self.side, self.side, -1)
