"""Compare backbones over repetitions by a test that is named, with frozen probes labelled."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from omnibench.errors import RequestError
from omnibench.stats.compare import corrected
from omnibench.stats.correction import correction_named
from omnibench.stats.pair import FROZEN, Comparison, described, refuse_incomparable
from omnibench.stats.permutation import permutation, sign_flips
from omnibench.stats.result import Answer, Floats, RefusedError
from omnibench.stats.seeds import paired_t, welch_t
from omnibench.stats.single import one_sample_t, prediction_t
from omnibench.stats.units import Score, Unit, units_of
from omnibench.stats.wilcoxon import wilcoxon

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
        values: the long table of `units.COLUMNS`.
        pairs: backbones (a, b); differences are a - b.
        test: a name of `PAIRED` or `UNPAIRED`.
        scores: the (definition, metric) pairs wanted; None for all.
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
    correct = correction_named(correction)
    units, absent = units_of(values), Unit("", False)
    rows: list[Comparison] = []
    pairs = list(pairs)
    for place in dict.fromkeys(key[:3] for key in units):
        for pair in pairs:
            a, b = (units.get((*place, backbone), absent) for backbone in pair)
            wanted = [s for s in {**a.scores, **b.scores} if scores is None or s in scores]
            rows += _rows([described(place, *s, pair, a, b) for s in wanted], a, b, test, label)
    return corrected(rows, correct)


def _rows(
    rows: Iterable[Comparison], a: Unit, b: Unit, test: str, label: str
) -> Iterator[Comparison]:
    for row in rows:
        try:
            refuse_incomparable(row, a, b)
            found = _test(a, b, (row.definition, row.metric), test, label)
            yield replace(
                row, test=found.test, low=found.low, high=found.high, p=found.p,
                effect=found.effect, difference=found.difference,
            )  # fmt: skip
        except RefusedError as reason:
            yield replace(row, note=str(reason))


def _test(a: Unit, b: Unit, key: Score, test: str, label: str) -> Answer:
    frozen = a.varies in FROZEN
    if frozen and label != LABEL:
        raise RefusedError(
            f"repetitions of a frozen probe differ in {a.varies} alone, so they are tested over "
            f"cases (compare_pairs), or under the label '{LABEL}'"
        )
    if test in PAIRED:
        pairings = a.pairing(*key), b.pairing(*key)
        found = PAIRED[test](a.values(*key), b.values(*key), *pairings)
    else:
        found = UNPAIRED[test](a.values(*key), b.values(*key))
    return replace(found, test=f"{found.test} ({LABEL})") if frozen else found
