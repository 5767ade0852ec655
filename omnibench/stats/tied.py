"""Tell which models of a table's column are not distinguishable from its best."""

import functools
import math
from collections.abc import Collection, Iterator, Mapping

import numpy as np
import pandas as pd

from omnibench.stats.cases import Cases, Predictions, read_cases
from omnibench.stats.correction import CORRECTIONS
from omnibench.stats.pair import Comparison, Place, compare_units
from omnibench.stats.result import ALPHA, NO_SPREAD
from omnibench.stats.units import Score, Unit, undecoded, units_of

COLUMN = ("task", "dataset", "adaptation", "definition", "metric")
COLUMNS = (*COLUMN, "backbone", "best", "mean", "p", "p_corrected", "standing", "note")

Row = tuple[str | float, ...]  # of COLUMNS, less its column


def tied_with_best(
    values: pd.DataFrame,
    predictions: Predictions,
    scores: Collection[Score] | None = None,
    lower_is_better: Collection[str] = (),
    correction: str = "holm",
) -> pd.DataFrame:
    """Compare every model of each column with the column's best mean.

    The family of the correction is the column: its models but one. The best is picked on the same
    test set, so its lead is flattered and the p are too small rather than too large.

    Args:
        values: the long table of `units.COLUMNS`.
        predictions: as in `compare_pairs`.
        scores: the (definition, metric) pairs wanted; None for all.
        lower_is_better: metrics that improve downwards, as "definition/name".

    Returns:
        One row for each model of each column (task, dataset, adaptation, definition, metric):
        backbone, best (the column's), mean, p, p_corrected, standing and note. Standing is "best";
        "tied" (not told apart from it, or the same number); "behind" (p_corrected < .05); or
        "untested", with the reason in the note. A model with an undefined repetition has no mean
        and is never the best; a column of such models only is left out.
    """
    places: dict[Place, dict[str, Unit]] = {}
    for (task, dataset, adaptation, backbone), unit in units_of(values).items():
        places.setdefault((task, dataset, adaptation), {})[backbone] = unit
    rows = []
    for place, models in places.items():
        means = _means(models, scores)
        bests = {
            score: best
            for score, column in means.items()
            if (best := _best(column, undecoded(score) in lower_is_better)) is not None
        }
        comparisons = _against(place, models, bests, predictions)
        for score, best in bests.items():
            standings = _standings(means[score], best, comparisons.get(score, {}), correction)
            rows += [(*place, *score, *row) for row in standings]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _means(
    models: Mapping[str, Unit], scores: Collection[Score] | None
) -> dict[Score, dict[str, float]]:
    """Return each model's mean of each metric; NaN where a repetition is undefined."""
    means: dict[Score, dict[str, float]] = {}
    for backbone, unit in models.items():
        for score in unit.scores:
            if scores is None or score in scores:
                means.setdefault(score, {})[backbone] = float(unit.values(*score).mean())
    return means


def _best(column: Mapping[str, float], falling: bool) -> str | None:
    defined = {backbone: mean for backbone, mean in column.items() if not math.isnan(mean)}
    pick = min if falling else max
    return pick(defined, key=lambda backbone: defined[backbone]) if defined else None


def _against(
    place: Place, models: Mapping[str, Unit], bests: Mapping[Score, str], predictions: Predictions
) -> dict[Score, dict[str, Comparison]]:
    """Compare every model with the best of each metric; its predictions are read once."""

    @functools.cache
    def read(unit: Unit) -> Cases:
        return read_cases(unit.digests, predictions, [s for s in unit.scores if s in bests])

    comparisons: dict[Score, dict[str, Comparison]] = {}
    for best in dict.fromkeys(bests.values()):
        led = [score for score, first in bests.items() if first == best]
        for backbone, unit in models.items():
            if backbone != best:
                pair = (backbone, best)
                for row in compare_units(place, pair, unit, models[best], led, read):
                    score = (row.definition, row.metric)
                    comparisons.setdefault(score, {})[backbone] = row
    return comparisons


def _standings(
    means: Mapping[str, float], best: str, against: Mapping[str, Comparison], correction: str
) -> Iterator[Row]:
    rivals = [backbone for backbone in means if backbone != best]
    p = np.array([against[backbone].p for backbone in rivals], dtype=np.float64)
    corrected = dict(zip(rivals, CORRECTIONS[correction](p).tolist(), strict=True))
    for backbone, mean in means.items():
        if backbone == best:
            yield backbone, best, mean, math.nan, math.nan, "best", ""
            continue
        row = against[backbone]
        standing = "untested"
        if abs(row.difference) <= NO_SPREAD or corrected[backbone] >= ALPHA:
            standing = "tied"
        elif corrected[backbone] < ALPHA:
            standing = "behind"
        yield backbone, best, mean, row.p, corrected[backbone], standing, row.note
