"""Graph attention (Velickovic et al. 2018, arXiv:1710.10903): a layer, and the pruner of two."""

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN, HEADS = 16, 4


class GraphAttention(nn.Module):
    """A layer in which each node takes its neighbours' mean, weighed by attention (eq. 1-5)."""

    def __init__(self, inputs: int, outputs: int, heads: int) -> None:
        super().__init__()
        self.shape = heads, outputs
        self.linear = nn.Linear(inputs, heads * outputs, bias=False)
        self.own = nn.Parameter(nn.init.xavier_normal_(torch.empty(heads, outputs)))
        self.other = nn.Parameter(nn.init.xavier_normal_(torch.empty(heads, outputs)))
        self.bias = nn.Parameter(torch.zeros(heads * outputs))

    def attention(self, nodes: Tensor, adjacency: Tensor) -> Tensor:
        """Return what each node takes of each, [N, N, heads], of nodes [N, heads, outputs]."""
        own, other = ((nodes * part).sum(dim=-1) for part in (self.own, self.other))
        scores = functional.leaky_relu(own[:, None] + other[None], negative_slope=0.2)
        return scores.masked_fill(~adjacency[..., None], -torch.inf).softmax(dim=1)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Return [N, heads * outputs] of nodes [N, inputs] and bool [N, N], true of itself."""
        nodes = self.linear(x).unflatten(1, self.shape)
        weights = self.attention(nodes, adjacency)
        return torch.einsum("ijh,jho->iho", weights, nodes).flatten(1) + self.bias


class Pruner(nn.Module):
    """Two layers, from branches' features [N, F] to the logits [N] that they are vessels."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.first = GraphAttention(features, HIDDEN, HEADS)
        self.last = GraphAttention(HIDDEN * HEADS, 1, heads=1)

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        logits: Tensor = self.last(functional.elu(self.first(x, adjacency)), adjacency)
        return logits[:, 0]
