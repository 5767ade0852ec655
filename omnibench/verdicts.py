"""What a suite's records say of its backbones: the one place where its comparisons are made."""

from collections import Counter
from collections.abc import Collection, Sequence

import pandas as pd

from omnibench.states import CellState
from omnibench.stats.cases import Predictions
from omnibench.stats.compare import Rules, Tests, compare_all
from omnibench.stats.units import Score
from omnibench.suite import Suite
from omnibench.task import makes_backbones


def tests_of(
    suite: Suite,
    states: Sequence[CellState],
    values: pd.DataFrame,
    predictions: Predictions,
    rules: Rules,
    scores: Collection[Score] | None = None,
    ranked: Collection[Score] = (),
) -> Tests:
    """Compare every backbone of a suite with its baseline; nothing where it names none.

    Args:
        states: of every cell that the suite asks for, whatever is filtered: a family is whole.
        values: the long table of their records; predictions: of the same.
        scores: the metrics that are compared; None for all.
        ranked: the metrics whose backbones are stood in order.
    """
    # What a task that makes backbones starts from is no rival of what it makes.
    makers = [task for task in values["task"].unique() if makes_backbones(task)]
    rated = values[~values["task"].isin(makers)]
    baseline = suite.report.baseline
    rivals = [card.id for card in suite.backbones if card.id != baseline]
    pairs = [(rival, baseline) for rival in rivals] if baseline else []
    units = (state.cell.unit for state in states)
    expected = Counter((u.task, u.dataset.id, u.short, u.backbone.id) for u in units)
    return compare_all(rated, predictions, pairs, rules, scores, ranked, expected)
