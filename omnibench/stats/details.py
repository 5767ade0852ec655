"""Say what stands beside a comparison over its repetitions, on these test images."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from omnibench.stats.across import Aggregate, probability_of_improvement, wins_of_runs
from omnibench.stats.compare import Rules
from omnibench.stats.hedges import StandardisedDifference, hedges_g, hedges_g_paired
from omnibench.stats.pair import Comparison
from omnibench.stats.result import RefusedError
from omnibench.stats.units import Key, Unit, undecoded, units_of


@dataclass(frozen=True)
class Detail:
    """What the repetitions of one comparison of a with b say on these test images.

    Attributes:
        effect: None where it is undefined.
        chance: that a run of a beats one of b; None without two of each, or a direction.
    """

    effect: StandardisedDifference | None = None
    chance: float | None = None


def details(values: pd.DataFrame, comparisons: Iterable[Comparison], rules: Rules) -> list[Detail]:
    """Return the detail of each comparison, in order.

    Args:
        values: the long table of `units.COLUMNS`.
        comparisons: what `compare_pairs` returned for it by these rules.
    """
    units = units_of(values)
    return [_detail(row, units, rules) for row in comparisons]


def improvement(
    values: pd.DataFrame, comparisons: Iterable[Comparison], lower_is_better: bool
) -> Aggregate:
    """Return how likely a run of a beats one of b, over the datasets of one pair and metric.

    Args:
        comparisons: of one pair, task, adaptation, definition and metric; those with two
            repetitions of each and a difference are taken.

    Raises:
        RefusedError: no dataset has two repetitions of each.
    """
    units = units_of(values)
    a, b = {}, {}
    for row in comparisons:
        if math.isfinite(row.difference) and min(row.n_a, row.n_b) > 1:
            a[row.dataset], b[row.dataset] = (
                unit.values(row.definition, row.metric) for unit in _pair(row, units)
            )
    if not a:
        raise RefusedError("no dataset has two repetitions of each")
    return probability_of_improvement(a, b, lower_is_better)


def _detail(row: Comparison, units: Mapping[Key, Unit], rules: Rules) -> Detail:
    if not math.isfinite(row.difference):
        return Detail()
    a, b = _pair(row, units)
    of_a, of_b = a.values(*row.score), b.values(*row.score)
    seeds_a, seeds_b = a.pairing(*row.score), b.pairing(*row.score)
    try:
        if seeds_a == seeds_b:
            effect = hedges_g_paired(of_a, of_b, seeds_a, seeds_b)
        else:
            effect = hedges_g(of_a, of_b)
    except RefusedError:
        effect = None
    chance, metric = None, undecoded(row.score)
    if min(row.n_a, row.n_b) > 1 and metric not in rules.undirected:
        falling = metric in rules.lower_is_better
        chance = float(wins_of_runs(of_a, of_b, falling).mean())
    return Detail(effect, chance)


def _pair(row: Comparison, units: Mapping[Key, Unit]) -> tuple[Unit, Unit]:
    return units[*row.place, row.backbone_a], units[*row.place, row.backbone_b]
