"""The losses: cross-entropy to the teacher's distributions, and KoLeo's spread of class tokens."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .targets import Targets

# Logits in autocast's precision that are in memory at a time, and those in fp32, in the cache.
BLOCK_BYTES = 512 * 2**20
CACHED_BYTES = 16 * 2**20


def cross_entropy(
    vectors: Tensor,
    prototypes: Tensor,
    targets: Targets,
    of: Tensor,
    weights: Tensor,
    temperature: float,
) -> Tensor:
    """sum_r w_r sum_t sum_k -p_(t)k log softmax(z_r W^T / temperature)_k.

    The gradients are taken block by block together with the loss, so that no tensor of rows x
    prototypes is kept for the backward pass; products run in autocast's precision, all else in
    fp32 at least.

    Args:
        vectors: z, [R, B] unit vectors of the student.
        prototypes: W, [K, B].
        of: [R, T], the rows of `targets` that a student's row answers to.
        weights: w, [R].
    """
    result: Tensor = _CrossEntropy.apply(vectors, prototypes, targets, of, weights, temperature)
    return result


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        vectors: Tensor,
        prototypes: Tensor,
        targets: Targets,
        of: Tensor,
        weights: Tensor,
        temperature: float,
    ) -> Tensor:
        kind = vectors.device.type
        fast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else vectors.dtype
        with torch.autocast(kind, enabled=False):
            z, w = (vectors / temperature).to(fast), prototypes.to(fast)
            total = vectors.new_zeros(())
            to_vectors = torch.empty_like(vectors)
            to_prototypes: Tensor | None = None
            for part in _parts(len(vectors), len(prototypes) * w.element_size(), BLOCK_BYTES):
                slopes = z[part] @ w.T  # logits so far, then d loss / d logits
                total += _to_slopes(slopes, targets, of[part], weights[part])
                to_vectors[part] = slopes @ w
                share = (slopes.T @ z[part]).to(prototypes.dtype)
                to_prototypes = share if to_prototypes is None else to_prototypes.add_(share)
            if to_prototypes is None:
                to_prototypes = torch.zeros_like(prototypes)
            to_vectors /= temperature
        ctx.save_for_backward(to_vectors, to_prototypes)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        to_vectors, to_prototypes = ctx.saved_tensors
        return to_vectors * gradient, to_prototypes * gradient, None, None, None, None


def _to_slopes(logits: Tensor, targets: Targets, of: Tensor, weights: Tensor) -> Tensor:
    """Return the loss of some rows, and turn their logits into its gradient, in place."""
    source = targets.exponentials
    total = weights.new_zeros((), dtype=source.dtype)
    mass = of.shape[1]  # of targets that each sum to one
    row_bytes = source.shape[1] * source.element_size()
    parts = list(_parts(len(logits), row_bytes, CACHED_BYTES))
    # Written again and again: fresh memory would cost more than what is computed in it.
    room = source.new_empty(2, min(len(logits), parts[0].stop), source.shape[1])
    for part in parts:
        weight = weights[part]
        slopes, aims = room[:, : len(weight)]
        slopes.copy_(logits[part])
        largest = slopes.amax(dim=1)
        met = torch.zeros_like(largest)
        for column in of[part].T:
            met += torch.linalg.vecdot(targets.distributions(column, out=aims), slopes)
        sums = slopes.sub_(largest[:, None]).exp_().sum(dim=1)
        total += (weight * (mass * (sums.log() + largest) - met)).sum()
        slopes.mul_((mass * weight / sums)[:, None])
        for column in of[part].T:
            if mass > 1:
                targets.distributions(column, out=aims)
            slopes.addcmul_(aims, weight[:, None], value=-1)
        logits[part] = slopes
    return total


def _parts(rows: int, row_bytes: int, most: int) -> Iterator[slice]:
    """Cut rows into parts of at most so many bytes, one row at least."""
    step = max(1, most // row_bytes)
    return (slice(start, start + step) for start in range(0, rows, step))


def koleo(tokens: Tensor) -> Tensor:
    """Mean of -log of each token's distance to its nearest neighbour (Sablayrolles et al. 2019).

    Args:
        tokens: [B, D]; they are brought to unit length, in fp32 at least. Both 1e-8 are DINOv2's.
    """
    with torch.autocast(tokens.device.type, enabled=False):
        exact = tokens.to(torch.promote_types(tokens.dtype, torch.float32))
        units = functional.normalize(exact, eps=1e-8)
        with torch.no_grad():
            cosines = units @ units.T
            nearest = cosines.fill_diagonal_(-1).argmax(dim=1)
        distances = functional.pairwise_distance(units, units[nearest], eps=1e-8)
        return -(distances + 1e-8).log().mean()
