"""The projection head of DINO and iBOT: an MLP to a bottleneck on the sphere, and prototypes."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional


class Head(nn.Module):
    """MLP (GELU), L2 norm, and the prototypes that the result is compared with.

    As DINOv2 builds it: linear weights drawn from a truncated normal of .02, biases 0; prototypes
    weight-normed, with lengths that begin at 1.
    """

    def __init__(
        self, width: int, layers: int, hidden: int, bottleneck: int, prototypes: int
    ) -> None:
        super().__init__()
        widths = [width, *[hidden] * (layers - 1), bottleneck]
        steps: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            linear = nn.Linear(before, after)
            nn.init.trunc_normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
            steps += [linear, nn.GELU()]
        self.mlp = nn.Sequential(*steps[:-1])
        self.directions = nn.Parameter(
            nn.Linear(bottleneck, prototypes, bias=False).weight.detach()
        )
        self.lengths = nn.Parameter(torch.ones(prototypes, 1))

    def forward(self, tokens: Tensor) -> Tensor:
        """[R, D] to unit vectors [R, bottleneck], in fp32 at least."""
        vectors = self.mlp(tokens)
        return functional.normalize(vectors.to(torch.promote_types(vectors.dtype, torch.float32)))

    def prototypes(self) -> Tensor:
        """[K, bottleneck]; a row's length is its `lengths`."""
        weights: Tensor = _WeightNorm.apply(self.directions, self.lengths)
        return weights


class _WeightNorm(torch.autograd.Function):
    """directions / |directions| x lengths by row, in half the passes over K rows autograd takes."""

    @staticmethod
    def forward(ctx: Any, directions: Tensor, lengths: Tensor) -> Tensor:
        norms = torch.linalg.vector_norm(directions, dim=1, keepdim=True)
        ctx.save_for_backward(directions, lengths, norms)
        scaled: Tensor = directions * (lengths / norms)
        return scaled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        directions, lengths, norms = ctx.saved_tensors
        along = torch.linalg.vecdot(gradient, directions)[:, None] / norms
        scale = lengths / norms
        to_directions = gradient * scale
        to_directions.addcmul_(directions, scale * along / norms, value=-1)
        return to_directions, along
