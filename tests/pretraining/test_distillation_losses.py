"""The cross-entropy that keeps no logits, and KoLeo."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.parametrizations import weight_norm

from omnibench.tasks.pretraining import losses
from omnibench.tasks.pretraining.heads import Head
from omnibench.tasks.pretraining.losses import cross_entropy, koleo
from omnibench.tasks.pretraining.targets import sinkhorn_knopp
from tests.pretraining import straight_line

ROWS, WIDTH, PROTOTYPES, AIMS = 7, 5, 12, 4


def setting(
    rows: int = ROWS, answers: int = 1, seed: int = 0, dtype: Any = torch.float64
) -> tuple[Any, Any, Any, Tensor, Any]:
    """Student's unit vectors, prototypes, targets, which ones, and weights."""
    generator = torch.Generator().manual_seed(seed)

    def noise(*shape: Any) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    actual = functional.normalize(noise(rows, WIDTH), dim=1).requires_grad_()
    prototypes = noise(PROTOTYPES, WIDTH).requires_grad_()
    targets = sinkhorn_knopp(noise(AIMS, PROTOTYPES), 0.5)
    of = torch.randint(0, AIMS, (rows, answers), generator=generator)
    return actual, prototypes, targets, of, noise(rows).abs()


def naive(
    found: Any, prototypes: Any, targets: Any, of: Any, weights: Any, temperature: Any
) -> Any:
    logs = (found @ prototypes.T / temperature).log_softmax(dim=1)
    return sum(
        -weights[row] * (targets.distributions(of[row, k, None])[0] * logs[row]).sum()
        for row in range(len(of))
        for k in range(of.shape[1])
    )


def with_gradients(function: Any, scale: Any, *given: Any) -> tuple[Any, ...]:
    total = function(*given, 0.1)
    return total, *torch.autograd.grad(total * scale, given[:2])


@pytest.mark.parametrize("rows_a_block", [1, 2, 3, ROWS, 100])
@pytest.mark.parametrize("answers", [1, 2, 3])
def test_it_is_the_naive_formula_in_blocks_of_any_size(
    monkeypatch: pytest.MonkeyPatch, answers: int, rows_a_block: Any
) -> None:
    monkeypatch.setattr(losses, "BLOCK_BYTES", rows_a_block * PROTOTYPES * 8)
    given = setting(answers=answers)
    for ours, theirs in zip(
        with_gradients(cross_entropy, 3.7, *given), with_gradients(naive, 3.7, *given), strict=True
    ):
        assert torch.allclose(ours, theirs, rtol=1e-12, atol=1e-14)


def test_a_block_of_less_than_a_row_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(losses, "BLOCK_BYTES", 1)
    given = setting()
    assert torch.allclose(cross_entropy(*given, 0.1), naive(*given, 0.1), rtol=1e-12)


def test_finite_differences_agree() -> None:
    actual, prototypes, targets, of, weights = setting(rows=3, answers=2)
    assert torch.autograd.gradcheck(
        lambda z, w: cross_entropy(z, w, targets, of, weights, 0.5),
        (actual, prototypes),
        eps=1e-6,
        atol=1e-7,
    )


def test_no_rows_give_zero_and_no_gradient() -> None:
    actual, prototypes, targets, of, weights = setting(rows=0)
    total = cross_entropy(actual, prototypes, targets, of, weights, 0.1)
    total.backward()
    assert total == 0
    assert actual.grad.shape == (0, WIDTH)
    assert not prototypes.grad.any()


def test_nothing_of_rows_by_prototypes_is_kept_for_the_backward_pass() -> None:
    def kept(function: Any, *given: Any) -> list[Any]:
        shapes = []

        def pack(tensor: Any) -> Any:
            shapes.append(tuple(tensor.shape))
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            function(*given, 0.1)
        return shapes

    given = setting()
    assert kept(cross_entropy, *given) == [(ROWS, WIDTH), (PROTOTYPES, WIDTH)]
    assert (ROWS, PROTOTYPES) in kept(naive, *given)


def test_sharp_logits_do_not_overflow() -> None:
    actual, prototypes, targets, of, weights = setting(dtype=torch.float32)
    total = cross_entropy(actual, 1e3 * prototypes, targets, of, weights, 0.01)
    exact = [given.double() if given.is_floating_point() else given for given in (actual, of)]
    logits = exact[0] @ (1e3 * prototypes.double()).T / 0.01
    aims = targets.distributions(of[:, 0]).double()
    expected = (weights * -(aims * logits.log_softmax(dim=1)).sum(dim=1)).sum()
    assert float(total.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_autocast_multiplies_in_bf16_and_sums_in_fp32() -> None:
    given = setting(dtype=torch.float32)
    exact = with_gradients(cross_entropy, 1.0, *given)
    with torch.autocast("cpu", torch.bfloat16):
        rough = with_gradients(cross_entropy, 1.0, *given)
    for ours, theirs in zip(rough, exact, strict=True):
        assert ours.dtype == torch.float32
        assert not torch.equal(ours, theirs)
        assert (ours - theirs).abs().max() < 0.02 * theirs.abs().max()


@pytest.mark.parametrize("count", [2, 3, 17])
def test_koleo_is_brute_force(count: int) -> None:
    tokens = torch.randn(count, 6, dtype=torch.float64).mul(9).requires_grad_()
    ours, theirs = koleo(tokens), straight_line.koleo(tokens)
    assert torch.allclose(ours, theirs, rtol=1e-12)
    for mine, expected in zip(
        torch.autograd.grad(ours, tokens), torch.autograd.grad(theirs, tokens), strict=True
    ):
        assert torch.allclose(mine, expected, rtol=1e-9, atol=1e-12)


def test_koleo_of_two_equal_tokens_is_large_and_finite() -> None:
    tokens = torch.ones(4, 6, requires_grad=True)
    actual = koleo(tokens)
    actual.backward()
    assert float(actual.detach()) > 10
    assert tokens.grad is not None
    assert tokens.grad.isfinite().all()


def test_koleo_keeps_its_precision_under_autocast() -> None:
    tokens = torch.randn(8, 6)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(koleo(tokens), koleo(tokens.float()))
        assert koleo(tokens.bfloat16()).dtype == torch.float32
    assert torch.equal(koleo(tokens.bfloat16()), koleo(tokens.bfloat16().float()))


def test_the_head_is_dinov2s() -> None:
    torch.manual_seed(0)
    head = Head(10, 3, 300, 256, 500)
    linears = [layer for layer in head.mlp if isinstance(layer, torch.nn.Linear)]
    assert [tuple(layer.weight.shape) for layer in linears] == [(300, 10), (300, 300), (256, 300)]
    for layer in linears:
        assert float(layer.weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        assert not layer.bias.any()
    last = weight_norm(torch.nn.Linear(256, 500, bias=False))
    with torch.no_grad():
        last.parametrizations.weight.original0.fill_(1)
        last.parametrizations.weight.original1.copy_(head.directions)
    tokens = torch.randn(4, 10)
    assert torch.allclose(head(tokens) @ head.prototypes().T, last(head(tokens)), atol=1e-6)
    assert torch.allclose(head(tokens).norm(dim=1), torch.ones(4))
    # As torch draws a linear layer: uniform within 1 / sqrt(inputs).
    assert float(head.directions.detach().abs().max()) == pytest.approx(
        1 / math.sqrt(256), rel=0.01
    )


def test_a_head_of_one_layer_has_no_hidden_one() -> None:
    head = Head(10, 1, 300, 8, 5)
    assert [name for name, _ in head.mlp.named_parameters()] == ["0.weight", "0.bias"]
