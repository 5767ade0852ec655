"""Say what stands beside a comparison: effect, equivalence, chance, verdict, and new runs."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from omnibench.stats.across import Aggregate, probability_of_improvement, wins_of_runs
from omnibench.stats.cases import Predictions, read_cases
from omnibench.stats.hedges import (
    StandardisedDifference,
    hedges_g,
    hedges_g_paired,
)
from omnibench.stats.over_cases import Outcome, compare_both
from omnibench.stats.pair import FROZEN, Comparison, agreeing
from omnibench.stats.result import ALPHA, RefusedError
from omnibench.stats.t_tests import tost_paired, tost_welch
from omnibench.stats.units import Key, Score, Unit, undecoded, units_of


@dataclass(frozen=True)
class Detail:
    """What stands beside one comparison of a with b.

    Attributes:
        effect: of a test over repetitions; None for tests over cases, and where it is undefined.
        equivalent: whether |a - b| below the margin is shown; None without a margin or a test.
        verdict: "better" and "worse" (p_corrected < .05, of a), "equivalent", "open" (neither is
            shown), or "untested".
        chance: probability that a run of a beats one of b; None without two of each.
    """

    effect: StandardisedDifference | None
    equivalent: bool | None
    verdict: str
    chance: float | None = None


def details(
    values: pd.DataFrame,
    comparisons: Iterable[Comparison],
    margins: Mapping[Score, float],
    lower_is_better: Collection[str],
) -> list[Detail]:
    """Return the detail of each comparison, in order.

    Equivalence over repetitions is TOST (paired or Welch, as the difference's test); over cases it
    is a 95 % interval inside the margin, which is TOST at level .025.

    Args:
        values: the long table of `units.COLUMNS`.
        comparisons: what `compare_pairs` returned for it.
        margins: (definition, metric) -> margin in its own unit; those without one are not tested.
        lower_is_better: metrics that improve downwards, as "definition/name".
    """
    units = units_of(values)
    scores = ((row, (row.definition, row.metric)) for row in comparisons)
    return [
        _detail(row, units, margins.get(score), undecoded(score) in lower_is_better)
        for row, score in scores
    ]


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


def _detail(
    row: Comparison, units: Mapping[Key, Unit], margin: float | None, lower_is_better: bool
) -> Detail:
    if row.test == "none":
        return Detail(None, None, "untested")
    a, b = _pair(row, units)
    key = (row.definition, row.metric)
    if a.varies in FROZEN:
        effect = None
        equivalent = None if margin is None else -margin < row.low and row.high < margin
    else:
        effect = _effect(a, b, key)
        equivalent = None if margin is None else _equivalent(a, b, key, margin)
    if row.p_corrected < ALPHA:
        verdict = "better" if (row.difference > 0) != lower_is_better else "worse"
    else:
        verdict = "equivalent" if equivalent else "open"
    chance = None
    if min(row.n_a, row.n_b) > 1:
        chance = float(wins_of_runs(a.values(*key), b.values(*key), lower_is_better).mean())
    return Detail(effect, equivalent, verdict, chance)


def _pair(row: Comparison, units: Mapping[Key, Unit]) -> tuple[Unit, Unit]:
    place = (row.task, row.dataset, row.adaptation)
    return units[*place, row.backbone_a], units[*place, row.backbone_b]


def _effect(a: Unit, b: Unit, key: tuple[str, str]) -> StandardisedDifference | None:
    pairing_a, pairing_b = a.pairing(*key), b.pairing(*key)
    try:
        if pairing_a == pairing_b:
            return hedges_g_paired(a.values(*key), b.values(*key), pairing_a, pairing_b)
        return hedges_g(a.values(*key), b.values(*key))
    except RefusedError:
        return None


def _equivalent(a: Unit, b: Unit, key: tuple[str, str], margin: float) -> bool | None:
    pairing_a, pairing_b = a.pairing(*key), b.pairing(*key)
    values = a.values(*key), b.values(*key)
    try:
        if pairing_a == pairing_b:
            return tost_paired(*values, pairing_a, pairing_b, margin).p < ALPHA
        return tost_welch(*values, margin).p < ALPHA
    except RefusedError:
        return None


def on_new_runs(
    values: pd.DataFrame, comparisons: Sequence[Comparison], predictions: Predictions
) -> list[Outcome]:
    """Return the hierarchical bootstrap's answer to each comparison, in order.

    Its p stand beside a comparison's own test and are not corrected.

    Args:
        values: the long table of `units.COLUMNS`.
        comparisons: what `compare_pairs` returned for it.
        predictions: as in `compare_pairs`.
    """
    units = units_of(values)
    pairs: dict[tuple[Key, Key], list[int]] = {}
    for position, row in enumerate(comparisons):
        place = (row.task, row.dataset, row.adaptation)
        pair = ((*place, row.backbone_a), (*place, row.backbone_b))
        pairs.setdefault(pair, []).append(position)
    answers: dict[int, Outcome] = {}
    for pair, positions in pairs.items():
        rows = [comparisons[position] for position in positions]
        answers |= zip(positions, _outcomes(rows, pair, units, predictions), strict=True)
    return [answers[position] for position in range(len(comparisons))]


def _outcomes(
    rows: Sequence[Comparison],
    pair: tuple[Key, Key],
    units: Mapping[Key, Unit],
    predictions: Predictions,
) -> Iterator[Outcome]:
    """Yield the outcomes of one pair of units, whose predictions are read once."""
    tested = [(row.definition, row.metric) for row in rows if row.test != "none"]
    reason, outcomes = RefusedError("it has no test of its own"), dict[Score, Outcome]()
    if tested:
        a, b = units[pair[0]], units[pair[1]]
        paired = a.pairings == b.pairings
        try:
            cases = [read_cases(unit.digests, predictions, tested) for unit in (a, b)]
            outcomes = compare_both(cases[0], cases[1], tested, paired)
            reason = RefusedError("it has no test over cases and repetitions")
        except RefusedError as refused:
            reason = refused
    for row in rows:
        try:
            yield agreeing(outcomes.get((row.definition, row.metric), reason), row.difference)
        except RefusedError as refused:
            yield refused
