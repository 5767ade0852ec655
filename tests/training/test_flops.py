"""FLOPs against closed forms and against torch's own count of a real training step."""

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from omnibench.training.flops import Flops, counted, trained_flops


def test_a_forward_is_two_a_multiply_add_and_leaves_what_is_trained() -> None:
    model = nn.Sequential(nn.Linear(6, 16), nn.GELU(), nn.Linear(16, 3))
    model[0].bias.requires_grad_(False)
    assert counted(model, lambda: model(torch.zeros(5, 6))) == 5 * 2 * (6 * 16 + 16 * 3)
    assert [p.requires_grad for p in model.parameters()] == [True, False, True, True]


def test_a_count_changes_neither_buffers_nor_random_streams() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
    buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
    before = torch.get_rng_state()
    counted(model, lambda: model(torch.randn(3, 4, generator=torch.Generator().manual_seed(0))))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers())


@pytest.mark.parametrize("frozen", [False, True])
def test_a_training_step_costs_what_torch_counts_of_it(frozen: bool) -> None:
    """But for the gradient by the images, which no step computes: one pass of the first layer."""
    backbone = nn.Sequential(nn.Linear(64, 64), nn.GELU(), *[nn.Linear(64, 64) for _ in range(5)])
    head = nn.Linear(64, 7)
    backbone.requires_grad_(not frozen)
    with FlopCounterMode(display=False) as counter:
        head(backbone(torch.randn(1, 64))).sum().backward()
    layer, last = 2 * 64 * 64, 2 * 64 * 7
    # Of a frozen backbone the head's own images have no gradient either.
    spared = last if frozen else layer
    assert trained_flops(6 * layer, last, not frozen) == counter.get_total_flops() + spared


def test_the_total_is_what_was_trained_on_evaluated_and_predicted() -> None:
    assert Flops(3, 10, before=100, after=1000).total(images=7, evaluations=2) == 1141
