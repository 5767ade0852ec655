"""Batched networks: each start is what torch's own layers and training give of it alone."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from omnibench.errors import NumericError
from omnibench.tasks.qmri.networks import Networks, loss_of, train
from omnibench.tasks.qmri.recipes import NetworkRecipe

SCALES = torch.tensor([1.0, 0.3, 1.7, 80.0])
RECIPE = NetworkRecipe(epochs=15, batch=20, lr=1e-2, starts=3)


def data(count: int, seed: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    signals = torch.rand(count, 5, generator=generator)
    return signals, signals[:, :4] * SCALES


def both() -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    train_part, val_part = data(50, 0), data(30, 1)
    return (train_part[0], val_part[0]), (train_part[1], val_part[1])


def as_layers(networks: Networks, place: int) -> nn.Sequential:
    """Return one start as torch's own layers, without the absolute value."""
    layers: list[nn.Module] = []
    for weight, bias in zip(networks.weights, networks.biases, strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[2])
        with torch.no_grad():
            layer.weight.copy_(weight[place].T)
            layer.bias.copy_(bias[place, 0])
        layers += [layer, nn.ELU()]
    return nn.Sequential(*layers[:-1])


def test_outputs_equal_those_of_torchs_layers() -> None:
    networks = Networks(5, SCALES, [0, 1, 2])
    signals, _ = data(7, 0)
    for place in range(3):
        expected = as_layers(networks, place)(signals).abs() * SCALES
        assert torch.allclose(networks(signals)[place], expected, atol=1e-5)
        assert torch.allclose(networks.only(place)(signals)[0], networks(signals)[place])
    assert (networks(signals) >= 0).all()


def test_a_training_equals_a_plain_loop_with_torchs_layers_and_adam() -> None:
    signals, labels = both()
    networks = Networks(5, SCALES, [0, 1, 2])
    plain = as_layers(networks, 1)
    trained = train(networks, signals, labels, RECIPE, seed=3)
    optimiser = torch.optim.Adam(plain.parameters(), lr=RECIPE.lr)
    generator, best, waited = torch.Generator().manual_seed(3), math.inf, 0
    state: dict[str, Any] | None = None
    for _ in range(RECIPE.epochs):
        if waited == 3:  # a fifth of 15 epochs
            break
        for rows in torch.randperm(50, generator=generator).split(RECIPE.batch):
            optimiser.zero_grad()
            outputs = plain(signals[0][rows]).abs() * SCALES
            nn.functional.mse_loss(outputs / SCALES, labels[0][rows] / SCALES).backward()
            optimiser.step()
        with torch.no_grad():
            outputs = plain(signals[1]).abs() * SCALES
            loss = float(nn.functional.mse_loss(outputs / SCALES, labels[1] / SCALES))
        waited += 1
        if loss < best:
            best, state, waited = loss, copy.deepcopy(plain.state_dict()), 0
    assert state is not None
    assert trained.losses[1] == pytest.approx(best, rel=1e-4)
    plain.load_state_dict(state)
    expected = plain(signals[1]).abs() * SCALES
    assert torch.allclose(trained.networks(signals[1])[1], expected, rtol=1e-3, atol=1e-3)


def test_each_start_becomes_what_it_becomes_alone() -> None:
    signals, labels = both()
    together = train(Networks(5, SCALES, [0, 1, 2]), signals, labels, RECIPE, seed=3)
    alone = train(Networks(5, SCALES, [2]), signals, labels, RECIPE, seed=3)
    assert alone.losses[0] == pytest.approx(together.losses[2], rel=1e-4)
    outputs = alone.networks(signals[1])[0], together.networks(signals[1])[2]
    assert torch.allclose(*outputs, rtol=1e-3)


def test_what_is_used_is_the_best_of_validation() -> None:
    signals, labels = both()
    trained = train(Networks(5, SCALES, [0, 1, 2]), signals, labels, RECIPE, seed=3)
    with torch.no_grad():
        losses = loss_of(trained.networks, signals[1], labels[1]).tolist()
    assert losses == pytest.approx(trained.losses, rel=1e-6)
    assert trained.losses[trained.best] == min(trained.losses)


def test_a_training_that_gets_no_better_ends_after_a_fifth_of_its_epochs() -> None:
    signals, labels = both()
    still = RECIPE.model_copy(update={"lr": 1e-30, "epochs": 20})
    trained = train(Networks(5, SCALES, [0, 1]), signals, labels, still, seed=3)
    assert trained.epochs == 1 + still.patience == 5


def test_a_training_without_a_finite_loss_is_refused() -> None:
    signals, labels = both()
    wild = (signals[0] * math.inf, signals[1] * math.inf)
    with pytest.raises(NumericError, match="no start of the network has a finite validation loss"):
        train(Networks(5, SCALES, [0]), wild, labels, RECIPE, seed=3)
