"""Correct p-values for the number of comparisons in a declared family."""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import RequestError

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


def benjamini_hochberg(p: Floats) -> Floats:
    """Return Benjamini and Hochberg's step-up adjusted p-values of one family.

    Bounds the expected share of false ones among the differences found, not the chance of any; for
    independent or positively dependent tests. A NaN stays NaN and does not count.

    Args:
        p: [n] p-values.

    Source:
        Benjamini & Hochberg 1995, Controlling the false discovery rate.
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    steps = p[order] * len(order) / np.arange(1, len(order) + 1)
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum.accumulate(steps[::-1])[::-1]
    return adjusted


Correction = Callable[[Floats], Floats]

CORRECTIONS: Mapping[str, Correction] = {
    "holm": holm,
    "benjamini-hochberg": benjamini_hochberg,
}


def correction_named(name: str) -> Correction:
    """Return the correction of that name.

    Raises:
        RequestError: there is none.
    """
    if name not in CORRECTIONS:
        raise RequestError(f"unknown correction '{name}'; known: {', '.join(CORRECTIONS)}")
    return CORRECTIONS[name]
