"""Test sets of which a share is of low quality, as weights of the cases that are predicted.

Were each case of low quality with probability q, independently of all others, a pair of cases would
be in its four states with products of q and 1 - q. So the weighted accuracy and area under the
curve are the exact expectations over such draws; a ratio of sums, as F1, is that of the expected
sums.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnibench.views import share_name

Arrays = Mapping[str, NDArray[Any]]

# [K] shares of low quality among the test images, stored as "shares@low".
SHARES = "shares"
WEIGHT = "test_weight"  # [N] by which a view's cases count
LOW = "test_low"  # [N] which test images are of low quality, where they are so themselves
TEST, CASE, GROUP, LABELS = "test_", "test_case", "test_group", "test_labels"


def mixed_views(
    plain: Arrays, own: Arrays, shares: NDArray[np.floating[Any]], suffix: str
) -> dict[str, Arrays]:
    """Return the arrays of each share of low quality, by "@low-q25".

    Args:
        plain: the predictions of the test set itself.
        own: what the view of low quality has of its own: predictions for copies of low quality of
            all cases, or LOW.
        shares: [K].
        suffix: "@low".
    """
    views: dict[str, Arrays] = {}
    for share in shares.tolist():
        arrays = _of_scores(plain, own[LOW], share) if LOW in own else _of_copies(plain, own, share)
        views[f"{suffix}-q{share_name(share)}"] = arrays
    return views


def _of_copies(plain: Arrays, own: Arrays, share: float) -> Arrays:
    """Return both copies of every case, which are one patient's, weighted by the share."""
    tests = {name: array for name, array in plain.items() if name.startswith(TEST)}
    low = {**tests, **own}
    others = {name: array for name, array in plain.items() if name not in tests}
    if share in (0, 1):  # one of the two copies alone
        return {**others, **(low if share else tests)}
    count = len(plain[CASE])
    arrays = {
        name: np.concatenate([array, low[name]]) if len(array) == count else array
        for name, array in tests.items()
    }
    arrays.setdefault(GROUP, arrays[CASE])
    weights = np.repeat(np.array([1 - share, share]), count)
    return {**others, **arrays, WEIGHT: weights}


def _of_scores(plain: Arrays, low: NDArray[np.bool_], share: float) -> Arrays:
    """Return the cases weighted so that in each class the share of them is of low quality."""
    labels = plain[LABELS]
    weights = np.zeros(len(low))
    for label in np.unique(labels):
        of_class = labels == label
        for is_low, part in ((True, share), (False, 1 - share)):
            chosen = of_class & (low == is_low)
            if part and chosen.any():
                weights[chosen] = part * of_class.sum() / chosen.sum()
    there = weights > 0
    arrays = {
        name: array[there] if name.startswith(TEST) and len(array) == len(low) else array
        for name, array in plain.items()
    }
    return {**arrays, WEIGHT: weights[there]}
