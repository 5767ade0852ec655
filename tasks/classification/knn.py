"""Weighted k nearest neighbours on cosine similarity (Wu et al. 2018, as in DINO's evaluation)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from omnibench.errors import RequestError

from .refusals import too_few_neighbours

QUERY_ROWS = 1024
FLOOR = 1e-6  # a class without a vote keeps a finite logit


def vote_shares(
    train: Tensor, targets: Tensor, queries: Tensor, ks: Sequence[int], temperature: float
) -> Tensor:
    """Return each query's vote shares [K, Q, C] for every k.

    The k training features nearest by cosine vote for their labels with weight
    exp(cosine / temperature); shares sum to one over the classes of a single-label dataset.

    Args:
        train: float32 [N, D] features; targets: float32 [N, C] zeros and ones.
        queries: float32 [Q, D].

    Raises:
        RequestError: every k exceeds the number of training images.
    """
    if min(ks) > len(train):
        raise RequestError(too_few_neighbours(ks, len(train)))
    train = functional.normalize(train, dim=1)
    shares = torch.empty(len(ks), len(queries), targets.shape[1])
    for start in range(0, len(queries), QUERY_ROWS):
        block = functional.normalize(queries[start : start + QUERY_ROWS], dim=1)
        similarity, index = (block @ train.T).topk(min(max(ks), len(train)), dim=1)
        # Relative to the nearest one, so that a small temperature cannot overflow.
        weight = ((similarity - similarity[:, :1]) / temperature).exp()
        votes = (weight[..., None] * targets[index]).cumsum(dim=1)
        total = weight.cumsum(dim=1)[..., None]
        for place, k in enumerate(ks):
            last = min(k, len(train)) - 1
            shares[place, start : start + len(block)] = (votes[:, last] / total[:, last]).cpu()
    return shares


def as_logits(shares: Tensor, multi_label: bool) -> Tensor:
    """Logits whose softmax (or sigmoid) gives the shares back, floored at FLOOR."""
    if multi_label:
        return shares.clamp(FLOOR, 1 - FLOOR).logit()
    return shares.clamp_min(FLOOR).log()
