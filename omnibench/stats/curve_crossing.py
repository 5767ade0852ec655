"""Whether one model's curve over label budgets crosses another's, by a band for all budgets."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from omnibench.stats.crossed_draws import Crossed, normal_draws
from omnibench.stats.label_points import Curve
from omnibench.stats.result import CONFIDENCE, NO_SPREAD, Floats, RefusedError

Course = Literal["ahead", "behind", "crosses", "undecided"]


@dataclass(frozen=True, eq=False)
class Crossing:
    """The difference of two curves at their common budgets.

    Attributes:
        labels: [K].
        difference: [K], of the first less the second, so positive where it has more.
        low, high: [K], a 95 % band that holds all K differences at once.
        course: "ahead" or "behind" where the band is above or below 0 at every budget, so that the
            curves never cross there; "crosses" where it is above 0 at one and below 0 at another;
            else "undecided".
        crossed: labels at which the difference, linear in log2(labels), turns its sign between two
            such budgets; NaN of other courses.
    """

    labels: Floats
    difference: Floats
    low: Floats
    high: Floats
    course: Course
    crossed: float = math.nan


def crossing(a: Curve, b: Curve) -> Crossing:
    """Compare two curves at all their common budgets at once.

    Both are of the same patients, and repetitions of one number have the same training images: the
    band takes them as paired. It is as high at each budget as a t interval whose level is that of
    the largest of all K standardised differences, in normal draws of them (max-t).

    Raises:
        RefusedError: no interval can be given, or they share fewer than two budgets.

    Source:
        Simultaneous bands by the largest of several t values: Romano & Wolf 2005; Montiel Olea &
        Plagborg-Moller 2019.
    """
    for curve in (a, b):
        if not curve.influences:
            raise RefusedError(curve.note)
    pairs = [
        (i, b.adaptations.index(form)) for i, form in enumerate(a.adaptations)
        if form in b.adaptations
    ]  # fmt: skip
    if len(pairs) < 2:
        raise RefusedError("they share fewer than two label budgets")
    joint = Crossed.from_influences(
        [*(a.influences[i] for i, _ in pairs), *(b.influences[j] for _, j in pairs)],
        [*(a.repetitions[i] for i, _ in pairs), *(b.repetitions[j] for _, j in pairs)],
    )
    weights = np.hstack([np.eye(len(pairs)), -np.eye(len(pairs))])
    difference = weights @ joint.means
    error, df = np.array([joint.error(row) for row in weights]).T
    margin = _margins(weights @ joint.covariance @ weights.T, df) * error
    low, high = difference - margin, difference + margin
    labels = a.labels[[i for i, _ in pairs]]
    above, below = low > 0, high < 0
    if above.all() or below.all():
        return Crossing(labels, difference, low, high, "ahead" if above.all() else "behind")
    if above.any() and below.any():
        at = _turn(np.log2(labels), difference, above.astype(int) - below)
        return Crossing(labels, difference, low, high, "crosses", at)
    return Crossing(labels, difference, low, high, "undecided")


def _margins(covariance: Floats, df: Floats) -> Floats:
    """Return half the band's width in standard errors: [K]."""
    from scipy.special import ndtr, stdtrit  # a whole scipy.stats costs seconds to import

    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    some = spread > NO_SPREAD
    if not some.any():
        return np.zeros(len(df))
    alike = covariance[np.ix_(some, some)] / np.outer(spread[some], spread[some])
    highest = np.quantile(np.abs(normal_draws(alike)).max(axis=1), CONFIDENCE)
    margins: Floats = stdtrit(df, ndtr(highest))
    return margins


def _turn(x: Floats, difference: Floats, sign: Floats) -> float:
    """Return where the difference is 0 between the first two points that are apart in sign."""
    shown = np.flatnonzero(sign)
    k = next(k for k in range(1, len(shown)) if sign[shown[k]] != sign[shown[k - 1]])
    first, last = shown[k - 1], shown[k]
    turned = next(
        i for i in range(first, last) if np.sign(difference[i + 1]) != np.sign(difference[first])
    )
    share = difference[turned] / (difference[turned] - difference[turned + 1])
    return float(np.exp2(x[turned] + share * (x[turned + 1] - x[turned])))
