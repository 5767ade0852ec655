from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from omnibench.errors import NumericError
from omnibench.tasks.classification.linear import (
    INIT_STD,
    Seeds,
    Standardise,
    as_targets,
    sigmoid_slope,
    softmax_slope,
    train_heads,
)

FIELDS: dict[str, Any] = {"epochs": 6, "batch": 16, "weight_decay": 0.05}


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(70, 12, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def labels() -> torch.Tensor:
    return torch.randint(0, 3, (70,), generator=torch.Generator().manual_seed(1))


def reference(
    features: torch.Tensor,
    targets: Any,
    rate: Any,
    seeds: Any,
    multi_label: bool,
    *,
    epochs: Any,
    batch: Any,
    weight_decay: Any,
) -> Any:
    """One head in plain PyTorch: nn.Linear, autograd, torch.optim.AdamW, a cosine schedule."""
    count, width = features.shape
    head = nn.Linear(width, targets.shape[1]).double()
    draw = torch.randn(targets.shape[1], width, generator=torch.Generator().manual_seed(seeds.head))
    with torch.no_grad():
        head.weight.copy_(INIT_STD * draw)
        head.bias.zero_()
    groups = [
        {"params": [head.weight], "weight_decay": weight_decay},
        {"params": [head.bias], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=rate)
    total = epochs * -(-count // batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    order = torch.Generator().manual_seed(seeds.order)
    loss_of = (
        nn.functional.binary_cross_entropy_with_logits
        if multi_label
        else nn.functional.cross_entropy
    )
    for _ in range(epochs):
        for rows in torch.randperm(count, generator=order).split(batch):
            logits = head(features[rows].double())
            loss = loss_of(logits, targets[rows].double())
            if multi_label:  # summed over labels, as a separate head for each label would be
                loss = loss * targets.shape[1]
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return head


@pytest.mark.parametrize("multi_label", [False, True])
def test_every_head_equals_a_plain_training_of_its_own(
    features: torch.Tensor, labels: torch.Tensor, multi_label: bool
) -> None:
    targets = torch.eye(3)[labels]
    if multi_label:
        targets[::2, 0] = 1
    rates, seeds = (1e-3, 1e-1), [Seeds(3, 4), Seeds(5, 6), Seeds(7, 8)]
    slope = sigmoid_slope if multi_label else softmax_slope
    heads = train_heads(features, targets, rates, seeds, slope=slope, **FIELDS)
    for r, seed in enumerate(seeds):
        logits = heads.logits(features, r)
        for x, rate in enumerate(rates):
            plain = reference(features, targets, rate, seed, multi_label, **FIELDS)
            assert torch.allclose(heads.weight[r, x].double(), plain.weight, atol=2e-5)
            assert torch.allclose(logits[x].double(), plain(features.double()), atol=2e-4)


def test_standardising_uses_the_training_features_alone_and_keeps_constant_ones() -> None:
    train = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    standardise = Standardise.from_features(train)
    assert torch.equal(standardise(train), torch.tensor([[-1.0, 0.0], [1.0, 0.0]]))
    assert torch.equal(standardise(torch.tensor([[2.0, 7.0]])), torch.tensor([[0.0, 2.0]]))


def test_weights_that_blow_up_are_refused(features: torch.Tensor, labels: torch.Tensor) -> None:
    targets = torch.eye(3)[labels]
    with pytest.raises(NumericError, match="not finite"):
        train_heads(features * float("inf"), targets, (1e-3,), [Seeds(0, 0)], **FIELDS)


def test_targets() -> None:
    assert as_targets(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert as_targets(np.array([[1, 0, 1]]), 3).tolist() == [[1, 0, 1]]
