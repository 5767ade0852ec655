"""Correction of p-values for the number of comparisons in a declared family."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def holm(p: Floats) -> Floats:
    """Return Holm's step-down adjusted p-values of one family.

    A NaN (a comparison that was refused) stays NaN and does not count in the family's size.

    Args:
        p: [n] p-values.

    Source:
        Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


CORRECTIONS: Mapping[str, Callable[[Floats], Floats]] = {"holm": holm}
