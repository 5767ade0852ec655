"""Compare backbones pair by pair over every dataset and adaptation, corrected by family."""

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace

import numpy as np
import pandas as pd

from omnibench.errors import RequestError
from omnibench.stats.cases import Cases, Predictions, read_cases
from omnibench.stats.correction import correction_named
from omnibench.stats.exact_tests import permutation, sign_flips, wilcoxon
from omnibench.stats.pair import (
    FROZEN,
    Comparison,
    Place,
    compare_units,
    described,
    refuse_incomparable,
    scores_of_either,
)
from omnibench.stats.result import Answer, Floats, RefusedError
from omnibench.stats.t_tests import one_sample_t, paired_t, prediction_t, welch_t
from omnibench.stats.units import Score, Unit, units_of

PAIRED: Mapping[str, Callable[[Floats, Floats, Sequence[str], Sequence[str]], Answer]] = {
    "paired-t": paired_t,
    "wilcoxon": wilcoxon,
    "sign-flips": sign_flips,
}
UNPAIRED: Mapping[str, Callable[[Floats, Floats], Answer]] = {
    "welch": welch_t,
    "permutation": permutation,
    "prediction": prediction_t,
    "one-sample": one_sample_t,
}
LABEL = "head seed only"


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

    @functools.lru_cache(maxsize=2)  # the two of a pair; a shared baseline stays
    def read(unit: Unit) -> Cases:
        wanted = [score for score in unit.scores if scores is None or score in scores]
        return read_cases(unit.digests, predictions, wanted)

    def compare(place: Place, pair: tuple[str, str], a: Unit, b: Unit) -> Iterator[Comparison]:
        return compare_units(place, pair, a, b, scores, read)

    return _compare_all(values, pairs, compare, correction)


def compare_repetitions(
    values: pd.DataFrame,
    pairs: Iterable[tuple[str, str]],
    test: str,
    scores: Collection[Score] | None = None,
    correction: str = "holm",
    label: str = "",
) -> list[Comparison]:
    """Compare the backbones of each pair on every dataset by one test over repetitions.

    What each test assumes stands with its function. What it cannot answer is a row with p = NaN and
    the reason in its note.

    Args:
        values, pairs, scores: as in `compare_pairs`.
        test: a name of `PAIRED` or `UNPAIRED`.
        label: `LABEL`, with which frozen probes are tested too, and which their rows then bear.
            Their repetitions differ in next to nothing, so almost any difference is significant.

    Returns:
        The comparisons, as `compare_pairs`.

    Raises:
        StoreError: two records claim the same repetition of a unit.
        RequestError: unknown test, label or correction.
    """
    known = [*PAIRED, *UNPAIRED]
    if test not in known:
        raise RequestError(f"unknown test over repetitions '{test}'; known: {', '.join(known)}")
    if label not in ("", LABEL):
        raise RequestError(f"unknown label '{label}'; the only one is '{LABEL}'")

    def compare(place: Place, pair: tuple[str, str], a: Unit, b: Unit) -> Iterator[Comparison]:
        for score in scores_of_either(a, b, scores):
            row = described(place, score, pair, a, b)
            try:
                refuse_incomparable(row, a, b)
                answer = vars(_test(a, b, score, test, label))
                yield replace(row, **answer)
            except RefusedError as reason:
                yield replace(row, note=str(reason))

    return _compare_all(values, pairs, compare, correction)


def as_frame(comparisons: Iterable[Comparison]) -> pd.DataFrame:
    """Return a table with one row for each comparison and `Comparison`'s fields as columns."""
    names = [field.name for field in fields(Comparison)]
    return pd.DataFrame([vars(row) for row in comparisons], columns=names)


def _compare_all(
    values: pd.DataFrame,
    pairs: Iterable[tuple[str, str]],
    compare: Callable[[Place, tuple[str, str], Unit, Unit], Iterable[Comparison]],
    correction: str,
) -> list[Comparison]:
    """Compare every pair in every place, and correct p within each family.

    A family is all comparisons of one task, definition and metric.
    """
    correct = correction_named(correction)
    units, pairs, absent = units_of(values), list(pairs), Unit("", False)
    rows: list[Comparison] = []
    for place in dict.fromkeys(key[:3] for key in units):
        for pair in pairs:
            a, b = (units.get((*place, backbone), absent) for backbone in pair)
            rows += compare(place, pair, a, b)
    families: dict[tuple[str, str, str], list[int]] = {}
    for position, row in enumerate(rows):
        families.setdefault((row.task, row.definition, row.metric), []).append(position)
    for positions in families.values():
        p = np.array([rows[k].p for k in positions], dtype=np.float64)
        size = int(np.count_nonzero(~np.isnan(p)))
        for k, adjusted in zip(positions, correct(p).tolist(), strict=True):
            rows[k] = replace(rows[k], p_corrected=adjusted, family=size)
    return rows


def _test(a: Unit, b: Unit, score: Score, test: str, label: str) -> Answer:
    frozen = a.varies in FROZEN
    if frozen and label != LABEL:
        raise RefusedError(
            f"repetitions of a frozen probe differ in {a.varies} alone, so they are tested over "
            f"cases (compare_pairs), or under the label '{LABEL}'"
        )
    values = a.values(*score), b.values(*score)
    if test in PAIRED:
        answer = PAIRED[test](*values, a.pairing(*score), b.pairing(*score))
    else:
        answer = UNPAIRED[test](*values)
    return replace(answer, test=f"{answer.test} ({LABEL})") if frozen else answer
