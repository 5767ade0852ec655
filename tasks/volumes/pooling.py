"""How the embeddings of a study's slices become one: by a statistic, or by attention.

Source of the attention: AnyMC3D (arXiv:2512.12887): a = softmax(H q / sqrt(d)), v = a^T H with one
learned query q; of several views each has its own q, and another pools the views (late fusion).
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .bags import Slices


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
    features, there = slices
    if not there.all():
        features = features.masked_fill(~there[..., None], 0.0)
    scaled = query * query.shape[-1] ** -0.5
    views = there.shape[1]
    embeddings, weights = [], []
    for view in range(views):
        rows = features[:, view]
        scores = scaled[:, view] @ rows.flatten(0, 1).T  # one product for all heads and studies
        own = _softmax(scores.view(-1, *rows.shape[:2]), there[:, view]).transpose(0, 1)
        embeddings.append(own @ rows)
        weights.append(own)
    if views == 1:
        return Pooled(embeddings[0], weights[0][:, :, None])
    every = torch.stack(embeddings, dim=2)  # [B, H, V, D]
    shares = _softmax((every * scaled[:, views, None]).sum(-1), there.any(dim=2)[:, None])
    return Pooled(
        (shares[..., None] * every).sum(dim=2), torch.stack(weights, dim=2) * shares[..., None]
    )


def _softmax(scores: Tensor, there: Tensor) -> Tensor:
    """Return the softmax over the last dimension of what is there; zeros where nothing is."""
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(~there, lowest).softmax(dim=-1) * there


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
