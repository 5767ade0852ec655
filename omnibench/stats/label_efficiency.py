"""How many labels a model needs: areas below curves over label budgets, labels to a target, ratios.

Intervals are for new patients and new runs, as those of `deciding`; a repetition draws other
training images too.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from omnibench.stats.crossed_draws import Crossed, percentiles, t_margin
from omnibench.stats.label_curve import area_weights, isotonic, reached_at, weights_at
from omnibench.stats.label_points import Curve
from omnibench.stats.result import Floats, RefusedError


@dataclass(frozen=True)
class Target:
    """What counts as reached: chance + share x (the reference with its most labels - chance).

    Attributes:
        chance: what a guess scores.
        reference: a backbone; None for each model's own.
        falling: whether less is better.
    """

    share: float
    chance: float
    reference: str | None
    falling: bool = False


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, NaN where there is none."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Bounded:
    """A number of labels, or a ratio of two, that may lie beyond the budgets.

    Attributes:
        least, most: what it is; equal where it lies between the budgets. 0 and inf are open.
        low, high: 95 % interval; 0 and inf are open, NaN where there is none.
    """

    least: float
    most: float
    low: float = math.nan
    high: float = math.nan

    @property
    def value(self) -> float:
        """Return the number, NaN where only a bound is known."""
        return self.least if self.least == self.most else math.nan


@dataclass(frozen=True, eq=False)
class Efficiency:
    """What a model's curve says.

    Attributes:
        points: [K] means with pointwise intervals.
        area: mean height of the curve over log2(labels) (ALC).
        target: the value to be reached; NaN where it is undefined.
        needed: labels with which it is; None without a target.
        ratio: labels that the rival needs for one of its; None of the rival itself, or without.
        note: why there is no interval, or no target.
    """

    curve: Curve
    points: tuple[Estimate, ...]
    area: Estimate
    target: float = math.nan
    needed: Bounded | None = None
    ratio: Bounded | None = None
    note: str = ""


def efficiencies(
    curves: Sequence[Curve], target: Target, rival: str | None = None
) -> list[Efficiency]:
    """Return what each curve says, by one target.

    Args:
        rival: the backbone whose labels are divided by each other's.
    """
    by_name = {curve.backbone: curve for curve in curves}
    return [_efficiency(curve, by_name, target, by_name.get(rival or "")) for curve in curves]


def as_frame(efficiencies: Iterable[Efficiency]) -> pd.DataFrame:
    """Return a row for each model and budget; what is of the whole curve stands in each of them."""
    return pd.DataFrame([row for each in efficiencies for row in _rows(each)])


def _rows(each: Efficiency) -> Iterable[Mapping[str, Any]]:
    whole = {
        **{"alc": each.area.value, "alc_low": each.area.low, "alc_high": each.area.high},
        "target": each.target,
        **_bounded("needed", each.needed),
        **_bounded("ratio", each.ratio),
        "note": each.note,
    }
    curve = each.curve
    for adaptation, labels, point in zip(
        curve.adaptations, curve.labels.tolist(), each.points, strict=True
    ):
        place = {"backbone": curve.backbone, "adaptation": adaptation, "labels": labels}
        yield {**place, "mean": point.value, "low": point.low, "high": point.high, **whole}


def _bounded(name: str, number: Bounded | None) -> Mapping[str, float]:
    parts = ("least", "most", "low", "high")
    return {f"{name}_{part}": getattr(number, part) if number else math.nan for part in parts}


class _Joint:
    """Several curves whose means move together."""

    def __init__(self, curves: Iterable[Curve]) -> None:
        self.curves = list({curve.backbone: curve for curve in curves}.values())
        self.means = np.concatenate([curve.means for curve in self.curves])
        self.crossed: Crossed | None = None
        self.note = ""
        lacking = [curve.note for curve in self.curves if not curve.influences]
        try:
            if lacking:
                raise RefusedError(lacking[0])
            self.crossed = Crossed.from_influences(
                [moved for curve in self.curves for moved in curve.influences],
                [numbers for curve in self.curves for numbers in curve.repetitions],
            )
        except RefusedError as reason:
            self.note = str(reason)

    def place(self, curve: Curve) -> slice:
        """Return where a curve's points stand."""
        first = 0
        for other in self.curves:
            if other.backbone == curve.backbone:
                return slice(first, first + len(curve.means))
            first += len(other.means)
        raise KeyError(curve.backbone)

    def weights(self, curve: Curve, own: Floats) -> Floats:
        """Return weights of all points that are those of one curve's: [all]."""
        weights = np.zeros(len(self.means))
        weights[self.place(curve)] = own
        return weights

    def estimate(self, weights: Floats) -> Estimate:
        """Return a weighted sum of the means with its interval of t."""
        value = float(weights @ self.means)
        if self.crossed is None:
            return Estimate(value)
        error, df = self.crossed.error(weights)
        margin = t_margin(df) * error
        return Estimate(value, value - margin, value + margin)


