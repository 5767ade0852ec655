"""timm models as encoders: ViTs and CNNs, through timm's own forward methods."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from omnibench.architecture.needs import nearest_sizes
from omnibench.encoders.pooling import pooled, standardised
from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_layout import timm_architecture
from omnibench.encoders.volume_vit import VolumeViT
from omnibench.errors import RequestError
from omnibench.memory import is_out_of_memory

# Up to this many tokens the explicit softmax beats the fused kernel on a CPU (1.75 x at 257
# tokens; at 1025 it does not).
UNFUSED_TOKENS = 512
T = TypeVar("T")


class TimmEncoder:
    """A timm model whose `forward_features` gives tokens [B, P + N, D] or a map of one layout.

    A model whose features are several tensors gives one vector an image; its tokens, like those
    of a model that ends in its class token alone, are the positions of its last map.

    Args:
        pool: None for the class token where the architecture has one, else the mean.
        norm_after_pool: as on a card.
    """

    def __init__(
        self,
        module: Any,
        preprocess: Preprocess,
        pool: str | None = None,
        norm_after_pool: bool = False,
    ) -> None:
        self.module = module
        self.preprocess = preprocess
        self.architecture = timm_architecture(module)
        self.name = str(module.pretrained_cfg.get("architecture") or type(module).__name__)
        self.pool = pool or self.architecture.pool
        self.norm_after_pool = norm_after_pool
        if self.pool in ("cls", "cls+mean") and not self.architecture.class_token:
            raise RequestError(f"{self.name} has no class token; set pool='mean' on its card")
        self.width = int(module.num_features)
        self.prefix_tokens = int(self.architecture.prefix_tokens or 0)
        self.layout = torch.contiguous_format
        if self.is_vit:
            choose_attention(module, preprocess.device)
        elif all(value.ndim < 5 for value in module.parameters()):
            # Convolutions, those of bf16 above all, are faster in this layout, made for four axes.
            self.layout = torch.channels_last
            module.to(memory_format=self.layout)

    @property
    def is_vit(self) -> bool:
        """Whether its blocks have patch tokens on one grid, merged or not at the end."""
        return len(set(self.strides)) == 1

    @property
    def depth(self) -> int | None:
        """Number of blocks of a ViT; None for others."""
        return len(self.strides) if self.is_vit else None

    @property
    def strides(self) -> tuple[int, ...]:
        """Of its maps, one a stage or block."""
        return self.architecture.reductions

    def embed(self, images: Tensor) -> Tensor:
        return self.pooled(self.preprocess(images))

    def pooled(self, pixels: Tensor) -> Tensor:
        if self.norm_after_pool:
            return standardised(pooled(*self._last_block(pixels), self.pool))
        features = self._features(pixels)
        if not isinstance(features, Tensor):
            return self._vector(features)
        if self.pool == "cls":
            return self._split(features)[0][:, 0]
        return pooled(*self._tokens(features, pixels), self.pool)

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        pixels = self.preprocess(images)
        return self._tokens(self._features(pixels), pixels)

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        return self.intermediates(self.preprocess(images), layers)

    def intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        indices = list(layers) if self.is_vit else self._stages(layers)
        distinct = sorted(set(indices))  # timm gives each once, in the order of the forward
        maps: list[Tensor] = self._run(
            pixels,
            lambda prepared: self.module.forward_intermediates(
                prepared, indices=distinct, norm=False, output_fmt="NCHW", intermediates_only=True
            ),
        )
        return [maps[distinct.index(index)] for index in indices]

    def _last_block(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (prefix [B, P, D], patches [B, N, D]) before the final norm."""
        if not self.is_vit:
            raise RequestError(
                f"{self.name} has no final norm of tokens to pool before; leave norm_after_pool "
                "off its card"
            )
        ((patches, prefix),) = self._run(
            pixels,
            lambda prepared: self.module.forward_intermediates(
                prepared,
                indices=1,
                norm=False,
                output_fmt="NLC",
                return_prefix_tokens=True,
                intermediates_only=True,
            ),
        )
        return prefix, patches

    def _features(self, pixels: Tensor) -> Any:
        return self._run(pixels, self.module.forward_features)

    def _run(self, pixels: Tensor, forward: Callable[[Tensor], T]) -> T:
        """Run a forward; where the input size is not the native one, it may be the reason."""
        try:
            return forward(pixels.contiguous(memory_format=self.layout))
        except (AssertionError, RuntimeError, ValueError, TypeError) as error:
            native = self.architecture.input_size
            if is_out_of_memory(error) or tuple(pixels.shape[-2:]) == native:
                raise
            raise RequestError(
                f"{self.name} cannot take images of {pixels.shape[-1]} px; set input_size: "
                f"{native[0]} in its recipe"
            ) from error

    def _split(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """(prefix [B, P, D], patches [B, h, w, D]) of tokens, or of a map in either layout."""
        if features.ndim == 4:
            if getattr(self.module, "output_fmt", "NCHW") != "NHWC":
                features = features.permute(0, 2, 3, 1)
            return features.new_zeros(features.shape[0], 0, features.shape[-1]), features
        prefix, patches = features[:, : self.prefix_tokens], features[:, self.prefix_tokens :]
        side = math.isqrt(patches.shape[1])
        return prefix, patches.reshape(features.shape[0], side, side, features.shape[-1])

    def _tokens(self, features: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Split features; where these hold no patches, they are the positions of the last map."""
        prefix = None
        if isinstance(features, Tensor):
            prefix, patches = self._split(features)
            if patches.shape[1]:
                return prefix, patches
        patches = self.intermediates(pixels, self.strides[-1:])[0].permute(0, 2, 3, 1)
        if prefix is None:
            prefix = patches.new_zeros(patches.shape[0], 0, patches.shape[-1])
        return prefix, patches

    def _vector(self, features: Any) -> Tensor:
        """Pool features of several tensors as timm does, [B, D]."""
        if self.pool != self.architecture.pool:
            raise RequestError(
                f"{self.name} pools its features in a way of its own; leave pool off its card"
            )
        vector: Tensor = self.module.forward_head(features, pre_logits=True)
        return vector

    def _stages(self, strides: Sequence[int]) -> list[int]:
        """Indices of the feature stages with the given strides, of the coarsest one the last."""
        if not self.architecture.gives_maps:
            raise RequestError(f"{self.name} gives one vector an image, no maps and no tokens")
        own = self.strides
        absent = [stride for stride in strides if stride not in own]
        if absent:
            raise RequestError(
                f"{self.name} has no map of stride {absent[0]}; it has those of "
                f"{', '.join(map(str, sorted(set(own))))}"
            )
        return [len(own) - 1 if stride == own[-1] else own.index(stride) for stride in strides]


def choose_attention(vit: Any, device: torch.device) -> None:
    """Let a ViT compute attention the faster way for its input size on a device."""
    grid = getattr(getattr(vit, "patch_embed", None), "grid_size", None)
    if grid is None:
        return
    prefix = getattr(vit, "num_prefix_tokens", 0)
    fused = device.type != "cpu" or prefix + grid[0] * grid[1] > UNFUSED_TOKENS
    for part in vit.modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = fused


def fit_input_size(module: Any, size: int, origin: str) -> None:
    """Make a timm model take `size` x `size` images: position embeddings, RoPE, windows follow.

    A model without a way to be changed is left alone: it may take other sizes all the same.

    Raises:
        RequestError: the patch size does not divide `size`, or its windows do not.
    """
    is_of_volumes = isinstance(module, VolumeViT)
    patch = module.patch_embed.patch_size[-1] if is_of_volumes else timm_architecture(module).patch
    if patch is not None and size % patch:
        raise RequestError(
            f"{origin}: input size {size} is not a multiple of its patch size {patch}; "
            f"use {nearest_sizes(size, patch)}"
        )
    if not hasattr(module, "set_input_size"):
        return
    try:
        with torch.no_grad():
            module.set_input_size(img_size=(size, size))
    except (AssertionError, RuntimeError, ValueError) as error:
        native = module.pretrained_cfg["input_size"][1]
        raise RequestError(
            f"{origin}: its architecture cannot be made to take images of {size} px; set "
            f"input_size: {native} in its recipe"
        ) from error
