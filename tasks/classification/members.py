"""A linear layer on a fused backbone's embedding, whose members a learned attention weighs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .descent import descend, drawn, shuffled
from .linear import Heads, Seeds, Slope, softmax_slope


def outputs(features: Tensor, heads: Sequence[Tensor], widths: Sequence[int]) -> Tensor:
    """Return what heads give, [R, L, C, N]: W y + b of y, M a_m x_m side by side.

    The x_m are the M members of an embedding; a is the softmax over m of q_m . x_m / sqrt(d_m), so
    that y is the embedding itself where q is 0. Each member's W_m x_m is weighed, which is the same
    and spares every head a y of its own.

    Args:
        features: [R, N, D]; heads: q [R, L, 1, D], W [R, L, C, D] and b [R, L, C, 1].
        widths: the d_m, whose sum is D.
    """
    query, weight, bias = heads
    members = features.split(tuple(widths), -1)
    rows = torch.cat([query, weight], 2).split(tuple(widths), -1)
    each = [
        torch.bmm(own.flatten(1, 2), x.mT).unflatten(1, own.shape[1:3])
        for own, x in zip(rows, members, strict=True)
    ]
    scores = [own[:, :, :1] / math.sqrt(d) for own, d in zip(each, widths, strict=True)]
    shares = len(widths) * torch.stack(scores).softmax(0)
    return (shares * torch.stack(each)[:, :, :, 1:]).sum(0) + bias


@dataclass(frozen=True)
class MemberHeads(Heads):
    """Trained heads with their queries [R, L, 1, D], of members as wide as `widths`."""

    query: Tensor
    widths: Sequence[int]

    @property
    def trainable(self) -> int:
        """Number of parameters of one head."""
        return super().trainable + self.query.shape[-1]

    def logits(self, features: Tensor, repetition: int) -> Tensor:
        """Logits [L, N, C] of one repetition's heads for features [N, D]."""
        own = slice(repetition, repetition + 1)
        heads = (self.query[own], self.weight[own], self.bias[own, ..., None])
        return outputs(features[None], heads, self.widths)[0].mT


def train_member_heads(
    features: Tensor,
    targets: Tensor,
    rates: Sequence[float],
    seeds: Sequence[Seeds],
    *,
    widths: Sequence[int],
    epochs: int,
    batch: int,
    weight_decay: float,
    slope: Slope = softmax_slope,
    rows: Tensor,
    steps: int | None = None,
) -> MemberHeads:
    """Train as `linear.train_heads` does, from the same weights and in the same order.

    Args:
        widths: of the members, whose embeddings are side by side.

    Raises:
        NumericError: weights that are not finite.
    """
    device, width, classes = features.device, features.shape[1], targets.shape[1]
    count = rows.shape[1]
    batch = min(batch, count)
    steps = epochs * math.ceil(count / batch) if steps is None else steps
    rows = rows.to(device)
    parts = [drawn(seed.head, classes, 1, width, len(rates)) for seed in seeds]

    def gradients(epoch: int, places: Tensor, parts: Sequence[Tensor]) -> Sequence[Tensor]:
        own = rows.gather(1, places.to(device))
        logits = outputs(features[own], parts, widths)
        truth = targets[own].mT[:, None]
        error = slope(logits.detach(), truth, epoch) / places.shape[1]
        return torch.autograd.grad(logits, tuple(parts), error)

    query, weight, bias = descend(
        [torch.stack(part).to(device) for part in zip(*parts, strict=True)],
        torch.tensor(rates, device=device).view(-1, 1, 1),
        shuffled(count, batch, steps, [seed.order for seed in seeds]),
        gradients,
        steps=steps,
        weight_decay=weight_decay,
    )
    return MemberHeads(weight, bias[..., 0], query, widths)
