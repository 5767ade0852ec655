"""Correct p-values for the number of comparisons in a declared family."""

from collections.abc import Callable, Mapping

import numpy as np

from omnibench.errors import RequestError
from omnibench.stats.result import Floats

Correction = Callable[[Floats], Floats]


def holm(p: Floats) -> Floats:
    """Return Holm's step-down adjusted p-values of one family: [n].

    A NaN (a comparison that was refused) stays NaN and does not count in the family's size.

    Source:
        Holm 1979, A simple sequentially rejective multiple test procedure.
    """
    return _adjusted(
        p, lambda p: np.minimum(np.maximum.accumulate(p * np.arange(len(p), 0, -1)), 1.0)
    )


def benjamini_hochberg(p: Floats) -> Floats:
    """Return Benjamini and Hochberg's step-up adjusted p-values of one family: [n].

    Bounds the expected share of false ones among the differences found, not the chance of any; for
    independent or positively dependent tests. A NaN stays NaN and does not count.

    Source:
        Benjamini & Hochberg 1995, Controlling the false discovery rate.
    """
    return _adjusted(
        p,
        lambda p: np.minimum.accumulate((p * len(p) / np.arange(1, len(p) + 1))[::-1])[::-1],
    )


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


def _adjusted(p: Floats, adjust: Correction) -> Floats:
    """Adjust the p-values that are not NaN, in ascending order."""
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p)[: np.count_nonzero(~np.isnan(p))]  # NaN sorts last
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = adjust(p[order])
    return adjusted
