"""Test paired or independent values exactly: signed ranks, sign flips, exchanged labels."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.result import (
    ALPHA,
    NO_SPREAD,
    Answer,
    Floats,
    RefusedError,
    finite,
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
    """Return twice the mean ranks, whole numbers; sizes equal up to rounding are tied."""
    ordered = np.sort(sizes)
    below = np.searchsorted(ordered, sizes - NO_SPREAD, "left")
    up_to = np.searchsorted(ordered, sizes + NO_SPREAD, "right")
    return (below + up_to + 1).astype(np.int64)


def _null(doubled: NDArray[np.int64]) -> Floats:
    """Return the probability of each sum of doubled ranks, 0 .. their total, over all signs."""
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for rank in doubled:
        chances[rank:] = (chances[rank:] + chances[: len(chances) - rank]) / 2
        chances[:rank] /= 2
    return chances


_MOST = 2**20  # arrangements


def sign_flips(a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str]) -> Answer:
    """Test a paired mean difference by all 2^n sign flips of the differences.

    Assumes that under the null each difference is symmetric about zero, independently.

    Args:
        a, b: [n] values; pairing_a, pairing_b: [n] what each pair shares.

    Returns:
        p: the share of flips at least as far out, both sides. Interval: the centres that the test
        does not reject, which are ordered means of subsets of the differences.

    Raises:
        RefusedError: not paired, no difference, fewer than six pairs, or more than 20.

    Source:
        Fisher 1935, section 21; interval: Hartigan 1969, Using subsample values as typical values.
    """
    d = paired_differences(a, b, pairing_a, pairing_b)
    n = len(d)
    refuse_floor(0.5 ** (n - 1), f"the sign-flip test of {n} pairs")
    if n > 20:
        raise RefusedError(f"2^{n} sign flips are too many to count; use the paired t test")
    if np.abs(d).max() <= NO_SPREAD:
        raise RefusedError("the two are equal in every repetition, so p is undefined")
    subsets = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    flipped = (subsets @ d) * 2 - d.sum()  # the sum with the subset kept, the rest flipped
    p = _two_sided(flipped, float(d.sum()))
    means = (subsets[1:] @ d) / subsets[1:].sum(axis=1)
    low, high = _typical(means)
    return Answer("sign-flip permutation (exact)", float(d.mean()), low, high, p)


def permutation(a: Floats, b: Floats) -> Answer:
    """Test the mean difference of independent repetitions by every exchange of labels.

    Assumes that under the null the repetitions are exchangeable: one distribution, so also one
    variance.

    Args:
        a: [n_a] values; b: [n_b] values.

    Returns:
        p: twice the smaller tail over all choose(n_a + n_b, n_a) arrangements. Interval: the shifts
        that the test does not reject, ordered differences of means of equally large subsets.

    Raises:
        RefusedError: no value varies, too few for any p < .05 (3 against 3: .1), or too many.

    Source:
        Pitman 1937; the interval by inversion: Garthwaite 1996, section 2.
    """
    a, b = finite(a, b)
    n_a, n_b = len(a), len(b)
    count = math.comb(n_a + n_b, n_a)
    refuse_floor(min(1.0, 2 / count), f"the permutation test of {n_a} against {n_b} repetitions")
    if count > _MOST:
        raise RefusedError(f"{count} arrangements are too many to count; use Welch's t test")
    pooled = np.concatenate([a, b])
    if np.ptp(pooled) <= NO_SPREAD:
        raise RefusedError("no repetition differs from another, so p is undefined")
    chosen = np.array(list(combinations(range(n_a + n_b), n_a)))
    sums = pooled[chosen].sum(axis=1)
    p = _two_sided(sums / n_a - (pooled.sum() - sums) / n_b, float(a.mean() - b.mean()))
    low, high = _typical(_shifts(pooled, chosen, n_a))
    return Answer("permutation (exact, unpaired)", float(a.mean() - b.mean()), low, high, p)


def _shifts(
    pooled: Floats, chosen: np.ndarray[tuple[int, int], np.dtype[np.intp]], n_a: int
) -> Floats:
    """Return the shift at which each other arrangement is as far out: mean(S) - mean(T).

    S is what the arrangement takes out of a, T (equally many) what it puts there from b.
    """
    member = np.zeros((len(chosen), len(pooled)), dtype=bool)
    np.put_along_axis(member, chosen, True, axis=1)
    out, into = ~member[:, :n_a], member[:, n_a:]
    moved = out.sum(axis=1)
    others = moved > 0
    shifts: Floats = (out[others] @ pooled[:n_a] - into[others] @ pooled[n_a:]) / moved[others]
    return shifts


def _two_sided(drawn: Floats, observed: float) -> float:
    slack = NO_SPREAD * max(1.0, float(np.abs(drawn).max()))
    tails = np.mean(drawn <= observed + slack), np.mean(drawn >= observed - slack)
    return min(1.0, 2 * float(min(tails)))


def _typical(thresholds: Floats) -> tuple[float, float]:
    """Return the interval of the test's inversion: each side cuts off what .025 allows.

    Beyond the k-th of M - 1 ordered thresholds the test has a tail of k / M.
    """
    ordered = np.sort(thresholds)
    cut = math.floor(ALPHA / 2 * (len(ordered) + 1) * (1 + 1e-9))
    return float(ordered[cut - 1]), float(ordered[len(ordered) - cut])
