"""The teacher's distributions: Sinkhorn-Knopp, softmax with a running centre, and their figures."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from torch import Tensor

from omnibench.tasks.pretraining.distillation import CENTRE_MOMENTUM
from omnibench.tasks.pretraining.targets import sinkhorn_knopp, softmax
from tests.pretraining import straight_line
from tests.pretraining.tiny_networks import crops, every, model, recipe


def noise(
    rows: int, columns: int, seed: int = 0, spread: float = 1.0, dtype: Any = torch.float64
) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(rows, columns, generator=generator, dtype=dtype)


def in_logarithms(logits: Any, temperature: float) -> Tensor:
    """Sinkhorn-Knopp where nothing can overflow: log p, float64 [R, K]."""
    q = logits.double().numpy() / temperature
    rows, columns = q.shape
    for _ in range(3):
        q = q - logsumexp(q, axis=0, keepdims=True) - np.log(columns)
        q = q - logsumexp(q, axis=1, keepdims=True) - np.log(rows)
    return torch.from_numpy(q + np.log(rows))


@pytest.mark.parametrize(("rows", "columns"), [(12, 7), (5, 40), (1, 9), (30, 2)])
@pytest.mark.parametrize("temperature", [0.04, 0.07, 1.0, 100.0])
def test_sinkhorn_is_the_textbooks(rows: int, columns: int, temperature: float) -> None:
    logits = noise(rows, columns, spread=0.3)
    actual = sinkhorn_knopp(logits.clone(), temperature)
    expected = straight_line.sinkhorn(logits, temperature)
    assert torch.allclose(every(actual), expected, rtol=1e-11, atol=1e-15)
    assert torch.allclose(
        actual.distributions(torch.tensor([rows - 1, 0])), expected[[-1, 0]], rtol=1e-11
    )
    assert torch.allclose(expected.sum(dim=1), torch.ones(rows, dtype=torch.float64))


@pytest.mark.parametrize("shift", [0.0, 500.0, -500.0])
@pytest.mark.parametrize("spread", [0.3, 1.0, 5.0])
def test_float32_holds_cosines_at_the_teachers_temperatures(spread: float, shift: float) -> None:
    logits = noise(24, 50, dtype=torch.float32, spread=spread).clamp(-1, 1)
    expected = in_logarithms(logits, 0.04).exp().float()
    actual = every(sinkhorn_knopp(logits + shift, 0.04))
    # Of a logit of 500, float32 keeps 3e-5: a thousandth of the answer.
    assert torch.allclose(actual, expected, rtol=1e-4 if not shift else 5e-3, atol=1e-6)


@pytest.mark.parametrize("answer", [sinkhorn_knopp, lambda x, t: softmax(x, t, None)])
@pytest.mark.parametrize("temperature", [1e-4, 0.01, 1e4])
@pytest.mark.parametrize("spread", [1.0, 100.0])
def test_rows_sum_to_one_whatever_the_logits(
    answer: Any, temperature: float, spread: float
) -> None:
    logits = noise(20, 30, dtype=torch.float32, spread=spread)
    logits[0] -= 50 * spread  # a row far below all others
    actual = answer(logits, temperature)
    assert torch.allclose(every(actual).sum(dim=1), torch.ones(20), atol=1e-5)
    assert actual.entropies().isfinite().all()
    assert float(actual.usage().sum()) == pytest.approx(20, rel=1e-5)


def test_float64_keeps_to_the_textbook_at_a_hundredth() -> None:
    logits = noise(20, 30).clamp(-1, 1)
    actual = every(sinkhorn_knopp(logits.clone(), 0.01))
    assert torch.allclose(actual, in_logarithms(logits, 0.01).exp(), rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("temperature", [0.04, 1.0])
def test_softmax_is_torchs(temperature: float) -> None:
    logits, centre = noise(9, 14), noise(1, 14, seed=1)[0]
    for given in (None, centre):
        actual = every(softmax(logits.clone(), temperature, given))
        shifted = logits if given is None else logits - given
        assert torch.allclose(actual, (shifted / temperature).softmax(dim=1), rtol=1e-11)


@pytest.mark.parametrize("answer", [sinkhorn_knopp, lambda x, t: softmax(x, t, None)])
def test_entropies_and_usage_are_brute_force(answer: Any) -> None:
    logits = noise(11, 6)
    actual = answer(logits.clone(), 0.5)
    p = every(actual)
    assert torch.allclose(actual.entropies(), -(p * p.log()).sum(dim=1), rtol=1e-11)
    unbalanced = (logits / 0.5).softmax(dim=1)
    assert torch.allclose(actual.usage(), unbalanced.sum(dim=0), rtol=1e-11)


def test_nothing_masked_gives_no_distributions() -> None:
    for actual in (sinkhorn_knopp(noise(0, 5), 0.1), softmax(noise(0, 5), 0.1, None)):
        assert every(actual).shape == (0, 5)


def test_the_centre_is_the_closed_form_over_several_steps() -> None:
    settings = recipe(centring="mean")
    made: Any = model(settings)
    means = []
    for step in range(4):
        shown = crops(settings, seed=step)
        with torch.no_grad():
            tokens, _ = made.teacher.backbone(shown.whole)
            logits = made.teacher.dino(tokens) @ made.teacher.dino.prototypes().T
        means.append(logits.mean(dim=0))
        made.answers(shown, 0.07, "cpu")
    share = 1 - CENTRE_MOMENTUM
    expected = sum(share * CENTRE_MOMENTUM ** (3 - k) * mean for k, mean in enumerate(means))
    assert torch.allclose(made.dino_centre, expected, atol=1e-6)
    assert "dino_centre" in made.state_dict()  # what a checkpoint keeps


def test_sinkhorn_uses_prototypes_alike_where_softmax_does_not() -> None:
    logits = noise(400, 10) * 0.1
    logits[:, 3] += 0.5
    balanced = every(sinkhorn_knopp(logits.clone(), 0.07)).mean(dim=0)
    plain = every(softmax(logits.clone(), 0.07, None)).mean(dim=0)
    assert plain[3] > 0.9
    assert (balanced - 0.1).abs().max() < 0.01
