"""Compare backbones pair by pair over every dataset and adaptation, corrected by family."""

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from omnibench.stats.cases import Cases, Predictions, read_cases
from omnibench.stats.correction import Correction, correction_named
from omnibench.stats.pair import Comparison, compare_units
from omnibench.stats.units import Score, Unit, units_of

# All comparisons of one metric in one table are corrected together.
FAMILY = ["task", "definition", "metric"]


def compare_pairs(
    values: pd.DataFrame,
    predictions: Predictions,
    pairs: Iterable[tuple[str, str]],
    scores: Collection[Score] | None = None,
    correction: str = "holm",
) -> pd.DataFrame:
    """Compare the backbones of each pair on every dataset, with every adaptation.

    Frozen probes are tested over test cases, trained models over repetitions: paired t where the
    two share their seeds, Welch's t elsewhere. What cannot be tested is a row with p = NaN and the
    reason in its note.

    Args:
        values: the long table of `units.COLUMNS`.
        predictions: digest -> what that record stored for its test cases. Each file is read once
            where the pairs share their second backbone (a baseline).
        pairs: backbones (a, b); differences are a - b.
        scores: the (definition, metric) pairs wanted; None for all.

    Returns:
        One row for each pair, dataset, adaptation, definition and metric: `Comparison`'s
        fields.

    Raises:
        StoreError: two records claim the same repetition of a unit.
        RequestError: unknown correction.
    """
    correct = correction_named(correction)
    units = units_of(values)
    pairs = list(pairs)
    absent = Unit("", False)

    @functools.lru_cache(maxsize=2)  # the two of a pair; a shared baseline stays
    def read(unit: Unit) -> Cases:
        wanted = [score for score in unit.scores if scores is None or score in scores]
        return read_cases(unit.digests, predictions, wanted)

    rows: list[Comparison] = []
    for place in dict.fromkeys(key[:3] for key in units):
        for pair in pairs:
            a, b = (units.get((*place, backbone), absent) for backbone in pair)
            rows += compare_units(place, pair, a, b, scores, read)
    return corrected(rows, correct)


def corrected(rows: Sequence[Comparison], correct: Correction) -> pd.DataFrame:
    """Return the rows as a table, their p corrected within each family."""
    frame = pd.DataFrame(
        [vars(row) for row in rows], columns=[field.name for field in fields(Comparison)]
    )
    p = frame["p"].to_numpy(dtype=np.float64)
    adjusted, sizes = np.full_like(p, np.nan), np.zeros(len(p), dtype=np.int64)
    for family in frame.groupby(FAMILY).indices.values():
        adjusted[family] = correct(p[family])
        sizes[family] = np.count_nonzero(~np.isnan(p[family]))
    return frame.assign(p_corrected=adjusted, family=sizes)