def _efficiency(
    curve: Curve, by_name: Mapping[str, Curve], target: Target, rival: Curve | None
) -> Efficiency:
    alone = _Joint([curve])
    if not np.isfinite(curve.means).all():
        undefined = Estimate(math.nan)
        points = tuple(map(Estimate, curve.means.tolist()))
        return Efficiency(curve, points, undefined, note="the metric is undefined at a budget")
    count = len(curve.means)
    points = tuple(alone.estimate(alone.weights(curve, row)) for row in np.eye(count))
    area = alone.estimate(alone.weights(curve, area_weights(curve.x)))
    reference = by_name.get(target.reference) if target.reference else curve
    if reference is None:
        note = f"{target.reference} has no curve, so there is no target"
        return Efficiency(curve, points, area, note=note)
    needs = _Needs(target, _Joint([curve, reference]))
    try:
        height = needs.target(reference)
    except RefusedError as reason:
        return Efficiency(curve, points, area, note=str(reason))
    needed = needs.labels(curve, reference)
    ratio, note = None, needs.joint.note
    if rival is not None and rival.backbone != curve.backbone and np.isfinite(rival.means).all():
        both = _Needs(target, _Joint([curve, reference, rival]))
        theirs = rival if target.reference is None else reference
        try:
            ratio = both.ratio((curve, reference), (rival, theirs))
        except RefusedError as reason:
            note = note or str(reason)
        note = note or both.joint.note
    return Efficiency(curve, points, area, height, needed, ratio, note)


@dataclass(frozen=True)
class _Needs:
    """The labels with which curves reach a target, in the means and in each draw of them."""

    goal: Target
    joint: _Joint

    def target(self, reference: Curve) -> float:
        """Return the value to be reached.

        Raises:
            RefusedError: the reference is no better than a guess.
        """
        goal, best = self.goal, float(reference.means[-1])
        if not self._sign * (best - goal.chance) > 0:
            raise RefusedError(
                f"{reference.backbone} is no better than chance with its most labels, so there is "
                "no target"
            )
        return goal.chance + goal.share * (best - goal.chance)

    def labels(self, curve: Curve, reference: Curve) -> Bounded:
        """Return the labels that one curve needs."""
        least, most = self._ends(curve, reference, self.joint.means)
        if self.joint.crossed is None:
            return _as_labels(least, most)
        drawn = self.joint.crossed.drawn(self._moving(curve, reference))
        lowest, highest = self._ends(curve, reference, drawn)
        return _as_labels(least, most, *percentiles(lowest, highest))

    def ratio(self, own: tuple[Curve, Curve], rival: tuple[Curve, Curve]) -> Bounded:
        """Return how many labels a rival needs for one of a curve's; each with its reference."""
        self.target(rival[1])
        (least, most), (rival_least, rival_most) = (
            self._ends(*pair, self.joint.means) for pair in (own, rival)
        )
        bounds = (rival_least - most, rival_most - least)
        if self.joint.crossed is None:
            return _as_labels(*bounds)
        drawn = self.joint.crossed.drawn(self._moving(*rival) - self._moving(*own))
        (low, high), (rival_low, rival_high) = (self._ends(*pair, drawn) for pair in (own, rival))
        return _as_labels(*bounds, *percentiles(rival_low - high, rival_high - low))

    @property
    def _sign(self) -> float:
        return -1.0 if self.goal.falling else 1.0

    def _ends(self, curve: Curve, reference: Curve, means: Floats) -> tuple[Floats, Floats]:
        """Return the least and the most that log2 of a curve's labels may be: [...] of [..., all].

        Beyond the fewest labels only the most is known, beyond the most labels only the least.
        """
        x, rising = curve.x, self._sign * means
        best = rising[..., self.joint.place(reference)][..., -1]
        chance = self._sign * self.goal.chance
        target = chance + self.goal.share * (best - chance)
        reached = reached_at(x, isotonic(rising[..., self.joint.place(curve)]), target)
        least = np.where(reached == np.inf, x[-1], reached)
        most = np.where(reached == -np.inf, x[0], reached)
        return least, most

    def _moving(self, curve: Curve, reference: Curve) -> Floats:
        """Return how much each mean moves log2 of a curve's labels, near what they are: [all]."""
        least, most = self._ends(curve, reference, self.joint.means)
        place = float(least if np.isfinite(least) else most)
        x, rising = curve.x, self._sign * isotonic(self._sign * curve.means)
        k = int(np.clip(np.searchsorted(x, place), 1, len(x) - 1))
        slope = (rising[k] - rising[k - 1]) / (x[k] - x[k - 1])
        if np.isinf(least) or np.isinf(most) or slope == 0:  # of the whole curve, beyond its ends
            slope = (rising[-1] - rising[0]) / (x[-1] - x[0]) or 1.0
        own = self.joint.weights(curve, weights_at(x, place))
        of_reference = np.zeros(len(reference.means))
        of_reference[-1] = self.goal.share
        moving: Floats = (own - self.joint.weights(reference, of_reference)) / slope
        return moving


def _as_labels(
    least: Floats | float, most: Floats | float, low: float = math.nan, high: float = math.nan
) -> Bounded:
    """Return logarithms as what they are of; -inf is 0."""
    return Bounded(*(float(np.exp2(end)) for end in (least, most, low, high)))
