"""McNemar's test of two models' accuracies on the same test cases."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import CONFIDENCE, SMALLEST_P, Answer, RefusedError, refuse_floor

_FEW = 25  # discordant cases below which the binomial itself is used


def mcnemar(
    right_a: NDArray[np.bool_], right_b: NDArray[np.bool_], cluster: NDArray[np.intp]
) -> Answer:
    """Test the difference of accuracies of one decision a case by the cases where a or b errs.

    Assumes independent cases, one model of each kind. Fewer than 25 discordant cases: exact
    binomial; more: chi-square with the continuity correction.

    Args:
        right_a, right_b: [N], whether the case was decided rightly.
        cluster: [N] index of the case's patient; must be one case a patient.

    Returns:
        difference: accuracy a - accuracy b; interval: Bonett and Price's adjusted Wald, another
        method than the test's, so that near .05 one may decide where the other does not.

    Raises:
        RefusedError: not the same cases, several of one patient, or so few discordant ones that no
            p < .05 exists (fewer than six).

    Source:
        McNemar 1947; Edwards 1948; interval: Bonett & Price 2012, eq. 8.
    """
    if right_a.shape != right_b.shape or right_a.ndim != 1:
        raise RefusedError("the two models were not tested on the same cases, so are not paired")
    if len(np.unique(cluster)) < len(cluster):
        raise RefusedError(
            "McNemar's test takes cases as independent and these share patients; use the paired "
            "bootstrap by patient"
        )
    only_a = int(np.count_nonzero(right_a & ~right_b))
    only_b = int(np.count_nonzero(right_b & ~right_a))
    discordant, cases = only_a + only_b, len(right_a)
    if discordant == 0:
        raise RefusedError("both models are right on the same cases, so p is undefined")
    refuse_floor(0.5 ** (discordant - 1), f"McNemar's test of {discordant} discordant cases")
    share_a, share_b = (only_a + 1) / (cases + 2), (only_b + 1) / (cases + 2)
    spread = (share_a + share_b - (share_a - share_b) ** 2) / (cases + 2)
    margin = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * math.sqrt(spread)
    exact = discordant < _FEW
    return Answer(
        "McNemar (exact)" if exact else "McNemar (chi-square)",
        (only_a - only_b) / cases,
        max(-1.0, share_a - share_b - margin),
        min(1.0, share_a - share_b + margin),
        _binomial(only_a, discordant) if exact else _chi_square(only_a, only_b),
    )


def _binomial(successes: int, trials: int) -> float:
    smaller = min(successes, trials - successes)
    arrangements = 2 * sum(math.comb(trials, k) for k in range(smaller + 1))
    return min(1.0, arrangements * 0.5**trials)


def _chi_square(only_a: int, only_b: int) -> float:
    """The upper tail of chi-square with one degree of freedom, at (|b - c| - 1)^2 / (b + c)."""
    corrected = max(0, abs(only_a - only_b) - 1)
    return max(math.erfc(corrected / math.sqrt(2 * (only_a + only_b))), SMALLEST_P)
