"""timm models as encoders: ViTs and CNNs, through timm's own forward methods."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from omnibench.encoders.preprocess import Preprocess
from omnibench.errors import RequestError

# Up to this many tokens the explicit softmax beats the fused kernel on a CPU (1.75 x at 257
# tokens; at 1025 it does not).
UNFUSED_TOKENS = 512


class TimmEncoder:
    """A timm model whose `forward_features` gives tokens [B, P + N, D] or a map [B, D, h, w]."""

    def __init__(self, module: Any, preprocess: Preprocess, pool: str) -> None:
        self.module = module
        self.preprocess = preprocess
        self.pool = pool
        self.width = int(module.num_features)
        patch_embed = getattr(module, "patch_embed", None)
        self.grid: tuple[int, int] | None = getattr(patch_embed, "grid_size", None)
        self.prefix_tokens = int(getattr(module, "num_prefix_tokens", 0))
        if self.grid is not None:
            choose_attention(module, preprocess.device)
        self.layout = torch.contiguous_format
        if self.grid is None:
            # Convolutions, those of bf16 above all, are faster in this layout.
            self.layout = torch.channels_last
            module.to(memory_format=self.layout)

    @property
    def is_vit(self) -> bool:
        """Whether it has patch tokens (else it is a CNN)."""
        return self.grid is not None

    @property
    def depth(self) -> int | None:
        """Number of blocks of a ViT; None for a CNN."""
        return len(self.module.blocks) if self.is_vit else None

    def embed(self, images: Tensor) -> Tensor:
        return self.pooled(self.preprocess(images))

    def pooled(self, pixels: Tensor) -> Tensor:
        prefix, patches = self._tokens(pixels)
        if self.pool == "cls":
            return prefix[:, 0]
        return patches.float().mean(dim=(1, 2)).to(patches.dtype)

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return self._tokens(self.preprocess(images))

    def _tokens(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        features = self.module.forward_features(pixels.contiguous(memory_format=self.layout))
        if self.grid is None:
            return features.new_zeros(len(features), 0, self.width), features.permute(0, 2, 3, 1)
        prefix, patches = features[:, : self.prefix_tokens], features[:, self.prefix_tokens :]
        return prefix, patches.reshape(len(features), *self.grid, self.width)

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        return self.intermediates(self.preprocess(images), layers)

    def intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        maps: list[Tensor] = self.module.forward_intermediates(
            pixels.contiguous(memory_format=self.layout),
            indices=list(layers) if self.is_vit else self._stages(layers),
            norm=False,
            output_fmt="NCHW",
            intermediates_only=True,
        )
        return maps

    def _stages(self, strides: Sequence[int]) -> list[int]:
        """Indices of a CNN's feature stages with the given strides."""
        reductions = [info["reduction"] for info in self.module.feature_info]
        absent = [stride for stride in strides if stride not in reductions]
        if absent:
            raise RequestError(
                f"the backbone has no map of stride {absent[0]}; it has {reductions}"
            )
        return [reductions.index(stride) for stride in strides]


def choose_attention(vit: Any, device: torch.device) -> None:
    """Let a ViT compute attention the faster way for its input size on a device."""
    height, width = vit.patch_embed.grid_size
    fused = device.type != "cpu" or vit.num_prefix_tokens + height * width > UNFUSED_TOKENS
    for part in vit.modules():
        if hasattr(part, "fused_attn"):
            part.fused_attn = fused


def fit_input_size(module: Any, size: int, origin: str) -> None:
    """Make a timm model take `size` x `size` images: position embeddings and RoPE follow.

    Raises:
        RequestError: the patch size does not divide `size`.
    """
    patch_embed = getattr(module, "patch_embed", None)
    patch = getattr(patch_embed, "patch_size", None)
    if patch is None:
        return
    if size % patch[0]:
        below = size // patch[0] * patch[0]
        raise RequestError(
            f"{origin}: input size {size} is not a multiple of its patch size {patch[0]}; "
            f"use {below} or {below + patch[0]}"
        )
    with torch.no_grad():
        module.set_input_size(img_size=(size, size))
