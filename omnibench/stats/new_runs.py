"""Which unit is better on new cases and with a new run, for each row of a comparison."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from omnibench.stats.cases import Predictions, read_cases
from omnibench.stats.over_both import compare_both
from omnibench.stats.over_cases import Found
from omnibench.stats.pair import Comparison, agreeing
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.units import Key, Unit, units_of


def on_new_runs(
    values: pd.DataFrame, comparisons: Sequence[Comparison], predictions: Predictions
) -> list[Answer | RefusedError]:
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
    answers: dict[int, Answer | RefusedError] = {}
    for pair, positions in pairs.items():
        rows = [comparisons[position] for position in positions]
        answers |= zip(positions, _answers(rows, pair, units, predictions), strict=True)
    return [answers[position] for position in range(len(comparisons))]


def _answers(
    rows: Sequence[Comparison],
    pair: tuple[Key, Key],
    units: Mapping[Key, Unit],
    predictions: Predictions,
) -> Iterator[Answer | RefusedError]:
    """Of one pair of units, whose predictions are read once."""
    tested = [(row.definition, row.metric) for row in rows if row.test != "none"]
    reason, found = RefusedError("it has no test of its own"), Found()
    if tested:
        a, b = units[pair[0]], units[pair[1]]
        paired = a.pairings == b.pairings
        try:
            cases = [read_cases(unit.digests, predictions, tested) for unit in (a, b)]
            found = compare_both(cases[0], cases[1], tested, paired)
            reason = RefusedError("it has no test over cases and repetitions")
        except RefusedError as refused:
            reason = refused
    for row in rows:
        try:
            yield agreeing(found.get((row.definition, row.metric), reason), row.difference)
        except RefusedError as refused:
            yield refused
