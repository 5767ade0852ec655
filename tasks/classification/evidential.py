"""Evidential probe: a linear layer on frozen embeddings that gives evidence of each class.

With evidence e >= 0 of each of K classes, Dirichlet parameters are e + 1, probabilities their mean,
and the vacuity K / sum(e + 1) is what is not known. A label of a multi-label dataset has evidence
for and against it: a Beta distribution, K = 2.

Source:
    Sensoy, Kaplan & Kandemir 2018, Evidential deep learning to quantify classification
    uncertainty, eq. 5 with the KL term below it; of a label: Ghesu et al. 2021, Quantifying and
    leveraging predictive uncertainty for medical image assessment.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from omnibench.cell import Unit
from omnibench.context import Context
from omnibench.encoders.frozen import UnitFeatures

from .cases import Cases
from .linear import as_targets
from .probes import Fit, Head, fit_head

ANNEALED = 10  # epochs over which the KL term comes to its weight
MOST = 10.0  # of an output whose exponential is evidence: 22,000


def fit_evidential(
    unit: Unit, features: UnitFeatures, cases: Cases, context: Context
) -> Iterator[Fit]:
    """Yield each repetition's fit, whose logits have the expected probabilities as softmax."""
    weight, activation = unit.options["lambda"], ACTIVATIONS[unit.options["activation"]]
    targets = as_targets(cases.labels["train"], cases.classes)
    if cases.multi_label:
        targets = torch.stack([targets, 1 - targets], dim=2).flatten(1)
    head = Head(
        targets,
        partial(outputs_slope, cases.multi_label, activation, weight),
        partial(expected_logits, cases.multi_label, activation),
        partial(stored_evidence, cases.multi_label, activation),
    )
    return fit_head(unit, features, cases, context, head)


def softplus(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return log(1 + e^x) and its derivative."""
    return functional.softplus(outputs), outputs.sigmoid()


def relu(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return max(x, 0) and its derivative."""
    return outputs.relu(), (outputs > 0).to(outputs.dtype)


def exp(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return e^x, constant beyond `MOST`, and its derivative."""
    powers = outputs.clamp(max=MOST).exp()
    return powers, powers * (outputs < MOST)


Activation = Callable[[Tensor], tuple[Tensor, Tensor]]
ACTIVATIONS: Mapping[str, Activation] = {"softplus": softplus, "relu": relu, "exp": exp}


def outputs_slope(
    several: bool, activation: Activation, weight: float, outputs: Tensor, truth: Tensor, epoch: int
) -> Tensor:
    """Return the gradient of the loss, a `Slope`; of several labels 2 outputs a label.

    The KL term's weight rises over the first epochs: weight * min(1, epoch / 10), from 0.
    """
    share = weight * min(1.0, epoch / ANNEALED)
    if not several:
        return slope(activation, share, outputs, truth)
    pairs = (-1, 2, outputs.shape[-1])
    paired = (outputs.unflatten(2, pairs[:2]), truth.unflatten(2, pairs[:2]))
    # Of a Beta distribution the loss is that of one of its two equal terms.
    return slope(activation, share, *paired, data=0.5).flatten(2, 3)


def slope(
    activation: Activation, weight: float, outputs: Tensor, truth: Tensor, data: float = 1.0
) -> Tensor:
    """Return the gradient of the loss over outputs [..., K, B].

    The loss is data * sum_k ((y_k - p_k)^2 + p_k (1 - p_k) / (S + 1)) + weight * KL(Dir(a) ||
    Dir(1)), where S sums the parameters and a holds them without the true class's evidence.

    Args:
        truth: [..., K, B] one-hot over K.
    """
    evidence, steepness = activation(outputs)
    parameters = evidence + 1
    total = parameters.sum(-2, keepdim=True)
    p = parameters / total
    squares, right = (p * p).sum(-2, keepdim=True), (p * truth).sum(-2, keepdim=True)
    of_error = 2 / total * (p - truth - squares + right)
    of_variance = -2 / total * (p - squares) / (total + 1) - (1 - squares) / (total + 1) ** 2
    misleading = truth + (1 - truth) * parameters
    whole = misleading.sum(-2, keepdim=True)
    of_divergence = (misleading - 1) * torch.polygamma(1, misleading)
    of_divergence -= torch.polygamma(1, whole) * (whole - truth.shape[-2])
    gradient = data * (of_error + of_variance) + weight * (1 - truth) * of_divergence
    return gradient * steepness


def expected_logits(several: bool, activation: Activation, outputs: Tensor) -> Tensor:
    """Return logits [..., C] whose softmax (or sigmoid) is the expected probability.

    Args:
        outputs: [..., C], or [..., 2 C] of several labels.
    """
    logs = _evidence(several, activation, outputs).log1p()
    if several:
        return logs[..., 0] - logs[..., 1]
    return logs - (logs.exp().sum(-1, keepdim=True)).log()


def stored_evidence(several: bool, activation: Activation, outputs: Tensor) -> Mapping[str, Tensor]:
    """Return evidence [N, C] of classes; [N, L, 2] for and against labels."""
    return {"evidence": _evidence(several, activation, outputs)}


def _evidence(several: bool, activation: Activation, outputs: Tensor) -> Tensor:
    evidence = activation(outputs)[0]
    return evidence.unflatten(-1, (-1, 2)) if several else evidence
