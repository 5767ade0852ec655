"""Networks of voxels' signals: all starts of a repetition are trained in one batched network."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from omnibench.errors import NumericError

from .recipes import NetworkRecipe

HIDDEN = 3  # layers, each as wide as there are b-values


class Networks(nn.Module):
    """M networks: three hidden layers with ELU, a linear one, absolute values times scales.

    Each has matrices of its own, so that it becomes what it becomes alone, up to rounding.

    Source:
        Epstein, Bray, Hall-Craggs & Zhang 2024, Choice of training label matters (MELBA 2024:002).
    """

    scales: Tensor

    def __init__(self, width: int, scales: Tensor, seeds: list[int]) -> None:
        super().__init__()
        widths = [width] * (HIDDEN + 1) + [len(scales)]
        layers: list[list[tuple[Tensor, Tensor]]] = [[] for _ in widths[1:]]
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            for own, rows, columns in zip(layers, widths, widths[1:], strict=False):
                bound = 1 / math.sqrt(rows)  # as of torch.nn.Linear
                weight = torch.empty(rows, columns).uniform_(-bound, bound, generator=generator)
                bias = torch.empty(1, columns).uniform_(-bound, bound, generator=generator)
                own.append((weight, bias))
        self.weights = nn.ParameterList([torch.stack([w for w, _ in own]) for own in layers])
        self.biases = nn.ParameterList([torch.stack([b for _, b in own]) for own in layers])
        self.register_buffer("scales", scales)

    def forward(self, signals: Tensor) -> Tensor:
        """Turn signals [B, width] into parameters [M, B, 4]."""
        values = signals.expand(len(self.weights[0]), *signals.shape)
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            values = torch.bmm(values, weight) + bias
            if place < HIDDEN:
                values = functional.elu(values)
        return values.abs() * self.scales

    def only(self, place: int) -> "Networks":
        """Return one of them."""
        chosen = Networks(self.weights[0].shape[1], self.scales.cpu(), [0]).to(self.scales.device)
        with torch.no_grad():
            for own, every in zip(chosen.parameters(), self.parameters(), strict=True):
                own.copy_(every[place : place + 1])
        return chosen


@dataclass(frozen=True)
class Trained:
    """What a training leaves: each start's best state and its validation loss, and the epochs."""

    networks: Networks
    losses: list[float]
    epochs: int

    @property
    def best(self) -> int:
        """The start with the least validation loss, the first of equals."""
        return int(np.argmin(self.losses))


def train(
    networks: Networks,
    signals: tuple[Tensor, Tensor],
    labels: tuple[Tensor, Tensor],
    recipe: NetworkRecipe,
    seed: int,
    progress: Callable[[int], None] = lambda epoch: None,
) -> Trained:
    """Train every network by Adam on the mean squared error over the scales.

    A start whose patience is over keeps its best state, whatever comes; the training ends when all
    have.

    Args:
        signals, labels: of training [N, width] and [N, 4], and of validation.
        seed: of the order of voxels, which all starts share.

    Raises:
        NumericError: no start has a validation loss that is finite.
    """
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(networks.parameters(), lr=recipe.lr)
    best = [parameter.detach().clone() for parameter in networks.parameters()]
    losses = torch.full((len(best[0]),), math.inf, device=best[0].device)
    waited = torch.zeros_like(losses)
    epoch = 0
    for epoch in range(1, recipe.epochs + 1):
        order = torch.randperm(len(labels[0]), generator=generator).to(labels[0].device)
        for rows in order.split(recipe.batch):
            optimiser.zero_grad(set_to_none=True)
            loss_of(networks, signals[0][rows], labels[0][rows]).sum().backward()
            optimiser.step()
        with torch.no_grad():
            current = loss_of(networks, signals[1], labels[1])
            better = (current < losses) & (waited < recipe.patience)
            waited = torch.where(better, 0, waited + 1)
            losses = torch.where(better, current, losses)
            for saved, parameter in zip(best, networks.parameters(), strict=True):
                saved[better] = parameter.detach()[better]
        progress(epoch)
        if bool((waited >= recipe.patience).all()):
            break
    if not bool(losses.isfinite().any()):
        raise NumericError(
            "no start of the network has a finite validation loss; lower `lr` of the recipe"
        )
    with torch.no_grad():
        for parameter, saved in zip(networks.parameters(), best, strict=True):
            parameter.copy_(saved)
    return Trained(networks, losses.tolist(), epoch)


def loss_of(networks: Networks, signals: Tensor, labels: Tensor) -> Tensor:
    """Return the mean squared error over the scales of each network, [M]."""
    errors: Tensor = (networks(signals) - labels) / networks.scales
    return errors.square().mean(dim=(1, 2))
