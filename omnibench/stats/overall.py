"""Sum comparisons up over datasets."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from statistics import fmean

from omnibench.stats.pair import Comparison


@dataclass(frozen=True)
class Overall:
    """One pair of backbones in one metric, with one adaptation, over datasets.

    Attributes:
        datasets: how many were compared; those without a difference are counted in `missing`.
        mean_difference: unweighted, a - b, as a fraction; NaN where nothing was compared.
        wins, losses: of a; ties are neither.
    """

    task: str
    adaptation: str
    definition: str
    metric: str
    backbone_a: str
    backbone_b: str
    datasets: int
    missing: int
    mean_difference: float
    wins: int
    losses: int


def by_dataset(
    comparisons: Iterable[Comparison],
) -> dict[tuple[str, str, str, str, str, str], list[Comparison]]:
    """Group comparisons that differ in their dataset alone, in order of first appearance.

    Returns:
        (task, adaptation, definition, metric, backbone a, backbone b) -> its comparisons.
    """
    groups: dict[tuple[str, str, str, str, str, str], list[Comparison]] = {}
    for row in comparisons:
        pair = (row.backbone_a, row.backbone_b)
        key = (row.task, row.adaptation, row.definition, row.metric, *pair)
        groups.setdefault(key, []).append(row)
    return groups


def overall(comparisons: Iterable[Comparison], lower_is_better: Collection[str]) -> list[Overall]:
    """Sum up each group of `by_dataset`, in its order.

    Args:
        lower_is_better: metrics that improve downwards.
    """
    sums = []
    for key, rows in by_dataset(comparisons).items():
        differences = [row.difference for row in rows if not math.isnan(row.difference)]
        gains = [-d if key[3] in lower_is_better else d for d in differences]
        sums.append(
            Overall(
                *key,
                datasets=len(differences),
                missing=len(rows) - len(differences),
                mean_difference=fmean(differences) if differences else math.nan,
                wins=sum(gain > 0 for gain in gains),
                losses=sum(gain < 0 for gain in gains),
            )
        )
    return sums
