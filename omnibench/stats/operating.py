"""Operating points: a threshold chosen on one set of cases, and the rates that it has on another.

A case is called positive where its score reaches the threshold. Targets are percentages.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from omnibench.stats.rates import Bools, Reals


def threshold_at_specificity(scores: Reals, positive: Bools, percent: int) -> float | None:
    """Return the smallest threshold with at least so much specificity; infinite if no score has it.

    Args:
        scores, positive: [N].

    Returns:
        One of the scores, or infinity; None without positives or without negatives, as the other
        rate is then undefined.
    """
    candidates, negatives = np.append(np.unique(scores), math.inf), np.sort(scores[~positive])
    if not 0 < len(negatives) < len(scores):
        return None
    below = np.searchsorted(negatives, candidates, "left")
    return float(candidates[np.argmax(100 * below >= percent * len(negatives))])


def threshold_at_sensitivity(scores: Reals, positive: Bools, percent: int) -> float | None:
    """Return the largest threshold with at least so much sensitivity; else as above."""
    candidates, positives = np.unique(scores), np.sort(scores[positive])
    if not 0 < len(positives) < len(scores):
        return None
    reached = len(positives) - np.searchsorted(positives, candidates, "left")
    enough = np.flatnonzero(100 * reached >= percent * len(positives))
    return float(candidates[enough[-1]])


def threshold_at_youden(scores: Reals, positive: Bools) -> float | None:
    """Return the largest threshold at which sensitivity + specificity is largest (Youden 1950).

    Args:
        scores, positive: [N].

    Returns:
        One of the scores; None without positives or without negatives.
    """
    candidates = np.unique(scores)[::-1]
    positives, negatives = np.sort(scores[positive]), np.sort(scores[~positive])
    if not len(positives) or not len(negatives):
        return None
    hits = len(positives) - np.searchsorted(positives, candidates, "left")
    false = len(negatives) - np.searchsorted(negatives, candidates, "left")
    # Counts as whole numbers, so that equal sums are equal.
    gains = hits * len(negatives) - false * len(positives)
    return float(candidates[int(np.argmax(gains))])


class Rates(NamedTuple):
    """The rates of a threshold, fractions of 1; None where the cases do not tell."""

    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None


@dataclass(frozen=True)
class Counts:
    """How many cases a threshold calls right and wrong: true and false positives and negatives."""

    tp: int
    fp: int
    tn: int
    fn: int

    @classmethod
    def from_scores(cls, scores: Reals, positive: Bools, threshold: float) -> "Counts":
        """Count the cases [N] whose score reaches a threshold, or does not."""
        called = scores >= threshold
        tp, fp = int((called & positive).sum()), int((called & ~positive).sum())
        return cls(tp, fp, int((~positive).sum()) - fp, int(positive.sum()) - tp)

    @property
    def rates(self) -> Rates:
        """Return the rates among these cases, predictive values at their own prevalence."""
        return Rates(
            _share(self.tp, self.fn),
            _share(self.tn, self.fp),
            _share(self.tp, self.fp),
            _share(self.tn, self.fn),
        )


def predictive_values(
    sensitivity: float, specificity: float, prevalence: float
) -> tuple[float | None, float | None]:
    """Return the positive and the negative predictive value at a prevalence, by Bayes' rule.

    None where nothing is called positive, or nothing negative.
    """
    hit, false = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    right, missed = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return (
        hit / (hit + false) if hit + false > 0 else None,
        right / (right + missed) if right + missed > 0 else None,
    )


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
