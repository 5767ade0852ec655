"""Modules that make one embedding of a study's slices, trained by gradients."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from omnibench.tasks.classification.descent import QUERY_STD

from .bags import Slices
from .pooling import attend, queries_of, summarise


class Fused(NamedTuple):
    """Embeddings of studies.

    Attributes:
        embedding: [B, F].
        weights: [B, V, T], how much each slice counts; None where nothing tells.
    """

    embedding: Tensor
    weights: Tensor | None = None


class Fusion(nn.Module):
    """The base of every fusion: slices [B, V, T, D] -> [B, F]; drawn by torch's generator.

    Attributes:
        width: F of what it returns.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(self, slices: Slices) -> Fused:
        """Return one embedding a study."""
        raise NotImplementedError


# (options of the adaptation, D, number of views) -> its fusion, drawn by torch's generator.
FusionOf = Callable[[Mapping[str, Any], int, int], Fusion]


class AttentionFusion(Fusion):
    """Attention over the slices of each view and, where there are several, over the views."""

    def __init__(self, width: int, views: int) -> None:
        super().__init__(width)
        self.query = nn.Parameter(torch.empty(queries_of(views), width))
        nn.init.trunc_normal_(self.query, std=QUERY_STD)

    def forward(self, slices: Slices) -> Fused:
        pooled = attend(slices, self.query[None])
        return Fused(pooled.embedding[:, 0], pooled.weights[:, 0])


class StatisticFusion(Fusion):
    """A statistic of each dimension, which trains nothing."""

    def __init__(self, width: int, statistic: str) -> None:
        super().__init__(width)
        self.statistic = statistic

    def forward(self, slices: Slices) -> Fused:
        return Fused(summarise(slices, self.statistic))


class TransformerFusion(Fusion):
    """A transformer over the slices of all views; what is read out is a class token.

    Tokens are projected slices with a sine-cosine code of their place among those of their view
    and, where there are several views, a learned code of that; pre-norm layers, MLPs four times as
    wide.

    Args:
        embedding: D of the slices.
        width: of the tokens.
    """

    def __init__(self, embedding: int, width: int, views: int, layers: int, heads: int) -> None:
        super().__init__(width)
        self.project = nn.Linear(embedding, width)
        self.first = nn.Parameter(torch.empty(1, 1, width))
        self.code = nn.Parameter(torch.empty(views if views > 1 else 0, width))
        for parameter in (self.first, self.code):
            nn.init.trunc_normal_(parameter, std=QUERY_STD)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, slices: Slices) -> Fused:
        features, there = slices
        count, views, longest = there.shape
        tokens = self.project(features)
        tokens = tokens + places(longest, self.width).to(tokens)
        if views > 1:
            tokens = tokens + self.code[:, None]
        tokens = tokens.masked_fill(~there[..., None], 0.0).flatten(1, 2)
        tokens = torch.cat([self.first.expand(count, -1, -1), tokens], dim=1)
        absent = torch.cat([there.new_zeros(count, 1), ~there.flatten(1)], dim=1)
        for layer in self.layers:
            tokens = layer(tokens, src_key_padding_mask=absent)
        return Fused(self.norm(tokens[:, 0]))


def places(count: int, width: int) -> Tensor:
    """Return the sine-cosine code [count, width] of places (Vaswani et al. 2017, section 3.5)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(count)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


def attention(options: Mapping[str, Any], width: int, views: int) -> Fusion:
    """Return the attention that stands on what a registered adaptation trains."""
    return AttentionFusion(width, views)


def transformer(options: Mapping[str, Any], width: int, views: int) -> Fusion:
    """Return the transformer of `transformer`."""
    shape = (options["width"], views, options["layers"], options["heads"])
    return TransformerFusion(width, *shape)
