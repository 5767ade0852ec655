"""Whether the order of backbones depends on a setting. Means in, no torch."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """How alike two settings rank the same backbones.

    Attributes:
        backbones: how many both have a mean of.
        tau: Kendall's tau-b of the two orders; None of fewer than two backbones, or where a
            setting has all of them equal.
        switched: pairs of backbones of which one setting has the first ahead, the other the second.
        best: the best backbone of each setting; the first of equals.
    """

    backbones: int
    tau: float | None
    switched: tuple[tuple[str, str], ...]
    best: tuple[str, str]


def agreement(
    first: Mapping[str, float], second: Mapping[str, float], *, down: bool = False
) -> Agreement:
    """Compare two rankings.

    Args:
        first, second: backbone -> mean under each of two settings; at least one in both.
        down: whether less is better.
    """
    names = [name for name in first if name in second]
    sign = -1.0 if down else 1.0
    a, b = ({name: sign * means[name] for name in names} for means in (first, second))
    tau = math.nan
    if len(names) > 1:
        from scipy.stats import kendalltau  # which takes long to import, and few reports need

        tau = float(kendalltau(list(a.values()), list(b.values()))[0])
    return Agreement(
        len(names),
        None if math.isnan(tau) else tau,
        tuple(
            (x, y) if a[x] > a[y] else (y, x)
            for x, y in itertools.combinations(names, 2)
            if (a[x] - a[y]) * (b[x] - b[y]) < 0
        ),
        (max(names, key=a.__getitem__), max(names, key=b.__getitem__)),
    )
