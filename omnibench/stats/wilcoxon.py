"""The exact Wilcoxon signed-rank test of paired differences."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import (
    ALPHA,
    NO_SPREAD,
    Answer,
    Floats,
    RefusedError,
    paired_differences,
    refuse_floor,
)


def wilcoxon(a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str]) -> Answer:
    """Test by ranks whether paired differences centre on zero.

    Assumes that the differences are independent and symmetric about their centre. Ties share their
    mean rank and zeros are left out; the null distribution is exact given both.

    Args:
        a, b: [n] values; pairing_a, pairing_b: [n] what each pair shares (seeds, datasets).

    Returns:
        difference: the Hodges-Lehmann estimate; interval: the ordered Walsh averages that the exact
        test of level .05 does not reject.

    Raises:
        RefusedError: not paired, no difference, or too few pairs for any p < .05 (fewer than six).

    Source:
        Wilcoxon 1945; Hollander, Wolfe & Chicken 2014, sections 3.1-3.3.
    """
    d = paired_differences(a, b, pairing_a, pairing_b)
    p = signed_rank_p(d)
    walsh = np.sort(((d[:, None] + d) / 2)[np.triu_indices(len(d))])
    tails = np.cumsum(_null(2 * np.arange(1, len(d) + 1)))[::2]  # P(W <= 0), P(W <= 1), ...
    cut = int(np.count_nonzero(tails <= ALPHA / 2))
    return Answer(
        "Wilcoxon signed rank (exact)",
        float(np.median(walsh)),
        float(walsh[cut - 1]),
        float(walsh[len(walsh) - cut]),
        p,
    )


def signed_rank_p(d: Floats) -> float:
    """Return the exact two-sided p of differences [n], twice the smaller tail.

    Raises:
        RefusedError: no difference, or fewer than six that are not zero.
    """
    moved = d[np.abs(d) > NO_SPREAD]
    if not len(moved):
        raise RefusedError("the two are equal in every pair, so p is undefined")
    refuse_floor(0.5 ** (len(moved) - 1), f"the Wilcoxon test of {len(moved)} pairs that differ")
    doubled = _doubled_ranks(np.abs(moved))
    null = np.cumsum(_null(doubled))
    positive = int(doubled[moved > 0].sum())
    smaller = min(positive, int(doubled.sum()) - positive)
    return min(1.0, 2 * float(null[smaller]))


def _doubled_ranks(sizes: Floats) -> NDArray[np.int64]:
    """Twice the mean ranks, which are whole numbers; sizes equal up to rounding are tied."""
    ordered = np.sort(sizes)
    below = np.searchsorted(ordered, sizes - NO_SPREAD, "left")
    up_to = np.searchsorted(ordered, sizes + NO_SPREAD, "right")
    return (below + up_to + 1).astype(np.int64)


def _null(doubled: NDArray[np.int64]) -> Floats:
    """Probability of each sum of doubled ranks, 0 .. their total, over all signs."""
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for rank in doubled:
        chances[rank:] = (chances[rank:] + chances[: len(chances) - rank]) / 2
        chances[:rank] /= 2
    return chances
