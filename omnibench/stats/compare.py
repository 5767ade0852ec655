"""Compare backbones pair by pair over every dataset and adaptation, corrected by family."""

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd

from omnibench.stats.cases import Cases, Predictions, read_cases
from omnibench.stats.correction import Correction, correction_named
from omnibench.stats.pair import Comparison, compare_units
from omnibench.stats.units import Score, Unit, units_of


def compare_pairs(
    values: pd.DataFrame,
    predictions: Predictions,
    pairs: Iterable[tuple[str, str]],
    scores: Collection[Score] | None = None,
    correction: str = "holm",
) -> list[Comparison]:
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
        One comparison for each pair, dataset, adaptation, definition and metric; `as_frame` makes
        a table of them.

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


def corrected(comparisons: Sequence[Comparison], correct: Correction) -> list[Comparison]:
    """Correct p within each family: all comparisons of one task, definition and metric."""
    families: dict[tuple[str, str, str], list[int]] = {}
    for position, row in enumerate(comparisons):
        families.setdefault((row.task, row.definition, row.metric), []).append(position)
    rows = list(comparisons)
    for positions in families.values():
        p = np.array([rows[k].p for k in positions], dtype=np.float64)
        size = int(np.count_nonzero(~np.isnan(p)))
        for k, adjusted in zip(positions, correct(p).tolist(), strict=True):
            rows[k] = replace(rows[k], p_corrected=adjusted, family=size)
    return rows


def as_frame(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Return a table with one row for each comparison and `Comparison`'s fields as columns."""
    names = [field.name for field in fields(Comparison)]
    return pd.DataFrame([vars(row) for row in comparisons], columns=names)
