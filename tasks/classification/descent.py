"""Draw and train heads with learned queries, all at once by autograd."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from omnibench.errors import NumericError

from .linear import INIT_STD

QUERY_STD = 0.02  # of the truncated normal draw, as the public reimplementation of AnyMC3D has it

Batch = tuple[int, Tensor]  # the epoch, and int64 [R, B] of rows


def drawn(
    seed: int, classes: int, queries: int, width: int, rates: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries [L, Q, D], weights [L, C, D] and biases [L, C, 1], the same for each rate."""
    generator = torch.Generator().manual_seed(seed)
    weight = INIT_STD * torch.randn(classes, width, generator=generator)
    query = torch.empty(queries, width)
    nn.init.trunc_normal_(query, std=QUERY_STD, generator=generator)
    return (
        query.expand(rates, -1, -1),
        weight.expand(rates, -1, -1),
        torch.zeros(rates, classes, 1),
    )


def shuffled(count: int, batch: int, steps: int, seeds: Sequence[int]) -> Iterator[Batch]:
    """Yield a batch a step: each epoch shuffles `count` rows by every one of R seeds."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    each_epoch = math.ceil(count / batch)
    for step in range(steps):
        epoch, place = divmod(step, each_epoch)
        if place == 0:
            order = torch.stack([torch.randperm(count, generator=own) for own in generators])
        yield epoch, order[:, place * batch : (place + 1) * batch]


def descend(
    start: Sequence[Tensor],
    rates: Tensor,
    batches: Iterable[Batch],
    gradients: Callable[[int, Tensor, Sequence[Tensor]], Sequence[Tensor]],
    *,
    steps: int,
    weight_decay: float,
) -> list[Tensor]:
    """Train by AdamW under a cosine schedule; the last part, the bias, is not decayed.

    As in `linear.train_heads`, a part of rate r is kept as u = w / r, so that one fused optimiser
    serves every rate.

    Args:
        start: the parts; rates: of each, as it broadcasts over them.
        gradients: (epoch, rows of a batch, the parts, which require gradients) -> those gradients.

    Raises:
        NumericError: weights that are not finite.
    """
    parts = [part / rates for part in start]
    optimiser = torch.optim.AdamW(parts, lr=1.0, weight_decay=0.0, fused=True)
    for step, (epoch, rows) in enumerate(batches):
        slopes = gradients(epoch, rows, [(part * rates).requires_grad_() for part in parts])
        cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
        optimiser.param_groups[0]["lr"] = cosine
        for part, slope in zip(parts, slopes, strict=True):
            part.grad = slope.contiguous()  # the fused step reads it in the part's own layout
        for part in parts[:-1]:
            part.mul_(1 - cosine * weight_decay * rates)
        optimiser.step()
    trained = [part * rates for part in parts]
    if not all(part.isfinite().all() for part in trained):
        raise NumericError(
            "the attention's weights are not finite after training; lower the recipe's lr"
        )
    return trained
