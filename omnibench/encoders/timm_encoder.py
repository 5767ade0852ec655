"""timm models as encoders: ViTs and CNNs, through timm's own forward methods."""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

from omnibench.encoders.preprocess import Preprocess
from omnibench.encoders.timm_layout import timm_architecture
from omnibench.errors import RequestError
from omnibench.memory import is_out_of_memory

# Up to this many tokens the explicit softmax beats the fused kernel on a CPU (1.75 x at 257
# tokens; at 1025 it does not).
UNFUSED_TOKENS = 512
T = TypeVar("T")


class TimmEncoder:
    """A timm model whose `forward_features` gives tokens [B, P + N, D] or a map of one layout.

    A model whose features are several tensors gives one vector an image, and no tokens.

    Args:
        pool: None for the class token where the architecture has one, else the mean.
    """

    def __init__(self, module: Any, preprocess: Preprocess, pool: str | None = None) -> None:
        self.module = module
        self.preprocess = preprocess
        self.architecture = timm_architecture(module)
        self.name = str(module.pretrained_cfg.get("architecture") or type(module).__name__)
        self.pool = pool or self.architecture.pool
        if self.pool == "cls" and not self.architecture.class_token:
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
        """Whether it has patch tokens on one grid."""
        return self.architecture.kind == "vit"

    @property
    def depth(self) -> int | None:
        """Number of blocks of a ViT; None for others."""
        return self.architecture.depth

    def embed(self, images: Tensor) -> Tensor:
        return self.pooled(self.preprocess(images))

    def pooled(self, pixels: Tensor) -> Tensor:
        features = self._features(pixels)
        if not isinstance(features, Tensor):
            return self._vector(features)
        prefix, patches = self._split(features)
        if self.pool == "cls":
            return prefix[:, 0]
        return self._present(patches).float().mean(dim=(1, 2)).to(patches.dtype)

    def tokens(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self._features(self.preprocess(images))
        if not isinstance(features, Tensor):
            raise RequestError(f"{self.name} gives one vector an image, no tokens")
        prefix, patches = self._split(features)
        return prefix, self._present(patches)

    def maps(self, images: Tensor, layers: Sequence[int]) -> list[Tensor]:
        return self.intermediates(self.preprocess(images), layers)

    def intermediates(self, pixels: Tensor, layers: Sequence[int]) -> list[Tensor]:
        indices = list(layers) if self.is_vit else self._stages(layers)
        maps: list[Tensor] = self._run(
            pixels,
            lambda prepared: self.module.forward_intermediates(
                prepared, indices=indices, norm=False, output_fmt="NCHW", intermediates_only=True
            ),
        )
        return maps

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
            return features.new_zeros(len(features), 0, features.shape[-1]), features
        prefix, patches = features[:, : self.prefix_tokens], features[:, self.prefix_tokens :]
        side = math.isqrt(patches.shape[1])
        return prefix, patches.reshape(len(features), side, side, features.shape[-1])

    def _present(self, patches: Tensor) -> Tensor:
        if patches.shape[1] == 0:
            raise RequestError(f"{self.name} gives its class token alone, no patch tokens")
        return patches

    def _vector(self, features: Any) -> Tensor:
        """Pool features of several tensors as timm does, [B, D]."""
        if self.pool != self.architecture.pool:
            raise RequestError(
                f"{self.name} pools its features in a way of its own; leave pool off its card"
            )
        vector: Tensor = self.module.forward_head(features, pre_logits=True)
        return vector

    def _stages(self, strides: Sequence[int]) -> list[int]:
        """Indices of a CNN's feature stages with the given strides."""
        reductions = self.architecture.reductions
        absent = [stride for stride in strides if stride not in reductions]
        if absent:
            present = ", ".join(map(str, sorted(set(reductions))))
            raise RequestError(
                f"{self.name} has no map of stride {absent[0]}; it has those of {present}"
            )
        return [reductions.index(stride) for stride in strides]


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
    patch = timm_architecture(module).patch
    if patch is not None and size % patch:
        below = size // patch * patch
        nearest = f"{below} or {below + patch}" if below else str(patch)
        raise RequestError(
            f"{origin}: input size {size} is not a multiple of its patch size {patch}; "
            f"use {nearest}"
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
