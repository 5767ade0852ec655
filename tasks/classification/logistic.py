"""Logistic regression with an L2 penalty, at its optimum for every strength of a sweep at once.

The objective is scikit-learn's: the mean cross-entropy plus |w|^2 / (2 C n) for n images, without
a penalty on the intercepts. It is the softmax's over three classes and more, the sigmoid's for two
classes and for each label of a multi-label dataset, whose labels are fitted one by one.

Features are turned into their principal axes first. A rotation leaves the penalty as it is, and in
these axes the Hessian is nearly diagonal, so that L-BFGS needs a tenth of the iterations.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import torch
from torch import Tensor

from .lbfgs import Memory

# Of the objective: at most this share of it is expected above the optimum. Training logits are then
# off by about sqrt(2 x 1e-9), in the mean over images weighted by p (1 - p).
TOLERANCE = 1e-9
ITERATIONS = 1000  # at most, as CLIP and DINOv2 allow
TRIALS = 30  # of a step's length
# Approximate Wolfe conditions (Hager & Zhang 2005): how steep a step may still end, downwards and
# upwards, as a share of the slope at its start; the objective may grow by rounding alone.
FALLING, RISING, ROUNDING = 0.9, 0.8, 1e-12


@dataclass(frozen=True)
class Optima:
    """Fitted heads of S strengths, float64.

    Attributes:
        weight: [S, C, D] for C classes or labels; of two classes they are each other's negative.
        bias: [S, C].
        iterations: of each strength; of several labels the most.
        converged: of each strength, whether it reached TOLERANCE.
    """

    weight: Tensor
    bias: Tensor
    iterations: tuple[int, ...]
    converged: tuple[bool, ...]

    def at(self, place: int) -> "Optima":
        """Return the heads of a single strength."""
        part = slice(place, place + 1)
        return Optima(*(getattr(self, own.name)[part] for own in fields(self)))

    def logits(self, features: Tensor) -> Tensor:
        """Logits [S, N, C] for features [N, D]."""
        return features.double() @ self.weight.mT + self.bias[:, None]


def fit(
    features: Tensor, targets: Tensor, strengths: Sequence[float], *, multi_label: bool = False
) -> Optima:
    """Fit a linear head for each strength.

    Args:
        features: [n, D], standardised.
        targets: [n, C], one-hot or multi-label zeros and ones.
        strengths: the S values of C, a weight of the summed loss against the penalty.
    """
    wide, truth = features.double(), targets.double().T
    basis = principal_axes(wide)
    ones = wide.new_ones(len(wide), 1)
    axes = torch.cat([wide @ basis, ones], 1)
    penalty = wide.new_tensor([1 / (strength * len(wide)) for strength in strengths])[:, None]
    penalty = penalty * torch.cat([wide.new_ones(basis.shape[1]), wide.new_zeros(1)])
    if multi_label:
        parts = [_label(axes, label, penalty) for label in truth]
    else:
        parts = [_minimise(axes, truth[1:] if len(truth) == 2 else truth, penalty)]
    weight = torch.cat([part.weight for part in parts], 1)
    if len(truth) == 2 and not multi_label:
        weight = torch.cat([-weight / 2, weight / 2], 1)
    iterations = torch.stack([part.iterations for part in parts]).amax(0)
    converged = torch.stack([part.converged for part in parts]).all(0)
    return Optima(
        weight[..., :-1] @ basis.T,
        weight[..., -1],
        tuple(iterations.tolist()),
        tuple(converged.tolist()),
    )


def principal_axes(features: Tensor) -> Tensor:
    """Return orthonormal columns [D, min(n, D)] whose span holds every row of features [n, D].

    They are the eigenvectors of the features' products; weights outside of the span would be
    penalised and do nothing, so that the optimum has none.
    """
    count, width = features.shape
    span = torch.linalg.qr(features.T)[0] if count < width else None
    inner = features if span is None else features @ span
    axes: Tensor = torch.linalg.eigh(inner.T @ inner)[1]
    return axes if span is None else span @ axes


class _Part(NamedTuple):
    """What `_minimise` gives: weight [S, K, M], iterations [S], converged [S]."""

    weight: Tensor
    iterations: Tensor
    converged: Tensor


def _label(axes: Tensor, truth: Tensor, penalty: Tensor) -> _Part:
    """Fit one label [n] against its absence.

    One that all images show, or none, has no finite optimum: its intercept is the log odds of n
    images and a half against a half.
    """
    count, strengths = len(truth), len(penalty)
    if 0 < truth.sum() < count:
        return _minimise(axes, truth[None], penalty)
    weight = axes.new_zeros(strengths, 1, axes.shape[1])
    weight[..., -1] = (2 * truth[0] - 1) * torch.log(axes.new_tensor(2 * count + 1))
    none = torch.zeros(strengths, dtype=torch.int64, device=axes.device)
    return _Part(weight, none, none == 0)


@dataclass(frozen=True)
class _Point:
    """Where P problems stand.

    Attributes:
        weight: [P, K, M], the intercept last; penalty: [P, M].
        logits, probabilities: [P, K, n]; value: [P], the objective.
    """

    weight: Tensor
    penalty: Tensor
    logits: Tensor
    probabilities: Tensor
    value: Tensor

    def keep(self, problems: Tensor) -> "_Point":
        """Leave the other problems out; `problems` is a mask [P]."""
        return _Point(**{part.name: getattr(self, part.name)[problems] for part in fields(self)})


def _minimise(axes: Tensor, truth: Tensor, penalty: Tensor) -> _Part:
    """Minimise every problem's objective from weights of 0.

    Problems are solved side by side, so that each pass over the features serves them all; one that
    has converged leaves.

    Args:
        axes: [n, M], ones last; truth: [K, n]; penalty: [S, M].
    """
    spread = (axes * axes).mean(0)
    shape = len(penalty), len(truth), axes.shape[1]
    weight = axes.new_zeros(shape)
    iterations = torch.full(shape[:1], ITERATIONS, device=axes.device)
    converged = torch.zeros(shape[:1], dtype=torch.bool, device=axes.device)
    logits = axes.new_zeros(*shape[:2], len(axes))
    loss, probabilities = _loss(logits, truth)
    point = _Point(weight.clone(), penalty, logits, probabilities, loss)
    gradient = _gradient(axes, truth, point)
    problems = torch.arange(len(penalty), device=axes.device)
    memory = Memory()
    for iteration in range(ITERATIONS):
        chances = point.probabilities
        curvature = (chances * (1 - chances)).mean(2, keepdim=True) * spread
        curvature = curvature + point.penalty[:, None]
        direction = memory.direction(gradient, curvature.clamp_min(torch.finfo().tiny))
        slope = (gradient * direction).sum((1, 2))
        # A Newton step would gain half the slope.
        done = -slope / 2 <= TOLERANCE * point.value
        if done.any():
            weight[problems[done]] = point.weight[done]
            iterations[problems[done]] = iteration
            converged[problems[done]] = True
            rest = ~done
            problems, point, gradient = problems[rest], point.keep(rest), gradient[rest]
            direction, slope = direction[rest], slope[rest]
            memory.keep(rest)
            if not len(problems):
                break
        moved = _move(axes, truth, point, direction, slope)
        change = _gradient(axes, truth, moved) - gradient
        memory.add(moved.weight - point.weight, change)
        point, gradient = moved, gradient + change
    weight[problems] = point.weight
    return _Part(weight, iterations, converged)


def _loss(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean cross-entropy [P] of logits [P, K, n], and the probabilities [P, K, n].

    One output is the logit of yes against no. Taken from the true class's logit on, so that a loss
    near 0 has all its digits.
    """
    true = (logits * truth).sum(1)
    if len(truth) == 1:
        losses = torch.logaddexp(-true, logits[:, 0] - true)
    else:
        losses = torch.logsumexp(logits - true[:, None], 1)
    return losses.mean(1), (logits - (true + losses)[:, None]).exp()


