"""Low-rank experts beside a frozen layer, weighed by a router."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

Router = Literal["soft", "uniform", "none"]


class LowRankExperts(nn.Module):
    """A base f and K low-rank experts: f(x) + sum over i of g_i(x) (alpha / r) B_i A_i x.

    g is softmax(MLP(x)) with one hidden layer and GELU (`soft`), 1 / K (`uniform`) or 1 (`none`).
    One expert is a LoRA (Hu et al. 2021), drawn as peft draws it: A uniform on +-1 / sqrt(D), B
    zero, so that the first forward is the base's own and the router's first gradient exactly 0. A
    is drawn first, so that the router changes no draw of it.

    Attributes:
        down: the experts' A, one above the other [K r, D]; up: their B, side by side [out, K r].
    """

    def __init__(
        self,
        base: nn.Module,
        width: int,
        out: int,
        r: int,
        alpha: int,
        experts: int = 1,
        router: Router = "none",
        hidden: float = 0.25,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.base, self.experts, self.r, self.scale = base, experts, r, alpha / r
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Parameter(torch.empty(experts * r, width))
        self.up = nn.Parameter(torch.zeros(out, experts * r))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))
        self.router: nn.Module | None = None
        if router == "soft":
            inner = max(1, round(hidden * width))
            self.router = nn.Sequential(
                nn.Linear(width, inner), nn.GELU(), nn.Linear(inner, experts)
            )
        elif router == "uniform":
            self.scale /= experts

    def routing(self, x: Tensor) -> Tensor | None:
        """Return the router's weights [..., K] of x [..., D]; None where every expert has one."""
        weights: Tensor | None = None if self.router is None else self.router(x).softmax(dim=-1)
        return weights

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., out] of x [..., D]."""
        inner = nn.functional.linear(self.dropout(x), self.down)
        if (weights := self.routing(x)) is not None:
            inner = inner * weights.repeat_interleave(self.r, dim=-1)
        output: Tensor = self.base(x) + self.scale * nn.functional.linear(inner, self.up)
        return output
