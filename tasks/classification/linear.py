"""Every head of a frozen unit, repetitions x learning rates, trained in one batched pass."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from omnibench.errors import NumericError

INIT_STD = 0.01

# Takes outputs [R, L, C, B] of heads, which it may overwrite, the truth [R, 1, C, B] and the epoch;
# returns the gradient of each case's loss.
Slope = Callable[[Tensor, Tensor, int], Tensor]

# Repetitions are always trained in these groups, asked for or not: kernels split their work by the
# size of the whole batch, so the last bits of a slice depend on how many lie beside it.
GROUP = 5


@dataclass(frozen=True)
class Seeds:
    """One repetition's seeds: of the heads' initial weights and of the data order."""

    head: int
    order: int


@dataclass(frozen=True)
class Standardise:
    """Per-dimension shift and scale taken from the training features [N, D]."""

    mean: Tensor
    std: Tensor

    @classmethod
    def from_features(cls, features: Tensor) -> "Standardise":
        """Means and deviations in float64; a constant dimension keeps its scale."""
        wide = features.double()
        std = wide.std(dim=0, correction=0)
        std[std == 0] = 1.0
        return cls(wide.mean(dim=0).float(), std.float())

    def __call__(self, features: Tensor) -> Tensor:
        return (features - self.mean) / self.std

    def folded(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return weight [C, D] and bias [C] for features as they are, float32 on the CPU."""
        scaled = weight.double() / self.std.double()
        moved = bias.double() - scaled @ self.mean.double()
        return scaled.float().cpu().contiguous(), moved.float().cpu()


@dataclass(frozen=True)
class Heads:
    """Trained heads: weight [R, L, C, D] and bias [R, L, C] for R repetitions and L rates."""

    weight: Tensor
    bias: Tensor

    @property
    def trainable(self) -> int:
        """Number of parameters of one head."""
        return self.bias[0, 0].numel() + self.weight[0, 0].numel()

    def logits(self, features: Tensor, repetition: int) -> Tensor:
        """Logits [L, N, C] of one repetition's heads for features [N, D]."""
        weight = self.weight[repetition]
        flat = features @ weight.flatten(0, 1).T + self.bias[repetition].flatten()
        return flat.view(len(features), *weight.shape[:2]).permute(1, 0, 2)


def train_heads(
    features: Tensor,
    targets: Tensor,
    rates: Sequence[float],
    seeds: Sequence[Seeds],
    *,
    epochs: int,
    batch: int,
    weight_decay: float,
    slope: Slope | None = None,
    rows: Tensor | None = None,
    steps: int | None = None,
) -> Heads:
    """Train linear heads by AdamW under a cosine schedule, all at once.

    A repetition is one slice of a batched product; its rates share the slice's columns. The
    gradient of the loss is written out, which spares autograd's overhead.

    A head of rate r is kept as u = w / r: AdamW's step on w with rate r is its step on u with
    rate 1 for the same gradient, so one fused optimiser serves every rate.

    Args:
        features: float32 [N, D], standardised.
        targets: float32 [N, C], one-hot or multi-label zeros and ones.
        rates: the L learning rates.
        seeds: one for each of the R repetitions.
        slope: of the loss; None for that of the cross-entropy.
        rows: int64 [R, n] of the features that each repetition trains on; None for all.
        steps: of the optimiser, in as many epochs as that takes; None for those of `epochs`.

    Raises:
        NumericError: weights that are not finite.
    """
    width, classes, repetitions = features.shape[1], targets.shape[1], len(seeds)
    rows = torch.arange(len(features)).expand(repetitions, -1) if rows is None else rows
    count = rows.shape[1]
    batch = min(batch, count)
    rate = torch.tensor(rates, device=features.device)
    scale = rate.repeat_interleave(classes).view(1, -1, 1)
    weight = _initial(seeds, len(rates), classes, width).to(features.device) / scale
    bias = torch.zeros_like(weight[..., :1])
    optimiser = torch.optim.AdamW([weight, bias], lr=1.0, weight_decay=0.0, fused=True)
    orders = [torch.Generator().manual_seed(seed.order) for seed in seeds]
    buffer = features.new_empty(repetitions * count, width)
    each_epoch = math.ceil(count / batch)
    steps = epochs * each_epoch if steps is None else steps
    slope = softmax_slope if slope is None else slope
    step = 0
    while step < steps:
        order = torch.cat(
            [
                own[torch.randperm(count, generator=order)]
                for own, order in zip(rows, orders, strict=True)
            ]
        ).to(features.device)
        torch.index_select(features, 0, order, out=buffer)
        shuffled = buffer.view(repetitions, count, width)
        truth = targets.index_select(0, order).view(repetitions, 1, count, classes)
        truth = truth.transpose(2, 3).contiguous()
        for start in range(0, count, batch)[: steps - step]:
            x = shuffled[:, start : start + batch]
            size = x.shape[1]
            logits = torch.bmm(weight, x.transpose(1, 2)).add_(bias).mul_(scale)
            logits = logits.view(repetitions, len(rates), classes, size)
            error = slope(logits, truth[..., start : start + batch], step // each_epoch)
            error = error.div_(size).view(repetitions, -1, size)
            weight.grad = torch.bmm(error, x)
            bias.grad = error.sum(2, keepdim=True)
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
            optimiser.param_groups[0]["lr"] = cosine
            weight.mul_(1 - cosine * weight_decay * scale)
            optimiser.step()
            step += 1
    shape = (repetitions, len(rates), classes)
    heads = Heads((weight * scale).view(*shape, width), (bias * scale).view(shape))
    if not (heads.weight.isfinite().all() and heads.bias.isfinite().all()):
        raise NumericError(
            "the linear probe's weights are not finite after training; lower the recipe's lr"
        )
    return heads


def softmax_slope(logits: Tensor, truth: Tensor, epoch: int) -> Tensor:
    """Return the gradient of the cross-entropy of one-hot classes, a `Slope`."""
    return logits.softmax(2).sub_(truth)


def sigmoid_slope(logits: Tensor, truth: Tensor, epoch: int) -> Tensor:
    """Return the gradient of the binary cross-entropy of labels, a `Slope`."""
    return logits.sigmoid().sub_(truth)


def _initial(seeds: Sequence[Seeds], rates: int, classes: int, width: int) -> Tensor:
    """Normal weights [R, L * C, D]; a repetition's rates start from the same draw."""
    draws = [
        torch.randn(classes, width, generator=torch.Generator().manual_seed(seed.head))
        for seed in seeds
    ]
    return (INIT_STD * torch.stack(draws)).repeat(1, rates, 1)


def as_targets(labels: NDArray[np.int64], classes: int) -> Tensor:
    """float32 [N, C] of class indices [N] (one-hot) or of multi-label zeros and ones [N, C]."""
    if labels.ndim == 2:
        return torch.from_numpy(labels.astype(np.float32))
    return torch.eye(classes)[torch.from_numpy(labels)]
