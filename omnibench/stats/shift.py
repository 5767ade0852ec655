"""How a metric holds on other test images: means, ratios and contrasts of influences.

Each is itself a metric of the same patients and repetitions, and so has an interval for new
patients and new runs as any other has. Ratios are those of means over repetitions; how patients and
repetitions move them is to first order (the delta method).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from omnibench.stats.deciding import decide, estimate
from omnibench.stats.influence import Influence
from omnibench.stats.result import Answer, Floats, RefusedError


@dataclass(frozen=True)
class Measured:
    """A number and its interval, or why there is none; NaN where the number is undefined."""

    value: float
    interval: Answer | RefusedError


def mean_of(parts: Sequence[Influence]) -> Influence:
    """Return the mean of metrics of the same repetitions and patients."""
    return combined(parts, [1 / len(parts)] * len(parts))


def combined(parts: Sequence[Influence], weights: Sequence[float]) -> Influence:
    """Return a weighted sum of metrics of the same repetitions and patients."""
    return Influence(
        np.asarray(sum(w * part.values for w, part in zip(weights, parts, strict=True))),
        np.asarray(sum(w * part.rows for w, part in zip(weights, parts, strict=True))),
        min(part.patients for part in parts),
    )


def scaled(metric: Influence, factor: float, shift: float = 0.0) -> Influence:
    """Return factor x metric + shift."""
    return Influence(factor * metric.values + shift, factor * metric.rows, metric.patients)


def ratio(part: Influence, whole: Influence) -> Influence:
    """Return the ratio of two means over the same repetitions, linear about it.

    Raises:
        RefusedError: the mean of the whole is not above 0.
    """
    below, quotient = _quotient(part, whole)
    change = combined([part, whole], [1 / below, -quotient / below])
    return scaled(change, 1.0, quotient)


def ratio_to(parts: Sequence[Influence], wholes: Sequence[Influence]) -> Measured:
    """Return the mean of ratios of one model's metrics to another's, whose runs are its own.

    Raises:
        RefusedError: the mean of a whole is not above 0.
    """
    pairs = list(zip(parts, wholes, strict=True))
    quotients = [_quotient(part, whole) for part, whole in pairs]
    value = sum(quotient for _, quotient in quotients) / len(pairs)
    own = mean_of([scaled(p, 1 / b) for (p, _), (b, _) in zip(pairs, quotients, strict=True)])
    other = mean_of([scaled(w, q / b) for (_, w), (b, q) in zip(pairs, quotients, strict=True)])
    return Measured(value, _interval(lambda: _about(value, decide(own, other))))


def measured(metric: Influence) -> Measured:
    """Return the mean over repetitions with its interval."""
    return Measured(float(metric.values.mean()), _interval(lambda: estimate(metric)))


def contrast(a: Influence, b: Influence) -> Measured:
    """Return a - b, of two models with runs of their own, with its interval."""
    return Measured(float(a.values.mean() - b.values.mean()), _interval(lambda: decide(a, b)))


def values_only(values: Floats) -> Influence:
    """Return a metric of which nothing is known by patient: it has a mean and no interval."""
    return Influence(values, np.zeros((len(values), 2)), 2)


def worst(metrics: Mapping[str, Influence], falling: bool) -> str:
    """Return the name of the worst mean; of equal ones the first."""
    means = {name: float(metric.values.mean()) for name, metric in metrics.items()}
    return (max if falling else min)(means, key=lambda name: means[name])


def _quotient(part: Influence, whole: Influence) -> tuple[float, float]:
    """Return the mean of the whole, and the part's over it."""
    below = float(whole.values.mean())
    if not below > 0:
        raise RefusedError("what it is divided by is not above 0")
    return below, float(part.values.mean()) / below


def _interval(answer: Callable[[], Answer]) -> Answer | RefusedError:
    try:
        return answer()
    except RefusedError as reason:
        return reason


def _about(value: float, answer: Answer) -> Answer:
    """Return an answer about another middle: its p, which would be of another question, is left."""
    half = (answer.high - answer.low) / 2
    return Answer(
        answer.test, value, value - half, value + half, math.nan, math.nan, answer.error, answer.df
    )


@dataclass(frozen=True, eq=False)
class Grid:
    """A metric by the share of low quality in training and in testing.

    Attributes:
        cells: (train, test) -> metric, of the same patients and, by repetition, the same draw.
    """

    cells: Mapping[tuple[float, float], Influence]

    @property
    def train(self) -> list[float]:
        """Return the shares in training, ascending."""
        return sorted({train for train, _ in self.cells})

    @property
    def test(self) -> list[float]:
        """Return the shares in testing, ascending."""
        return sorted({test for _, test in self.cells})

    @property
    def bare(self) -> "Grid":
        """Return the grid without what is known by patient."""
        return Grid({place: values_only(cell.values) for place, cell in self.cells.items()})

    def best(self, test: float, falling: bool) -> float | None:
        """Return the share in training that is best at a share in testing; None of fewer than two.

        Of equal ones it is the lowest.
        """
        column = {
            str(train): self.cells[train, test]
            for train in self.train
            if (train, test) in self.cells
            and math.isfinite(float(self.cells[train, test].values.mean()))
        }
        return float(worst(column, not falling)) if len(column) > 1 else None

    def matched(self) -> tuple[Influence, Influence, Influence] | None:
        """Return the mean of matched shares, that of the others, and their difference.

        Both are over shares that are trained and tested on; None where fewer than two are, or
        repetitions or patients of the cells are not the same ones.
        """
        both = [share for share in self.train if share in self.test]
        square = [(train, test) for train in both for test in both]
        if len(both) < 2 or not all(place in self.cells for place in square):
            return None
        if len({self.cells[place].rows.shape for place in square}) > 1:
            return None
        same = mean_of([self.cells[share, share] for share in both])
        other = mean_of([self.cells[place] for place in square if place[0] != place[1]])
        return same, other, same.minus(other)


def interaction(
    a: Grid, b: Grid, test: float, low: float, high: float
) -> tuple[Measured, Measured, Measured]:
    """Return a - b trained on a low share and on a high one, and the first less the second.

    Args:
        a, b: grids with cells of both shares; those of one grid have the same repetitions.
    """
    (a_low, a_high), (b_low, b_high) = ((g.cells[low, test], g.cells[high, test]) for g in (a, b))
    first, second = contrast(a_low, b_low), contrast(a_high, b_high)
    if a_low.rows.shape == a_high.rows.shape and b_low.rows.shape == b_high.rows.shape:
        return first, second, contrast(a_low.minus(a_high), b_low.minus(b_high))
    reason = RefusedError("shares in training have different repetitions")
    return first, second, Measured(first.value - second.value, reason)