def _gradient(axes: Tensor, truth: Tensor, point: _Point) -> Tensor:
    """Return the objective's derivative [P, K, M] by the weights."""
    error = (point.probabilities - truth).flatten(0, 1)
    data = (error @ axes / len(axes)).view_as(point.weight)
    return data + point.penalty[:, None] * point.weight


def _move(axes: Tensor, truth: Tensor, point: _Point, direction: Tensor, slope: Tensor) -> _Point:
    """Return the points that steps along the directions reach, each of a length of its own.

    Logits are linear in the weights, so that trying a length takes no pass over the features. The
    objective is convex: its slope along the direction grows, and a length between one that is too
    short and one that is too long is found by the secant.

    Args:
        direction: [P, K, M] of descent; slope: [P], of the objective along it.
    """
    count = len(axes)
    change = (direction.flatten(0, 1) @ axes.T).view_as(point.logits)
    pull = point.penalty[:, None] * direction
    linear, square = (pull * point.weight).sum((1, 2)), (pull * direction).sum((1, 2))
    start = (point.penalty[:, None] * point.weight**2).sum((1, 2)) / 2

    def reach(length: Tensor) -> tuple[_Point, Tensor]:
        """Return the points that steps of these lengths [P] reach, and the slopes there."""
        far = length[:, None, None]
        logits = point.logits + far * change
        loss, probabilities = _loss(logits, truth)
        value = loss + start + length * linear + length**2 * square / 2
        tilt = ((probabilities - truth) * change).sum((1, 2)) / count + linear + length * square
        moved = _Point(point.weight + far * direction, point.penalty, logits, probabilities, value)
        return moved, tilt

    length = torch.ones_like(slope)
    short, short_slope = torch.zeros_like(slope), slope
    long, long_slope = torch.full_like(slope, torch.inf), torch.ones_like(slope)
    for _ in range(TRIALS):
        moved, tilt = reach(length)
        good = (tilt >= FALLING * slope) & (tilt <= -RISING * slope)
        good &= moved.value <= point.value * (1 + ROUNDING)
        if good.all():
            return moved
        falls = tilt < 0
        short, short_slope = length.where(falls, short), tilt.where(falls, short_slope)
        long, long_slope = length.where(~falls, long), tilt.where(~falls, long_slope)
        room = long - short
        secant = short - short_slope * room / (long_slope - short_slope)
        inside = secant.clamp(short + 0.1 * room, short + 0.9 * room)
        length = length.where(good, inside.where(long.isfinite(), 4 * length))
    # Where rounding hides every good length, the objective still falls up to the short one.
    return reach(length.where(good, short))[0]
