"""Look at a comparison several times while repetitions are added, at one level of error in all.

A difference after n repetitions has the variance C + S / n: what patients make of it, which more
repetitions leave as it is, and what runs make of it. Later means hold the earlier ones, so that
looks are correlated as a Brownian motion is at the information 1 / (C + S / n).
"""

import math
from dataclasses import dataclass

import numpy as np

from omnibench.stats.result import ALPHA, SMALLEST_P, Floats

LOOKS = 5  # at most, however many repetitions are allowed
HOPE = 0.1  # a chance below this of being decided by the last look is none
_GRID = 121


@dataclass(frozen=True)
class Course:
    """How the variance of one difference falls with repetitions.

    Attributes:
        fixed: C, what stays.
        falling: S, what a single run of each model adds.
        looks: the numbers of repetitions at which it is looked at, rising.
    """

    fixed: float
    falling: float
    looks: tuple[int, ...]

    def variance(self, n: int) -> float:
        """Return the variance after n repetitions."""
        return self.fixed + self.falling / n

    @property
    def information(self) -> Floats:
        """Return that of each look as a share of the last one's: [K], rising to 1."""
        last = self.variance(self.looks[-1])
        return np.array([last / self.variance(n) if last > 0 else 1.0 for n in self.looks])


def planned_looks(first: int, most: int) -> tuple[int, ...]:
    """Return the numbers of repetitions to look at: `LOOKS` at most, evenly from first to most."""
    return tuple(sorted({round(n) for n in np.linspace(first, most, LOOKS)}))


def sequential_p(p: float, course: Course) -> float:
    """Return the p of one look that holds whichever look it is, and whatever made one stop there.

    The chance that the smallest p of all planned looks is at most this one where there is no
    difference. So it is below .05 at any look in at most 5 % of studies.

    Source:
        Pocock 1977 (one boundary for all looks), at unequal information: the recursion of Armitage,
        McPherson & Rowe 1969.
    """
    from scipy.special import ndtri

    if not p < 1 or len(course.looks) < 2:
        return p
    boundary = float(-ndtri(max(p, SMALLEST_P) / 2))
    within = _never_beyond(boundary, course.information)
    # Far out the recursion's rounding is larger than what it is to tell: there the looks add up.
    return min(1.0, len(course.looks) * p, max(p, 1 - within) if p > 1e-6 else math.inf)


def _never_beyond(boundary: float, information: Floats) -> float:
    """Return the chance that |B(t) / sqrt(t)| stays below a boundary at every t, on a grid."""
    from scipy.special import ndtr

    t = float(information[0])
    edges = np.linspace(-boundary, boundary, _GRID) * math.sqrt(t)
    mass = np.diff(ndtr(edges / math.sqrt(t)))
    for later in information[1:].tolist():
        if later - t <= 1e-9:  # the same look over again
            continue
        middles = (edges[1:] + edges[:-1]) / 2
        edges = np.linspace(-boundary, boundary, _GRID) * math.sqrt(later)
        mass = mass @ np.diff(ndtr((edges - middles[:, None]) / math.sqrt(later - t)), axis=1)
        t = later
    return float(mass.sum())


def chance_of_an_answer(
    difference: float, n: int, course: Course, family: int, margin: float | None
) -> float:
    """Return the chance that the last look decides or shows equivalence, as things stand.

    Takes the difference seen as the true one: the last look's then has the variance by which the
    two looks differ. Normal values; the level of each of a family is Bonferroni's.

    Args:
        n: repetitions at hand.
        margin: of equivalence, in the metric's own unit; None without one.
    """
    from scipy.special import ndtr

    last = course.looks[-1]
    error = math.sqrt(course.variance(last))
    spread = math.sqrt(max(0.0, course.variance(n) - course.variance(last)))
    reach = _boundary(ALPHA / family, course) * error
    inside = 0.0 if margin is None else margin - _boundary(2 * ALPHA, course) * error

    def beyond(limit: float) -> float:
        if spread <= 0:
            return float(abs(difference) > limit)
        upper, lower = (limit - difference) / spread, (-limit - difference) / spread
        return float(1 - ndtr(upper) + ndtr(lower))

    return beyond(reach) + (1 - beyond(inside) if inside > 0 else 0.0)


def _boundary(level: float, course: Course) -> float:
    """Return the normal value whose sequential p is a level, to a thousandth of it."""
    from scipy.special import ndtri

    p = level
    for _ in range(4):  # sequential p is nearly proportional to p
        p *= level / sequential_p(p, course)
    return float(-ndtri(p / 2))
