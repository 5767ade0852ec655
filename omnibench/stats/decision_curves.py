"""Decision curves: what acting on a model is worth against acting on all cases or on none."""

from dataclasses import dataclass

import numpy as np

from omnibench.stats.influence import Bools, Patients
from omnibench.stats.over_patients import margins
from omnibench.stats.result import Floats

POINTS = 46  # thresholds; from .05 to .5 one each percent
# A stored logit is a float32, so that a vote of 1 in 5 is .2 but for its rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Curve:
    """Net benefit at each of T thresholds, the mean over repetitions: [T] each.

    Attributes:
        low, high: 95 % interval over patients of each threshold by itself.
    """

    benefit: Floats
    low: Floats
    high: Floats


def thresholds(low: float, high: float) -> Floats:
    """Return the probabilities at which a curve is drawn, [T]."""
    return np.linspace(low, high, POINTS)


def net_benefit(probabilities: Floats, positive: Bools, patients: Patients, at: Floats) -> Curve:
    """Return true positives less weighted false ones, as shares of all cases.

    A case is acted on where its probability reaches the threshold t; a false positive weighs
    t / (1 - t), the odds at which one is indifferent.

    Args:
        probabilities: [R, N] of the positive class; positive: [N].
        patients: of all N cases.
        at: [T] thresholds in (0, 1).

    Source:
        Vickers & Elkin 2006, Decision curve analysis, Medical Decision Making 26.
    """
    worth = np.where(positive[:, None], 1.0, -at / (1 - at))  # [N, T]
    acted = np.zeros_like(worth)
    for each in probabilities:
        acted += each[:, None] >= at - _ROUNDING
    sums = patients.sums(acted / len(probabilities) * worth)  # [G, T]
    sizes = patients.sums(np.ones((len(positive), 1)))  # [G, 1]
    benefit = sums.sum(axis=0) / sizes.sum()
    without = (sums.sum(axis=0) - sums) / (sizes.sum() - sizes)
    count = patients.total
    margin = margins((without - without.mean(axis=0)).T * ((count - 1) / count))
    return Curve(benefit, benefit - margin, benefit + margin)


def treat_all(prevalence: float, at: Floats) -> Floats:
    """Return the net benefit of acting on every case: [T]; that of acting on none is 0."""
    benefit: Floats = prevalence - (1 - prevalence) * at / (1 - at)
    return benefit
