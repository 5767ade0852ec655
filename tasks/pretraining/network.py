"""A timm ViT that reads masked patches and skips residual branches for a part of the batch."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from omnibench.errors import RequestError

from .refusals import no_plain_vit


@dataclass(frozen=True)
class Paths:
    """Which images take part in each residual branch.

    Attributes:
        takes_part: bool [depth, 2, B], of attention and MLP of each block.
        scale: of what the branch adds to these, 1 / (share that takes part).
    """

    takes_part: Tensor
    scale: float

    def rows(self, rows: Tensor) -> "Paths":
        """Those of some of the images."""
        return Paths(self.takes_part[:, :, rows], self.scale)


def draw_paths(count: int, depth: int, drop: float, generator: torch.Generator) -> Paths | None:
    """Draw a fixed number of the `count` images for each branch; None where none is dropped."""
    if not drop:
        return None
    most = max(int(count * (1 - drop)), 1)
    order = torch.rand(depth, 2, count, generator=generator).argsort(dim=-1)
    return Paths(order < most, count / most)


class MaskedViT(nn.Module):
    """Tokens of a ViT after its final norm.

    Stochastic depth leaves a part of the images out of a residual branch and scales the others up
    (as DINOv2 does: they are not computed at all).

    Args:
        vit: a timm VisionTransformer of `dynamic_img_size`, of standard blocks.
        recompute: recompute each block's activations in the backward pass.
    """

    def __init__(self, vit: Any, recompute: bool = False) -> None:
        super().__init__()
        self.vit = vit
        self.recompute = recompute
        self.mask_token = nn.Parameter(torch.zeros(1, int(vit.embed_dim)))
        self.prefix = int(vit.num_prefix_tokens)

    def forward(
        self, pixels: Tensor, masks: Tensor | None = None, paths: Paths | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return class tokens [B, D] and patch tokens [B, h w, D].

        Args:
            pixels: [B, 3, H, W].
            masks: bool [B, h, w]; these patches become the mask token.
            paths: which images take part in each residual branch; None for all in all.
        """
        vit = self.vit
        patches = vit.patch_embed(pixels)  # [B, h, w, D]
        if masks is not None:
            patches = torch.where(masks[..., None], self.mask_token.to(patches.dtype), patches)
        tokens = vit.norm_pre(vit.patch_drop(vit._pos_embed(patches)))
        for index, block in enumerate(vit.blocks):
            takes_part = (None, None) if paths is None else tuple(paths.takes_part[index])
            step = functools.partial(
                _block, block, takes_part, 1.0 if paths is None else paths.scale
            )
            again = self.recompute and self.training
            tokens = checkpoint(step, tokens, use_reentrant=False) if again else step(tokens)
        tokens = vit.norm(tokens)
        return tokens[:, 0], tokens[:, self.prefix :]


def _block(
    block: Any, takes_part: tuple[Tensor | None, Tensor | None], scale: float, tokens: Tensor
) -> Tensor:
    def attention(part: Tensor) -> Tensor:
        result: Tensor = block.ls1(block.attn(block.norm1(part)))
        return result

    def mlp(part: Tensor) -> Tensor:
        result: Tensor = block.ls2(block.mlp(block.norm2(part)))
        return result

    return _residual(_residual(tokens, attention, takes_part[0], scale), mlp, takes_part[1], scale)


def _residual(
    tokens: Tensor, branch: Callable[[Tensor], Tensor], takes_part: Tensor | None, scale: float
) -> Tensor:
    if takes_part is None:
        return tokens + branch(tokens)
    rows = takes_part.nonzero()[:, 0]
    if not len(rows):
        return tokens
    return tokens.index_add(0, rows, branch(tokens[rows]).to(tokens.dtype), alpha=scale)


def check_standard(vit: Any, name: str) -> None:
    """Refuse a model whose blocks are computed in another way than `_block`'s.

    Raises:
        RequestError: it is no ViT with a class token and standard blocks.
    """
    blocks = getattr(vit, "blocks", None)
    standard = blocks is not None and all(type(block).__name__ == "Block" for block in blocks)
    if not standard or not getattr(vit, "has_class_token", False) or not hasattr(vit, "_pos_embed"):
        raise RequestError(no_plain_vit(name))
