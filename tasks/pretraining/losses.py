"""The losses: cross-entropy to the teacher's distributions, and KoLeo's spread of class tokens."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .targets import Targets

# Logits that are in memory at a time.
BLOCK_BYTES = 64 * 2**20


def cross_entropy(
    found: Tensor,
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
        found: z, [R, B] unit vectors of the student.
        prototypes: W, [K, B].
        of: [R, T], the rows of `targets` that a student's row answers to.
        weights: w, [R].
    """
    result: Tensor = _CrossEntropy.apply(found, prototypes, targets, of, weights, temperature)
    return result


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        found: Tensor,
        prototypes: Tensor,
        targets: Targets,
        of: Tensor,
        weights: Tensor,
        temperature: float,
    ) -> Tensor:
        kind = found.device.type
        fast = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else found.dtype
        with torch.autocast(kind, enabled=False):
            z, w = found.to(fast), prototypes.to(fast)
            total = found.new_zeros(())
            to_found = torch.empty_like(found)
            to_prototypes = torch.zeros_like(prototypes)
            block = max(1, BLOCK_BYTES // (len(prototypes) * found.element_size()))
            for start in range(0, len(found), block):
                part = slice(start, start + block)
                logits = (z[part] @ w.T).to(found.dtype).div_(temperature)
                aims = targets.of(of[part, 0])
                for column in of[part, 1:].T:
                    aims += targets.of(column)
                normaliser = logits.logsumexp(dim=1, keepdim=True)
                mass = aims.sum(dim=1, keepdim=True)
                weight = weights[part, None]
                met = torch.linalg.vecdot(aims, logits)[:, None]
                total += (weight * (mass * normaliser - met)).sum()
                # d loss / d logits, in place of them
                slope = logits.sub_(normaliser).exp_().mul_(mass).sub_(aims)
                slope = slope.mul_(weight / temperature).to(fast)
                to_found[part] = slope @ w
                to_prototypes += slope.T @ z[part]
        ctx.save_for_backward(to_found, to_prototypes)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        to_found, to_prototypes = ctx.saved_tensors
        return to_found * gradient, to_prototypes * gradient, None, None, None, None


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
