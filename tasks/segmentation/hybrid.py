"""The hybrid encoder: attention on the coarsest map, then fusion downwards and upwards.

After RT-DETR (Zhao et al. 2024, arXiv:2304.08069) with aggregation blocks in the manner of
GELAN (Wang et al. 2024, arXiv:2402.13616), as the OmniRad study describes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from .layers import conv_bn
from .width import HEADS

FEED_FORWARD, TEMPERATURE = 1536, 10000.0


@dataclass(frozen=True)
class Scale:
    """Expansion and depth of the fuse blocks' branches.

    Attributes:
        expansion: share of the width a branch has.
        depth: share of three RepVGG blocks a branch has.
    """

    expansion: float
    depth: float


SMALL, BASE = Scale(0.34, 0.67), Scale(0.67, 1.0)


class HybridEncoder(nn.Module):
    """Three maps of one width, finest first, to three of the same shapes."""

    def __init__(self, width: int, scale: Scale) -> None:
        super().__init__()
        self.attention = SelfAttention(width)
        self.laterals = nn.ModuleList(conv_bn(width, width) for _ in range(2))
        self.downwards = nn.ModuleList(FuseBlock(width, scale) for _ in range(2))
        self.strided = nn.ModuleList(
            nn.Sequential(*conv_bn(width, width), *conv_bn(width, width, 3, 2, groups=width))
            for _ in range(2)
        )
        self.upwards = nn.ModuleList(FuseBlock(width, scale) for _ in range(2))

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """[B, D, H/8, W/8], [B, D, H/16, W/16], [B, D, H/32, W/32] to the same."""
        fine, middle, coarse = maps
        coarse = self.laterals[0](self.attention(coarse))
        middle = self.laterals[1](self.downwards[0](_doubled(coarse) + middle))
        fine = self.downwards[1](_doubled(middle) + fine)
        middle = self.upwards[0](self.strided[0](fine) + middle)
        coarse = self.upwards[1](self.strided[1](middle) + coarse)
        return [fine, middle, coarse]


class SelfAttention(nn.Module):
    """One post-norm transformer layer over a map's positions, without dropout."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, HEADS, batch_first=True)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, FEED_FORWARD), nn.GELU(), nn.Linear(FEED_FORWARD, width)
        )

    def forward(self, maps: Tensor) -> Tensor:
        """[B, D, h, w] to the same."""
        tokens = maps.flatten(2).transpose(1, 2)
        placed = tokens + positions(*maps.shape[1:]).to(tokens)
        tokens = self.norm1(tokens + self.attention(placed, placed, tokens, need_weights=False)[0])
        tokens = self.norm2(tokens + self.feed_forward(tokens))
        restored: Tensor = tokens.transpose(1, 2).reshape(maps.shape)
        return restored


def positions(width: int, height: int, columns: int) -> Tensor:
    """2-D sine-cosine position embeddings [h * w, D]: a quarter each sin x, cos x, sin y, cos y.

    Frequencies 10000^(-k / (D / 4)) for k = 0 .. D / 4 - 1, as MoCo v3's and RT-DETR's.
    """
    quarter = width // 4
    omega = TEMPERATURE ** -(torch.arange(quarter, dtype=torch.float64) / quarter)
    rows = torch.arange(height).repeat_interleave(columns)[:, None] * omega
    across = torch.arange(columns).repeat(height)[:, None] * omega
    return torch.cat([across.sin(), across.cos(), rows.sin(), rows.cos()], dim=1).float()


class FuseBlock(nn.Module):
    """Split in halves a and b, c = branch(b), d = branch(c), all four projected back."""

    def __init__(self, width: int, scale: Scale) -> None:
        super().__init__()
        inner = round(scale.expansion * width // 2)
        blocks = round(3 * scale.depth)
        self.expand = nn.Sequential(*conv_bn(width, 2 * width), nn.SiLU())
        self.branches = nn.ModuleList([Branch(width, inner, blocks), Branch(inner, inner, blocks)])
        self.reduce = nn.Sequential(*conv_bn(2 * width + 2 * inner, width), nn.SiLU())

    def forward(self, maps: Tensor) -> Tensor:
        a, b = self.expand(maps).chunk(2, dim=1)
        c = self.branches[0](b)
        return self.reduce(torch.cat([a, b, c, self.branches[1](c)], dim=1))  # type: ignore[no-any-return]


class Branch(nn.Module):
    """Cross-stage partial: half of the channels goes through RepVGG blocks, half is added."""

    def __init__(self, inputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.expand = nn.Sequential(*conv_bn(inputs, 2 * width), nn.SiLU())
        self.blocks = nn.Sequential(*(RepVgg(width) for _ in range(blocks)))

    def forward(self, maps: Tensor) -> Tensor:
        skipped, deepened = self.expand(maps).chunk(2, dim=1)
        return skipped + self.blocks(deepened)  # type: ignore[no-any-return]


class RepVgg(nn.Module):
    """SiLU of a 3x3 plus a 1x1 convolution, each batch-normed (Ding et al. 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide, self.point = conv_bn(width, width, 3), conv_bn(width, width)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.silu(self.wide(maps) + self.point(maps))


def _doubled(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")
