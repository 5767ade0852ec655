"""Selective prediction: which risk is left when a classifier rejects what it is least certain of.

Cases are accepted in the order of their uncertainty, the most certain first. Where several are
equally uncertain the mean over all their orders is taken, so that no number depends on the order
of a file. Residuals are the errors of cases, 0 or 1; any other loss is treated alike.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.rates import Bools, Reals, binary_auc, placements
from omnibench.stats.result import Floats

# Risks are ratios of counts; that of a risk at a bound is rounded to either side of it.
_ROUNDING = 1e-12


def in_order(uncertainty: NDArray[Any], residuals: NDArray[Any]) -> Floats:
    """Return the residuals [N], those of the most certain cases first, ties as their mean."""
    order = np.argsort(uncertainty, kind="stable")
    return tied_means(uncertainty[order], residuals[order])


def tied_means(ordered: Reals, residuals: NDArray[Any]) -> Floats:
    """Return residuals [N] in the order of a rising uncertainty [N], ties as their mean."""
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[starts, len(ordered)])
    means = np.add.reduceat(residuals.astype(np.float64), starts) / sizes
    tied: Floats = np.repeat(means, sizes)
    return tied


def risks(ordered: Floats) -> Floats:
    """Return the mean residual of the first 1, 2, ..., N cases, from `in_order`: [N]."""
    means: Floats = np.cumsum(ordered) / np.arange(1, len(ordered) + 1)
    return means


def aurc_geifman(ordered: Floats) -> float:
    """Return the mean of `risks` over all N coverages.

    Source:
        Geifman, Uziel & El-Yaniv 2019, Bias-reduced uncertainty estimation, eq. 2.
    """
    return float(risks(ordered).mean())


def aurc_trapezoid(ordered: Floats) -> float | None:
    """Return the area under `risks` over coverages 1/N..1 by trapezoids, over their span.

    None of a single case. It is what torch-uncertainty 0.13 calls AURC.
    """
    if len(ordered) < 2:
        return None
    each = risks(ordered)
    return float((each[1:] + each[:-1]).mean() / 2)


def excess_aurc(ordered: Floats, residuals: NDArray[Any]) -> float:
    """Return `aurc_geifman` less that of the best order there is of the same residuals.

    The optimum is exact. Geifman's closed form r + (1 - r) ln(1 - r) is its limit for many cases
    and lies below it, so that even a perfect order would have an excess.
    """
    return aurc_geifman(ordered) - aurc_geifman(np.sort(residuals.astype(np.float64)))


def augrc(ordered: Floats) -> float:
    """Return the area under the residuals accepted, as a share of all N cases, over coverage.

    With 0 and 1 as residuals it is the chance that, of two cases drawn at random, the first is an
    error and is accepted before the second: (1 - AUROC of failures) a (1 - a) + (1 - a)^2 / 2 of an
    accuracy a.

    Source:
        Traub et al. 2024, Overcoming common flaws in the evaluation of selective classification
        systems, eq. 6-7.
    """
    sums = np.cumsum(ordered)
    return float((sums.sum() - sums[-1] / 2) / len(ordered) ** 2)


def augrc_by_case(uncertainty: Reals, residuals: NDArray[Any]) -> Floats:
    """Return values [N] whose mean is the `augrc`, and whose spread tells that of it.

    It is a mean over pairs of cases; these are the first-order terms of its Hoeffding
    decomposition, each case's mean over the pairs that it is in.

    Source:
        Hoeffding 1948, A class of statistics with asymptotically normal distribution.
    """
    count, weights = len(uncertainty), residuals.astype(np.float64)
    order = np.argsort(uncertainty, kind="stable")
    ordered = uncertainty[order]
    sums = np.r_[0.0, np.cumsum(weights[order])]
    below = np.searchsorted(ordered, uncertainty, "left")
    up_to = np.searchsorted(ordered, uncertainty, "right")
    # How many are accepted after a case, and which residuals before it; its equals count half.
    first = weights * (count - (below + up_to) / 2)
    second = (sums[below] + sums[up_to]) / 2
    values: Floats = (first + second) / count - first.sum() / count**2
    return values


def failure_auroc(uncertainty: Reals, errors: Bools) -> float | None:
    """Return the chance that an error is less certain than a right answer, ties one half.

    None where every answer is right, or none.
    """
    return binary_auc(errors, uncertainty)


def failure_auroc_by_case(uncertainty: Reals, errors: Bools) -> Floats:
    """Return values [N] whose mean is the `failure_auroc`, and whose spread tells that of it.

    NaN where that is None.
    """
    if not errors.any() or errors.all():
        return np.full(len(errors), np.nan)
    wide = np.asarray(uncertainty, np.float64)
    of_errors, of_others = placements(wide[errors], wide[~errors])
    area = of_errors.mean()
    values = np.full(len(errors), area)
    values[errors] += (of_errors - area) / errors.mean()
    values[~errors] += (of_others - area) / (1 - errors.mean())
    return values


def accepted(coverage: int, cases: int) -> int:
    """Return how many of so many cases a coverage accepts, in percent; rounded up."""
    return -(-coverage * cases // 100)


def risk_at(ordered: Floats, coverage: int) -> float:
    """Return the mean residual at a coverage in percent."""
    return float(ordered[: accepted(coverage, len(ordered))].mean())


def coverage_at(ordered: Floats, risk: int) -> float:
    """Return the largest coverage at which the mean residual is at most a risk in percent, or 0.

    The risk does not rise steadily with coverage: at a smaller one it may be above the bound.
    """
    within = np.flatnonzero(risks(ordered) <= risk / 100 + _ROUNDING)
    return float(within[-1] + 1) / len(ordered) if len(within) else 0.0


def threshold(uncertainty: Reals, coverage: int) -> float:
    """Return the uncertainty up to which a coverage in percent of these cases is accepted."""
    return float(np.sort(uncertainty)[accepted(coverage, len(uncertainty)) - 1])
