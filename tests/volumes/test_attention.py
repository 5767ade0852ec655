"""Attention heads that are trained in one pass, against each by itself in plain PyTorch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from omnibench.errors import NumericError
from omnibench.tasks.classification.descent import QUERY_STD
from omnibench.tasks.classification.linear import INIT_STD
from omnibench.tasks.volumes.attention import Heads, Studies, train_heads
from omnibench.tasks.volumes.bags import Layout, with_absent

WIDTH, CLASSES = 8, 3
RATES, SEEDS, ORDER = (1e-3, 3e-2), (11, 12, 13), 5
FIELDS: dict[str, Any] = {"epochs": 4, "batch": 8, "weight_decay": 0.05}


def studies_of(count: int, several: bool, views: int = 1) -> Studies:
    """Studies of 1 to 5 slices in each view."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 6, (count, views))
    total = int(sizes.sum())
    rows = np.full((count, views, 5), total, np.int64)
    start = 0
    for bag, size in zip(rows.reshape(-1, 5), sizes.flatten().tolist(), strict=True):
        bag[:size] = np.arange(start, start + size)
        start += size
    features = torch.from_numpy(rng.normal(size=(total, WIDTH)).astype(np.float32))
    labels = rng.integers(0, CLASSES, count)
    targets = np.eye(CLASSES)[labels] if not several else rng.integers(0, 2, (count, CLASSES))
    return Studies(
        Layout(total, rows), with_absent(features), torch.from_numpy(targets.astype(np.float32))
    )


def reference(studies: Studies, rate: float, seed: int, several: bool) -> Any:
    """One query and linear layer, in float64: autograd, torch.optim.AdamW, a cosine schedule."""
    generator = torch.Generator().manual_seed(seed)
    weight = INIT_STD * torch.randn(CLASSES, WIDTH, generator=generator)
    query = torch.empty(1, WIDTH)
    nn.init.trunc_normal_(query, std=QUERY_STD, generator=generator)
    parts = [nn.Parameter(p.double()) for p in (query[0], weight, torch.zeros(CLASSES))]
    optimiser = torch.optim.AdamW(
        [
            {"params": parts[:2], "weight_decay": FIELDS["weight_decay"]},
            {"params": parts[2:], "weight_decay": 0.0},
        ],
        lr=rate,
    )
    count = len(studies.targets)
    each = -(-count // FIELDS["batch"])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, FIELDS["epochs"] * each)
    order = torch.Generator().manual_seed(ORDER)
    loss_of = (
        nn.functional.binary_cross_entropy_with_logits if several else nn.functional.cross_entropy
    )
    for _ in range(FIELDS["epochs"]):
        shuffled = torch.randperm(count, generator=order)
        for start in range(0, count, FIELDS["batch"]):
            own = shuffled[start : start + FIELDS["batch"]]
            logits = torch.stack([answer(studies, int(study), *parts)[0] for study in own])
            loss = loss_of(logits, studies.targets[own].double(), reduction="none")
            optimiser.zero_grad()
            (loss.sum() / len(own)).backward()
            optimiser.step()
            schedule.step()
    return parts


def answer(studies: Studies, study: int, query: Any, weight: Any, bias: Any) -> Any:
    """Return logits [C] and slice weights [T] of one study."""
    rows = studies.layout.rows[study, 0]
    slices = studies.features[rows[rows < studies.layout.images]].double()
    shares = (slices @ query / WIDTH**0.5).softmax(0)
    return weight @ (shares @ slices) + bias, shares


@pytest.mark.parametrize("several", [False, True])
def test_heads_trained_together_are_those_trained_alone_in_plain_pytorch(several: bool) -> None:
    studies = studies_of(30, several)
    heads = train_heads(studies, RATES, SEEDS, ORDER, several=several, **FIELDS)
    for place, seed in enumerate(SEEDS):
        logits, weights = heads.answers(studies.layout, studies.features, place)
        for own, rate in enumerate(RATES):
            parts = reference(studies, rate, seed, several)
            expected, shares = answer(studies, 7, *parts)
            assert logits[own, 7].numpy() == pytest.approx(expected.detach().numpy(), abs=1e-4)
            there = weights[own, 7, 0, : len(shares)].numpy()
            assert there == pytest.approx(shares.detach().numpy(), abs=1e-5)
            assert (weights[own, 7, 0, len(shares) :] == 0).all()


def test_a_study_alone_has_the_bits_that_it_has_among_others() -> None:
    studies = studies_of(12, several=False, views=2)
    heads = train_heads(studies, RATES, SEEDS, ORDER, several=False, **FIELDS)
    logits, _ = heads.answers(studies.layout, studies.features, 0)
    for study in range(12):
        rows = studies.layout.rows[study : study + 1]
        alone, _ = heads.answers(Layout(studies.layout.images, rows), studies.features, 0)
        assert torch.equal(alone[:, 0], logits[:, study])


def test_a_rate_that_breaks_the_weights_is_refused() -> None:
    studies = studies_of(12, several=False)
    broken = Studies(studies.layout, studies.features * float("inf"), studies.targets)
    with pytest.raises(NumericError, match="lower the recipe's lr"):
        train_heads(broken, RATES, SEEDS, ORDER, several=False, **FIELDS)


def test_heads_hold_one_query_for_each_view_and_one_over_them() -> None:
    studies = studies_of(12, several=False, views=2)
    heads = train_heads(studies, RATES, SEEDS, ORDER, several=False, **FIELDS)
    assert isinstance(heads, Heads)
    assert heads.query.shape == (len(SEEDS), len(RATES), 3, WIDTH)
