import pytest
import torch

from omnibench.training.schedule import factor


@pytest.mark.parametrize(("epochs", "warmup", "start"), [(40, 10, 0.01), (7, 2, 0.5)])
def test_by_epoch_it_is_torchs_linear_then_cosine(epochs: int, warmup: int, start: float) -> None:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    linear = torch.optim.lr_scheduler.LinearLR(optimiser, start_factor=start, total_iters=warmup)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs - warmup)
    both = torch.optim.lr_scheduler.SequentialLR(optimiser, [linear, cosine], milestones=[warmup])
    for epoch in range(epochs):
        ours = factor(epoch, epochs, warmup, start)
        assert ours == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-6)
        optimiser.step()
        both.step()


def test_ends_and_middle() -> None:
    assert factor(0, 10, 0, 0.01) == 1
    assert factor(0, 10, 2, 0.01) == 0.01
    assert factor(1, 10, 2, 0.0) == 0.5
    assert factor(6, 10, 2, 0.0) == pytest.approx(0.5)
    assert factor(10, 10, 2, 0.0) == pytest.approx(0)
    assert factor(6, 10, 2, 0.0, "none") == 1
    assert factor(1, 10, 2, 0.0, "none") == 0.5
    assert factor(4, 10, 2, 0.0, "linear") == pytest.approx(0.75)


def test_by_epoch_the_steps_are_torchs_multi_step() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    steps = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones=[50, 75], gamma=0.1)
    for epoch in range(100):
        ours = factor(epoch, 100, 0, 0.01, "step")
        assert ours == pytest.approx(optimiser.param_groups[0]["lr"], rel=1e-9)
        optimiser.step()
        steps.step()


def test_a_floor_is_that_of_torchs_cosine() -> None:
    optimiser = torch.optim.SGD([torch.zeros(1)], lr=0.3)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=30, eta_min=0.006)
    for epoch in range(31):
        expected = optimiser.param_groups[0]["lr"]
        assert 0.3 * factor(epoch, 30, 0, 0.0, floor=0.02) == pytest.approx(expected, rel=1e-9)
        optimiser.step()
        cosine.step()
    assert factor(6, 10, 2, 0.0, "linear", 0.2) == pytest.approx(0.6)
    assert factor(1, 10, 2, 0.0, "cosine", 0.2) == 0.5
