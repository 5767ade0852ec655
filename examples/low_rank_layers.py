"""The layers of `low_rank_experts.py`, and what attaches them to a backbone."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from omnibench import Trainable, TrainableEncoder, errors


class ExpertLinear(nn.Module):
    """A frozen linear layer and E low-rank experts: W x + sum over e of softmax(R x)_e B_e A_e x.

    B is zero at first, so that the first forward is the backbone's own.
    """

    def __init__(self, layer: nn.Linear, experts: int, r: int) -> None:
        super().__init__()
        self.layer = layer
        self.router = nn.Linear(layer.in_features, experts)
        self.down = nn.Parameter(torch.empty(experts, r, layer.in_features))
        self.up = nn.Parameter(torch.zeros(experts, layer.out_features, r))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., out] of x [..., in]."""
        weights = self.router(x).softmax(dim=-1)
        inner = torch.einsum("...i,eri->...er", x, self.down)
        update = torch.einsum("...er,eor,...e->...o", inner, self.up, weights)
        output: Tensor = self.layer(x) + update
        return output


def attach(encoder: TrainableEncoder, options: Mapping[str, Any]) -> Trainable:
    """Replace every linear layer of the backbone's MLPs by one with experts.

    Raises:
        RequestError: it has none.
    """
    layers = {
        name: part
        for name, part in encoder.module.named_modules()
        if isinstance(part, nn.Linear) and ".mlp." in name
    }
    if not layers:
        raise errors.RequestError(
            f"{type(encoder.module).__name__} has no MLP layers for experts; use `full` or `head`"
        )
    for name, layer in layers.items():
        parent, _, child = name.rpartition(".")
        experts = ExpertLinear(layer, options["experts"], options["r"])
        setattr(encoder.module.get_submodule(parent), child, experts)
    return Trainable(encoder)
