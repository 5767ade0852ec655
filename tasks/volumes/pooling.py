"""How the embeddings of a study's slices become one: by a statistic, or by attention.

Source of the attention: AnyMC3D (arXiv:2512.12887): a = softmax(H q / sqrt(d)), v = a^T H with one
learned query q; of several views each has its own q, and another pools the views (late fusion).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .bags import Slices

QUERY_STD = 0.02  # of the truncated normal draw, as the public reimplementation of AnyMC3D has it


class Pooled(NamedTuple):
    """Embeddings of studies.

    Attributes:
        embedding: [B, H, D] of H heads.
        weights: [B, H, V, T], how much each slice counts; they sum to one in each study.
    """

    embedding: Tensor
    weights: Tensor


def queries_of(views: int) -> int:
    """Return how many queries pool so many views: one each, and one over several."""
    return views + (views > 1)


def attend(slices: Slices, query: Tensor) -> Pooled:
    """Pool slices by attention; with queries of zeros that is the mean over views of their means.

    A slice that is not there has no weight, whatever stands in its row.

    Args:
        query: [H, Q, D], of each view in turn and, where there are several, of the views.
    """
    features = slices.features.masked_fill(~slices.there[..., None], 0.0)
    scale = query.shape[-1] ** -0.5
    views = slices.there.shape[1]
    embeddings, weights = [], []
    for view in range(views):
        scores = features[:, view] @ query[:, view].T * scale  # [B, T, H]
        own = _softmax(scores, slices.there[:, view, :, None])
        embeddings.append(own.transpose(1, 2) @ features[:, view])
        weights.append(own.transpose(1, 2))
    if views == 1:
        return Pooled(embeddings[0], weights[0][:, :, None])
    every = torch.stack(embeddings, dim=2)  # [B, H, V, D]
    present = slices.there.any(dim=2)[:, :, None]
    scores = (every * query[:, views, None]).sum(-1).transpose(1, 2) * scale  # [B, V, H]
    shares = _softmax(scores, present).transpose(1, 2)
    return Pooled(
        (shares[..., None] * every).sum(dim=2), torch.stack(weights, dim=2) * shares[..., None]
    )


def _softmax(scores: Tensor, there: Tensor) -> Tensor:
    """Return the softmax over dimension 1 of what is there; zeros where nothing is."""
    lowest = torch.finfo(scores.dtype).min
    shares = scores.masked_fill(~there, lowest).softmax(dim=1)
    return shares * there


def _mean(features: Tensor) -> Tensor:
    return features.mean(dim=0)


def _max(features: Tensor) -> Tensor:
    return features.amax(dim=0)


def _median(features: Tensor) -> Tensor:
    return features.quantile(0.5, dim=0)  # of an even number the mean of the middle two


STATISTICS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "mean": _mean,
    "max": _max,
    "median": _median,
}


def summarise(slices: Slices, statistic: str) -> Tensor:
    """Return a statistic [B, D] over each view's slices, and over those of the views.

    Args:
        statistic: "mean", "max" or "median", of each dimension by itself.
    """
    reduce = STATISTICS[statistic]
    return torch.stack(
        [
            reduce(torch.stack([reduce(x[t]) for x, t in zip(own, there, strict=True) if t.any()]))
            for own, there in zip(*slices, strict=True)
        ]
    )
