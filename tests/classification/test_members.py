"""Attention over the members of a fused embedding: what it computes, and heads trained with it."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from omnibench.errors import NumericError
from omnibench.tasks.classification.descent import QUERY_STD
from omnibench.tasks.classification.linear import (
    INIT_STD,
    Heads,
    Seeds,
    sigmoid_slope,
    softmax_slope,
    train_heads,
)
from omnibench.tasks.classification.members import MemberHeads, train_member_heads

WIDTHS, CLASSES, COUNT = (5, 3, 8), 3, 24
WIDTH = sum(WIDTHS)
RATES, SEEDS = (1e-3, 3e-2), [Seeds(3, 4), Seeds(5, 6)]
FIELDS: dict[str, Any] = {"epochs": 4, "batch": 8, "weight_decay": 0.05}


@pytest.fixture
def features() -> torch.Tensor:
    return torch.randn(COUNT + 6, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def rows() -> torch.Tensor:
    """Rows of two repetitions that train on other subsets."""
    return torch.stack([torch.arange(COUNT), torch.arange(6, COUNT + 6)])


def targets_of(several: bool) -> torch.Tensor:
    rng = np.random.default_rng(1)
    if several:
        return torch.from_numpy(rng.integers(0, 2, (COUNT + 6, CLASSES))).float()
    return torch.eye(CLASSES)[torch.from_numpy(rng.integers(0, CLASSES, COUNT + 6))]


def explicitly(x: Any, query: Any) -> Any:
    """One embedding [D] whose members are weighed, member by member."""
    ends = np.cumsum((0, *WIDTHS))
    parts = [slice(a, b) for a, b in itertools.pairwise(ends)]
    powers = [torch.exp(query[p] @ x[p] / d**0.5) for p, d in zip(parts, WIDTHS, strict=True)]
    return torch.cat(
        [len(WIDTHS) * a / sum(powers) * x[p] for a, p in zip(powers, parts, strict=True)]
    )


def reference(features: Any, targets: Any, rate: float, seed: Seeds, several: bool) -> Any:
    """One query and linear layer, in float64: autograd, torch.optim.AdamW, a cosine schedule."""
    generator = torch.Generator().manual_seed(seed.head)
    weight = INIT_STD * torch.randn(CLASSES, WIDTH, generator=generator)
    query = torch.empty(1, WIDTH)
    nn.init.trunc_normal_(query, std=QUERY_STD, generator=generator)
    parts = [nn.Parameter(p.double()) for p in (query[0], weight, torch.zeros(CLASSES))]
    groups = [
        {"params": parts[:2], "weight_decay": FIELDS["weight_decay"]},
        {"params": parts[2:], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=rate)
    steps = FIELDS["epochs"] * -(-len(features) // FIELDS["batch"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    order = torch.Generator().manual_seed(seed.order)
    loss_of = (
        nn.functional.binary_cross_entropy_with_logits if several else nn.functional.cross_entropy
    )
    for _ in range(FIELDS["epochs"]):
        for own in torch.randperm(len(features), generator=order).split(FIELDS["batch"]):
            loss = loss_of(answers(features[own], *parts), targets[own].double(), reduction="none")
            optimiser.zero_grad()
            (loss.sum() / len(own)).backward()
            optimiser.step()
            schedule.step()
    return parts


def answers(features: Any, query: Any, weight: Any, bias: Any) -> Any:
    return torch.stack([weight @ explicitly(x.double(), query) + bias for x in features])


@pytest.mark.parametrize("several", [False, True])
def test_every_head_equals_a_plain_training_of_its_own(
    features: torch.Tensor, rows: torch.Tensor, several: bool
) -> None:
    targets, slope = targets_of(several), sigmoid_slope if several else softmax_slope
    heads = train_member_heads(
        features, targets, RATES, SEEDS, widths=WIDTHS, slope=slope, rows=rows, **FIELDS
    )
    for place, seed in enumerate(SEEDS):
        own, logits = rows[place], heads.logits(features, place)
        for x, rate in enumerate(RATES):
            parts = reference(features[own], targets[own], rate, seed, several)
            assert torch.allclose(heads.query[place, x, 0].double(), parts[0], atol=2e-5)
            assert torch.allclose(logits[x].double(), answers(features, *parts), atol=2e-4)
    assert heads.trainable == CLASSES * (WIDTH + 1) + WIDTH


def test_queries_of_zeros_leave_the_embeddings_side_by_side(features: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(2, len(RATES), CLASSES, WIDTH, generator=generator)
    bias = torch.randn(2, len(RATES), CLASSES, generator=generator)
    heads = MemberHeads(weight, bias, torch.zeros(2, len(RATES), 1, WIDTH), WIDTHS)
    for place in range(2):
        concat = Heads(weight, bias).logits(features, place)
        assert torch.allclose(heads.logits(features, place), concat, atol=1e-5)


def test_one_member_is_that_backbone(features: torch.Tensor, rows: torch.Tensor) -> None:
    targets = targets_of(several=False)
    heads = train_member_heads(
        features, targets, RATES, SEEDS, widths=(WIDTH,), rows=rows, **FIELDS
    )
    plain = train_heads(features, targets, RATES, SEEDS, rows=rows, **FIELDS)
    assert torch.allclose(heads.weight, plain.weight, atol=1e-6)
    assert torch.allclose(heads.bias, plain.bias, atol=1e-6)
    assert torch.allclose(heads.logits(features, 1), plain.logits(features, 1), atol=1e-5)


def test_a_rate_that_breaks_the_weights_is_refused(
    features: torch.Tensor, rows: torch.Tensor
) -> None:
    broken, targets = features * float("inf"), targets_of(several=False)
    with pytest.raises(NumericError, match="lower the recipe's lr"):
        train_member_heads(broken, targets, RATES, SEEDS, widths=WIDTHS, rows=rows, **FIELDS)
