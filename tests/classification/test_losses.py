"""The losses of trained classifiers against torch's and torchvision's."""

from typing import Any

import numpy as np
import pytest
import torch
from timm.data.mixup import mixup_target
from timm.loss.cross_entropy import SoftTargetCrossEntropy
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from omnibench.errors import RequestError
from omnibench.tasks.classification.losses import ClassLoss, class_weights
from omnibench.tasks.classification.recipes import TrainedRecipe
from omnibench.training.job import Batch
from omnibench.training.mixup import Pairs

N, C = 40, 5
RNG = np.random.default_rng(0)
SEVERAL = (RNG.random((N, C)) < [0.1, 0.3, 0.5, 0.7, 0.9]).astype(np.int64)
SINGLE = RNG.integers(0, C, N)
LOGITS = torch.from_numpy(3 * RNG.standard_normal((N, C))).float()
TRUTH = torch.from_numpy(SEVERAL).float()


def loss(labels: Any, logits: torch.Tensor = LOGITS, parts: int = 1, **recipe: Any) -> torch.Tensor:
    """Return the loss of all cases, put together of parts."""
    own, whole = ClassLoss(labels, C, TrainedRecipe(**recipe)), torch.arange(N)
    shares = [own(logits[rows], Batch(0, rows, rows, whole)) for rows in whole.chunk(parts)]
    return torch.stack(shares).sum()


def test_without_focus_it_is_the_cross_entropy() -> None:
    binary = functional.binary_cross_entropy_with_logits(LOGITS, TRUTH)
    several = functional.cross_entropy(LOGITS, torch.from_numpy(SINGLE))
    focused: dict[str, Any] = {"loss": "focal", "focal_gamma": 0.0}
    for recipe in ({}, focused):
        assert torch.allclose(loss(SEVERAL, **recipe), binary)
        assert torch.allclose(loss(SINGLE, **recipe), several)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_focal_loss_of_labels_and_its_slope_are_torchvisions(gamma: float) -> None:
    actual, reference = (LOGITS.clone().requires_grad_() for _ in range(2))
    own = loss(SEVERAL, actual, loss="focal", focal_gamma=gamma)
    expected = sigmoid_focal_loss(reference, TRUTH, alpha=-1, gamma=gamma, reduction="mean")
    assert torch.allclose(own, expected, atol=1e-6)
    own.backward()
    expected.backward()
    assert actual.grad is not None
    assert reference.grad is not None
    assert torch.allclose(actual.grad, reference.grad, atol=1e-6)


def test_the_focal_loss_of_classes_is_the_formula() -> None:
    p = LOGITS.double().softmax(1)[torch.arange(N), torch.from_numpy(SINGLE)]
    expected = ((1 - p) ** 2 * -p.log()).mean()
    assert loss(SINGLE, loss="focal").item() == pytest.approx(expected.item(), rel=1e-5)


def test_smoothed_and_mixed_targets_have_the_losses_of_torch_and_timm() -> None:
    labels = torch.from_numpy(SINGLE)
    expected = functional.cross_entropy(LOGITS, labels, label_smoothing=0.1)
    assert torch.allclose(loss(SINGLE, parts=3, label_smoothing=0.1), expected)
    own, rows = ClassLoss(SINGLE, C, TrainedRecipe(label_smoothing=0.1)), torch.arange(N)
    batch = Batch(0, rows, rows, rows)
    pairs = Pairs.from_batch(batch, 0.5, seed=0)
    timms_targets: Any = mixup_target
    timms_loss: Any = SoftTargetCrossEntropy
    targets = timms_targets(labels, C, pairs.share, smoothing=0.1)
    mixed = own(LOGITS, batch, pairs)
    assert torch.allclose(mixed, timms_loss()(LOGITS, targets))
    with pytest.raises(RequestError, match="label_smoothing: it is of one class an image"):
        loss(SEVERAL, label_smoothing=0.1)


def test_prevalence_weighs_presence_and_absence_of_a_label_the_same() -> None:
    weights = class_weights(SEVERAL, C, "prevalence")
    there = torch.from_numpy(SEVERAL).sum(0)
    assert torch.allclose(weights * there, (N - there).float())
    expected = functional.binary_cross_entropy_with_logits(LOGITS, TRUTH, pos_weight=weights)
    assert torch.allclose(loss(SEVERAL, class_weights="prevalence"), expected)
    focal = sigmoid_focal_loss(LOGITS, TRUTH, alpha=-1, gamma=2)
    own = torch.where(TRUTH > 0, weights, 1.0)
    actual = loss(SEVERAL, class_weights="prevalence", loss="focal")
    assert torch.allclose(actual, (own * focal).mean(), atol=1e-6)
    assert class_weights(np.zeros((4, 2), np.int64), 2, "prevalence").tolist() == [1, 1]


def test_classes_are_weighed_by_the_root_of_their_inverse_share() -> None:
    weights = torch.from_numpy(np.sqrt(N / np.bincount(SINGLE))).float()
    expected = functional.cross_entropy(LOGITS, torch.from_numpy(SINGLE), weights)
    assert torch.allclose(loss(SINGLE, class_weights="sqrt-inverse"), expected)


@pytest.mark.parametrize("labels", [SINGLE, SEVERAL])
def test_parts_of_a_step_add_up_to_its_loss(labels: Any) -> None:
    kind = "prevalence" if labels.ndim == 2 else "sqrt-inverse"
    recipe: dict[str, Any] = {"loss": "focal", "class_weights": kind}
    assert torch.allclose(loss(labels, **recipe), loss(labels, parts=7, **recipe))


def test_a_certain_answer_has_finite_slopes_at_any_gamma() -> None:
    certain = (200 * (2 * TRUTH - 1)).requires_grad_()
    loss(SEVERAL, certain, loss="focal", focal_gamma=0.5).backward()
    assert certain.grad is not None
    assert torch.isfinite(certain.grad).all()


@pytest.mark.parametrize(
    ("labels", "kind", "way_out"),
    [(SEVERAL, "sqrt-inverse", "prevalence"), (SINGLE, "prevalence", "sqrt-inverse")],
)
def test_weights_of_the_other_sort_of_labels_are_refused(
    labels: Any, kind: str, way_out: str
) -> None:
    with pytest.raises(RequestError, match=f"'{kind}' is not defined; use '{way_out}'"):
        loss(labels, class_weights=kind)


def test_a_gamma_without_the_focal_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="focal_gamma is of the focal loss; add `loss: focal`"):
        TrainedRecipe(focal_gamma=1.0)
