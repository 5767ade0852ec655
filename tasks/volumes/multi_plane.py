"""`multi-plane`: views whose slices attend to those of the others, pooled and set side by side.

Source of the idea: MP-ViT (arXiv:2505.07349), which joins encoders of axial and sagittal contrasts
by cross-attention and tells by a vector which are missing. The formulas here are ours.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnibench.tasks.classification.descent import QUERY_STD

from .bags import Slices
from .fusion import Fused, Fusion
from .pooling import attend


class CrossAttention(nn.Module):
    """T_v' = T_v + MHA(N(T_v), N(T_o), N(T_o)) of each view v, T_o the tokens of all others.

    N is a layer norm and MHA an attention of several heads, both of each view by itself.
    """

    def __init__(self, width: int, views: int, heads: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(views))
        self.attentions = nn.ModuleList(
            nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(views)
        )

    def forward(self, tokens: Tensor, there: Tensor) -> Tensor:
        """Return tokens [B, V, T, D] after all views have looked at the others.

        Args:
            there: bool [B, V, T], of each view at least one.
        """
        normed = torch.stack(
            [norm(own) for norm, own in zip(self.norms, tokens.unbind(1), strict=True)], dim=1
        )
        views = range(tokens.shape[1])
        looks = []
        for view, attention in enumerate(self.attentions):
            others = [other for other in views if other != view]
            keys, absent = normed[:, others].flatten(1, 2), ~there[:, others].flatten(1)
            look, _ = attention(
                normed[:, view], keys, keys, key_padding_mask=absent, need_weights=False
            )
            looks.append(look)
        return tokens + torch.stack(looks, dim=1)


class MultiPlaneFusion(Fusion):
    """Each view's tokens pooled by attention, side by side, with which views a study has.

    The tokens are a view's projected slices; a view that a study lacks is one learned token
    instead, so that whoever attends to it has something to attend to, and no number depends on its
    pixels.

    Args:
        embedding: D of the slices.
        width: of the tokens.
        layers: of cross-attention before the pooling; 0 for late fusion.
        presence: whether the 0 or 1 of each view stands behind the pooled ones.
    """

    def __init__(
        self, embedding: int, width: int, views: int, layers: int, heads: int, presence: bool
    ) -> None:
        super().__init__(views * (width + presence))
        self.project = nn.Linear(embedding, width)
        self.presence = presence
        self.null = nn.Parameter(torch.empty(views, width))
        self.query = nn.Parameter(torch.empty(views, width))
        for parameter in (self.null, self.query):
            nn.init.trunc_normal_(parameter, std=QUERY_STD)
        self.layers = nn.ModuleList(CrossAttention(width, views, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, slices: Slices) -> Fused:
        present = slices.there.any(dim=2)
        tokens = self.project(slices.features.masked_fill(~slices.there[..., None], 0.0))
        first = torch.where(present[..., None], tokens[:, :, 0], self.null)
        tokens = torch.cat([first[:, :, None], tokens[:, :, 1:]], dim=2)
        there = torch.cat([torch.ones_like(present)[..., None], slices.there[..., 1:]], dim=2)
        for layer in self.layers:
            tokens = layer(tokens, there)
        normed = self.norm(tokens)
        pooled = [
            attend(Slices(normed[:, [view]], there[:, [view]]), query[None, None]).embedding[:, 0]
            for view, query in enumerate(self.query)
        ]
        return Fused(torch.cat([*pooled, *([present.to(normed)] if self.presence else [])], dim=1))


def multi_plane(options: Mapping[str, Any], width: int, views: int) -> Fusion:
    """Return the fusion of `multi-plane`."""
    layers = options["layers"] if options["fusion"] == "cross" else 0
    presence = options["presence"] == "vector"
    shape = (options["width"], views, layers, options["heads"])
    return MultiPlaneFusion(width, *shape, presence)
