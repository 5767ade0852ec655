"""The evidential probe: its gradient against autograd, what it stores, and what it learns."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch.distributions import Dirichlet, kl_divergence

from omnibench.cards import BackboneCard
from omnibench.catalogue import tasks
from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.data.npz import card_of
from omnibench.errors import RequestError
from omnibench.recipe import resolve_recipe
from omnibench.stats.selective import aurc_geifman, in_order, risk_at
from omnibench.stats.uncertainty import msp, vacuity
from omnibench.tasks.classification import evidential
from omnibench.tasks.classification.evidential import (
    ACTIVATIONS,
    expected_logits,
    outputs_slope,
    stored_evidence,
)
from omnibench.tasks.classification.linear import Seeds, as_targets, train_heads
from tests.classification.test_runner import write_npz

EVIDENTIAL = tasks.get("classification").adaptations["evidential"]


def loss(evidence: torch.Tensor, truth: torch.Tensor, weight: float, data: float) -> torch.Tensor:
    """Return the loss of evidence [..., K] by torch's Dirichlet distribution, summed."""
    dirichlet = Dirichlet(evidence + 1)
    squared = ((truth - dirichlet.mean) ** 2 + dirichlet.variance).sum()
    misleading = Dirichlet(truth + (1 - truth) * (evidence + 1))
    divergence = kl_divergence(misleading, Dirichlet(torch.ones_like(evidence))).sum()
    return data * squared + weight * divergence


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("classes", [2, 5])
def test_the_gradient_of_classes_is_that_of_autograd(name: str, classes: int) -> None:
    generator = torch.Generator().manual_seed(classes)
    outputs = 3 * torch.randn(2, 3, classes, 40, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, classes, (2, 40), generator=generator)
    truth = torch.eye(classes, dtype=torch.float64)[labels].transpose(1, 2)[:, None]
    leaf = outputs.clone().requires_grad_()
    evidence = ACTIVATIONS[name](leaf)[0].transpose(2, 3)
    loss(evidence, truth.transpose(2, 3).expand_as(evidence), 0.7 * 0.4, 1).backward()
    own = outputs_slope(False, ACTIVATIONS[name], 0.7, outputs, truth, 4)
    assert leaf.grad is not None
    assert torch.allclose(own, leaf.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_gradient_of_labels_is_that_of_beta_distributions(name: str) -> None:
    generator = torch.Generator().manual_seed(7)
    outputs = 2 * torch.randn(1, 2, 6, 30, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 2, (30, 3), generator=generator).double()
    pairs = torch.stack([labels, 1 - labels], dim=2)  # [30, 3, 2]
    truth = pairs.flatten(1).T[None, None]
    leaf = outputs.clone().requires_grad_()
    evidence = ACTIVATIONS[name](leaf)[0].transpose(2, 3).unflatten(3, (3, 2))
    loss(evidence, pairs.expand_as(evidence), 0.5, 0.5).backward()
    own = outputs_slope(True, ACTIVATIONS[name], 0.5, outputs, truth, 10)
    assert leaf.grad is not None
    assert torch.allclose(own, leaf.grad, rtol=1e-9, atol=1e-12)


def test_half_of_two_classes_terms_is_the_squared_error_of_a_beta_distribution() -> None:
    """E[(y - p)^2] under Beta(8, 3) by drawing, against (y - m)^2 + m (1 - m) / (a + b + 1)."""
    draws = np.random.default_rng(0).beta(8, 3, 400_000)
    evidence, truth = torch.tensor([[7.0, 2.0]]), torch.tensor([[1.0, 0.0]])
    assert float(loss(evidence, truth, 0, 0.5)) == pytest.approx(
        ((1 - draws) ** 2).mean(), rel=0.01
    )


def test_the_weight_of_the_divergence_rises_over_ten_epochs() -> None:
    outputs = torch.full((1, 1, 3, 1), 2.0)
    truth = torch.eye(3)[[0]].T[None, None]

    def at(weight: float, epoch: int) -> torch.Tensor:
        return outputs_slope(False, ACTIVATIONS["softplus"], weight, outputs, truth, epoch)

    assert torch.equal(at(1, 0), at(0, 50))
    assert torch.allclose(at(1, 5), at(0.5, 20))
    assert torch.equal(at(1, 10), at(1, 300))


@pytest.mark.parametrize("several", [False, True])
def test_logits_give_the_expected_probabilities_of_the_evidence(several: bool) -> None:
    outputs = 3 * torch.randn(20, 6, generator=torch.Generator().manual_seed(0)).double()
    logits = expected_logits(several, ACTIVATIONS["softplus"], outputs).numpy()
    evidence = stored_evidence(several, ACTIVATIONS["softplus"], outputs)["evidence"].numpy()
    parameters = evidence + 1
    expected = parameters / parameters.sum(axis=-1, keepdims=True)
    if several:
        assert np.allclose(expit(logits), expected[..., 0])
    else:
        assert np.allclose(softmax(logits, axis=1), expected)


def test_a_large_output_has_finite_evidence_and_no_slope() -> None:
    evidence, steepness = evidential.exp(torch.tensor([-2.0, 500.0]))
    assert torch.isfinite(evidence).all()
    assert steepness.tolist() == [pytest.approx(np.exp(-2)), 0]


def unit(folder: Path, options: dict[str, Any], **data: Any) -> tuple[Unit, Context]:
    torch.set_num_threads(1)
    path = folder / "data.npz"
    write_npz(path, **data)
    options = EVIDENTIAL.resolve_options(options, "adaptations[0]")
    unit = Unit(
        task="classification",
        dataset=card_of(path),
        backbone=BackboneCard(id="b", source="random:test_vit", pool="cls"),
        adaptation="evidential",
        short=EVIDENTIAL.short(options),
        options=options,
        recipe=resolve_recipe(
            {"input_size": 32, "precision": "fp32"}, EVIDENTIAL.recipes, "recipe"
        )[1],
        suite_seed=0,
        sources={"dataset": f"data {data}", "backbone": "random:test_vit@0"},
        repetitions=(0, 1),
    )
    return unit, Context(folder / "results", folder / "cache")


@pytest.mark.parametrize(
    ("options", "data"),
    [
        ({}, {}),
        ({"lambda": 0.2, "activation": "relu"}, {"classes": 3}),
        ({"activation": "exp"}, {"multi_label": True}),
    ],
)
def test_a_unit_stores_evidence_of_its_logits_and_is_ranked_by_it(
    tmp_path: Path, options: dict[str, Any], data: dict[str, Any]
) -> None:
    outcomes = list(tasks.get("classification").run(*unit(tmp_path, options, **data)))
    assert [outcome.repetition for outcome in outcomes] == [0, 1]
    for outcome in outcomes:
        arrays, classes = outcome.predictions, outcome.predictions["test_logits"].shape[1]
        shape = (30, classes, 2) if "multi_label" in data else (30, classes)
        assert arrays["test_evidence"].shape == shape
        assert arrays["val_evidence"].shape == (24, *shape[1:])
        assert (arrays["test_evidence"] >= 0).all()
        auc = outcome.metrics["omnirad-classification/auc"]
        assert auc is not None
        assert auc > 0.7
        assert outcome.metrics["selective-evidence/augrc"] is not None
        assert outcome.metrics["selective-evidence/coverage-val-75"] is not None
        outputs = 2 * classes if "multi_label" in data else classes
        assert outcome.cost["trainable_parameters"] % outputs == 0


def test_options_are_named_in_paths_and_wrong_ones_are_refused() -> None:
    given = {"lambda": 0.5, "activation": "relu"}
    assert EVIDENTIAL.short(EVIDENTIAL.resolve_options(given, "a")) == "evidential-l0.5-arelu"
    assert EVIDENTIAL.short(EVIDENTIAL.resolve_options({}, "a")) == "evidential"
    json.dumps(EVIDENTIAL.resolve_options(given, "a"))
    for wrong in ({"lambda": -1}, {"activation": "tanh"}, {"lamda": 1}, {"lambda": float("nan")}):
        with pytest.raises(RequestError, match=r"^a\.evidential"):
            EVIDENTIAL.resolve_options(wrong, "a")


def test_probes_reach_the_bayes_curve_of_a_known_ambiguity() -> None:
    """One embedding x with P(y = 1) = sigmoid(2 x): the best classifier errs by min(eta, 1 - eta).

    Its most certain cases are those of the largest |x|, so that its risk at each coverage is the
    mean of min(eta, 1 - eta) over them.
    """
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(6000, 1, generator=generator)
    eta = torch.sigmoid(2 * x[:, 0])
    labels = (torch.rand(6000, generator=generator) < eta).numpy().astype(np.int64)
    targets = as_targets(labels, 2)
    test = torch.randn(50_000, 1, generator=generator)
    chance = torch.sigmoid(2 * test[:, 0]).numpy()
    wrong = np.minimum(chance, 1 - chance)
    best = in_order(-np.abs(test[:, 0].numpy()), wrong)
    for slope in (
        None,
        lambda o, t, e: outputs_slope(False, ACTIVATIONS["softplus"], 0.1, o, t, e),
    ):
        heads = train_heads(
            x, targets, (0.01,), [Seeds(0, 0)], epochs=20, batch=128, weight_decay=0, slope=slope
        )
        outputs = heads.logits(test, 0)[0]
        if slope is None:
            logits = outputs.numpy()
            uncertain = msp(logits)
        else:
            logits = expected_logits(False, ACTIVATIONS["softplus"], outputs).numpy()
            uncertain = msp(logits)
            evidence = stored_evidence(False, ACTIVATIONS["softplus"], outputs)["evidence"].numpy()
            assert vacuity(evidence).std() > 0
        residual = np.where(logits.argmax(axis=1) == 1, 1 - chance, chance)  # expected errors
        own = in_order(uncertain, residual)
        assert aurc_geifman(own) == pytest.approx(aurc_geifman(best), abs=0.003)
        for coverage in (20, 50, 100):
            assert risk_at(own, coverage) == pytest.approx(risk_at(best, coverage), abs=0.005)
