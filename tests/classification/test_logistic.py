"""The optimum of the penalised logistic loss against scikit-learn's and its own gradient."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from omnibench.tasks.classification import logistic
from omnibench.tasks.classification.linear import as_targets

STRENGTHS = (1e-6, 1e-3, 1.0, 100.0)
LOSS, PROBABILITY = 1e-7, 3e-4  # relative; of the largest difference


def cases(count: int, width: int, classes: int, seed: int = 0) -> tuple[Tensor, NDArray[np.int64]]:
    """Standardised features whose deviations span two decades, a constant one, noisy labels."""
    rng = np.random.default_rng(seed)
    own = rng.normal(size=(count, width)) * np.logspace(0, -2, width)
    labels = (own[:, :classes] + rng.gumbel(size=(count, classes)) / 2).argmax(axis=1)
    turned = own @ np.linalg.qr(rng.normal(size=(width, width)))[0]
    turned = (turned - turned.mean(axis=0)) / turned.std(axis=0)
    turned[:, -1] = 0
    return torch.from_numpy(turned), labels


def objective(
    features: Tensor, truth: Tensor, weight: Tensor, bias: Tensor, strength: float
) -> Tensor:
    """The loss of one output (sigmoid) or of several (softmax), and the penalty."""
    logits = features @ weight.T + bias
    if weight.shape[0] == 1:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], truth.double())
    else:
        loss = torch.nn.functional.cross_entropy(logits, truth)
    return loss + (weight**2).sum() / (2 * strength * len(features))


def reference(features: Tensor, labels: NDArray[Any], strength: float) -> tuple[Tensor, Tensor]:
    model = LogisticRegression(C=strength, tol=1e-8, max_iter=20_000)
    model.fit(features.numpy(), labels)
    return torch.from_numpy(model.coef_), torch.from_numpy(model.intercept_)


@pytest.mark.parametrize(
    ("count", "width", "classes"), [(150, 12, 2), (40, 90, 2), (150, 12, 4), (40, 90, 3)]
)
def test_the_optimum_is_that_of_scikit_learn(count: int, width: int, classes: int) -> None:
    features, labels = cases(count, width, classes)
    truth = torch.from_numpy(labels)
    optima = logistic.fit(features, as_targets(labels, classes), STRENGTHS)
    assert all(optima.converged)
    assert optima.weight.shape == (len(STRENGTHS), classes, width)
    logits = optima.logits(features)
    for place, strength in enumerate(STRENGTHS):
        weight, bias = reference(features, labels, strength)
        expected = objective(features, truth, weight, bias, strength)
        own = optima.weight[place], optima.bias[place]
        if classes == 2:  # of the difference of the two logits
            own = own[0][1:] - own[0][:1], own[1][1:] - own[1][:1]
        actual = objective(features, truth, *own, strength)
        assert actual.item() == pytest.approx(expected.item(), rel=LOSS)
        theirs = features @ weight.T + bias
        if classes == 2:
            theirs = torch.cat([-theirs / 2, theirs / 2], 1)
        gap = logits[place].softmax(1) - theirs.softmax(1)
        assert gap.abs().max() < PROBABILITY


def test_each_label_of_several_is_fitted_as_if_it_were_alone() -> None:
    features, labels = cases(120, 10, 2)
    several = np.stack([labels, 1 - labels, np.arange(120) % 3 == 0], axis=1).astype(np.int64)
    optima = logistic.fit(features, as_targets(several, 3), STRENGTHS, multi_label=True)
    logits = optima.logits(features)
    for place, strength in enumerate(STRENGTHS):
        for label in range(3):
            weight, bias = reference(features, several[:, label], strength)
            expected = (features @ weight.T + bias).sigmoid()[:, 0]
            gap = logits[place, :, label].sigmoid() - expected
            assert gap.abs().max() < PROBABILITY


def test_a_label_that_all_images_show_or_none_has_its_smoothed_odds() -> None:
    features, _ = cases(20, 5, 2)
    targets = torch.ones(20, 2)
    targets[:, 1] = 0
    optima = logistic.fit(features, targets, (1.0, 1e6), multi_label=True)
    assert all(optima.converged)
    odds = np.log(20.5 / 0.5)
    assert optima.logits(features)[:, :, 0].numpy() == pytest.approx(odds)
    assert optima.logits(features)[:, :, 1].numpy() == pytest.approx(-odds)


def test_classes_that_can_be_told_apart_without_error_have_an_optimum_at_every_strength() -> None:
    features, labels = cases(60, 200, 3)
    strengths = (1e-6, 1.0, 1e6)
    optima = logistic.fit(features, as_targets(labels, 3), strengths)
    assert all(optima.converged)
    for place, strength in enumerate(strengths):
        weight = optima.weight[place].clone().requires_grad_()
        bias = optima.bias[place].clone().requires_grad_()
        value = objective(features, torch.from_numpy(labels), weight, bias, strength)
        value.backward()
        assert weight.grad is not None
        # Of a strongly convex function: f - f* <= |g|^2 / (2 m), m = 1 / (C n).
        assert (weight.grad**2).sum() * strength * 60 / 2 < 1e-6 * value.item()


def test_two_images_are_enough() -> None:
    optima = logistic.fit(torch.tensor([[1.0, 0.5], [-1.0, -0.5]]), torch.eye(2), (1.0,))
    assert optima.converged == (True,)
    assert optima.logits(torch.tensor([[1.0, 0.5]]))[0].argmax() == 0


def test_a_strength_has_the_same_optimum_alone_and_in_company() -> None:
    features, labels = cases(100, 20, 3)
    targets = as_targets(labels, 3)
    together = logistic.fit(features, targets, STRENGTHS).logits(features)
    for place, strength in enumerate(STRENGTHS):
        alone = logistic.fit(features, targets, (strength,)).logits(features)[0]
        assert torch.allclose(alone, together[place], atol=1e-5)


def test_what_stops_before_its_optimum_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    features, labels = cases(100, 20, 3)
    monkeypatch.setattr(logistic, "ITERATIONS", 10)
    optima = logistic.fit(features, as_targets(labels, 3), (1e-6, 1e6))
    assert optima.converged == (True, False)
    assert optima.iterations[1] == 10


@pytest.mark.parametrize(("count", "width"), [(30, 8), (8, 30)])
def test_principal_axes_are_orthonormal_and_hold_every_row(count: int, width: int) -> None:
    features = torch.randn(count, width, generator=torch.Generator().manual_seed(0)).double()
    axes = logistic.principal_axes(features)
    assert axes.shape == (width, min(count, width))
    assert torch.allclose(axes.T @ axes, torch.eye(axes.shape[1]).double(), atol=1e-12)
    assert torch.allclose(features @ axes @ axes.T, features, atol=1e-12)
    products = (features @ axes).T @ (features @ axes)
    assert torch.allclose(products, torch.diag(products.diagonal()), atol=1e-10)
