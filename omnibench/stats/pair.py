"""Compare two units: by the test that answers for each metric, or saying why none does."""

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from omnibench.stats.cases import Cases
from omnibench.stats.over_cases import Outcome, compare_cases
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.t_tests import paired_t, prediction_t, welch_t
from omnibench.stats.units import Score, Unit, split_decoding

Place = tuple[str, str, str]  # task, dataset, adaptation

# Repetitions of these differ in next to nothing: a test over them would call any difference
# significant, so it is the test cases that are taken as the sample.
FROZEN = frozenset({"head seed", "nothing"})

# The recorded difference and the one recomputed from predictions agree in every printed digit.
_AGREE = 5e-5


@dataclass(frozen=True)
class Comparison:
    """One comparison of backbone a with b; values are fractions, NaN where there is none.

    Attributes:
        n_a, n_b: repetitions; 0 where there is no record.
        test: the test's name; "none" where it was refused, and `note` says why.
        p_corrected: over the family of all tests of this task, definition and metric.
        family: how many tests that family has.
        effect: Hedges g of a test over repetitions; NaN for case-level tests.
        p_seed: "paired t (head seed only)" of a frozen probe, beside its case-level p.
    """

    task: str
    dataset: str
    adaptation: str
    definition: str
    metric: str
    backbone_a: str
    backbone_b: str
    n_a: int
    n_b: int
    mean_a: float
    mean_b: float
    difference: float
    low: float = math.nan
    high: float = math.nan
    test: str = "none"
    p: float = math.nan
    p_corrected: float = math.nan
    family: int = 0
    effect: float = math.nan
    p_seed: float = math.nan
    error: float = math.nan
    df: float = math.nan
    note: str = ""


def compare_units(
    place: Place,
    backbones: tuple[str, str],
    a: Unit,
    b: Unit,
    scores: Collection[Score] | None,
    read: Callable[[Unit], Cases],
) -> Iterator[Comparison]:
    """Yield one comparison for each definition and metric that either unit has.

    Args:
        place: what the two share.
        scores: the (definition, metric) pairs wanted; None for all.
        read: unit -> its stored predictions, called for frozen probes only.
    """
    wanted = scores_of_either(a, b, scores)
    over_cases = _over_cases(a, b, [s for s in wanted if s in a.scores and s in b.scores], read)
    for score in wanted:
        row = described(place, score, backbones, a, b)
        try:
            refuse_incomparable(row, a, b)
            if a.varies in FROZEN:
                row = replace(row, p_seed=_head_seed_p(a, b, score))
                absent = RefusedError(f"{row.metric} as {row.definition} has no case-level test")
                answer = agreeing(over_cases.get(score, absent), row.difference)
            else:
                answer = _over_repetitions(a, b, score)
            yield replace(
                row, test=answer.test, low=answer.low, high=answer.high, p=answer.p,
                effect=answer.effect,
                note=f"{row.n_a} against {row.n_b} repetitions" if row.n_a != row.n_b else "",
            )  # fmt: skip
        except RefusedError as reason:
            yield replace(row, note=str(reason))


def _over_cases(
    a: Unit, b: Unit, scores: Collection[Score], read: Callable[[Unit], Cases]
) -> dict[Score, Outcome]:
    """Test two frozen probes over cases, all metrics from one reading."""
    if a.varies != b.varies or a.varies not in FROZEN or not scores:
        return {}
    try:
        return compare_cases(read(a), read(b), scores)
    except RefusedError as reason:
        return dict.fromkeys(scores, reason)


def scores_of_either(a: Unit, b: Unit, scores: Collection[Score] | None) -> list[Score]:
    """Return those of the scores (None: of all) that either unit has, a's first."""
    return [score for score in {**a.scores, **b.scores} if scores is None or score in scores]


def described(
    place: Place, score: Score, backbones: tuple[str, str], a: Unit, b: Unit
) -> Comparison:
    """Return a comparison without its test."""
    values = [unit.values(*score) for unit in (a, b)]
    n_a, n_b = (len(v) for v in values)
    mean_a, mean_b = (float(v.mean()) if len(v) else math.nan for v in values)
    return Comparison(*place, *score, *backbones, n_a, n_b, mean_a, mean_b, mean_a - mean_b)


def refuse_incomparable(row: Comparison, a: Unit, b: Unit) -> None:
    """Raise RefusedError where a value is absent or undefined, or repetitions are of two kinds."""
    for backbone, unit, n in ((row.backbone_a, a, row.n_a), (row.backbone_b, b, row.n_b)):
        others = [definition for definition, metric in unit.scores if metric == row.metric]
        name, decoding = split_decoding(row.definition)
        decoded = [d for other, d in map(split_decoding, others) if other == name]
        if n == 0 and decoding and decoded:
            raise RefusedError(
                f"{backbone} was decoded with {', '.join(decoded)} only, not with {decoding}, and "
                "different decodings are never compared"
            )
        if n == 0 and others:
            raise RefusedError(
                f"{backbone} has {row.metric} as {', '.join(others)} only, not as "
                f"{row.definition}, and different definitions are never compared; `bench.py "
                "rescore SUITE` computes every definition from stored predictions"
            )
        if n == 0:
            raise RefusedError(f"no {row.metric} of {backbone}")
        scores = unit.scores[row.definition, row.metric]
        undefined = sorted(k for k, value in scores.items() if math.isnan(value))
        if undefined:
            raise RefusedError(
                f"{row.metric} of {backbone} is undefined in repetitions {undefined}"
            )
    if a.varies != b.varies:
        raise RefusedError(
            f"repetitions differ in {a.varies} on one side, in {b.varies} on the other"
        )


def agreeing(outcome: Outcome, difference: float) -> Answer:
    """Return a test of stored predictions, provided that it is of the records' difference.

    Raises:
        RefusedError: it is not, or it was refused itself.
    """
    if isinstance(outcome, RefusedError):
        raise outcome
    if not math.isclose(outcome.difference, difference, rel_tol=0, abs_tol=_AGREE):
        raise RefusedError(
            f"the stored predictions give a difference of {outcome.difference:+.4f} where the "
            f"records say {difference:+.4f}"
        )
    return outcome


def _over_repetitions(a: Unit, b: Unit, score: Score) -> Answer:
    values = a.values(*score), b.values(*score)
    pairings = a.pairing(*score), b.pairing(*score)
    if pairings[0] == pairings[1]:
        return paired_t(*values, *pairings)
    if 1 == min(map(len, values)) < max(map(len, values)):
        return prediction_t(*values)
    return welch_t(*values)


def _head_seed_p(a: Unit, b: Unit, score: Score) -> float:
    pairings = a.pairing(*score), b.pairing(*score)
    try:
        return paired_t(a.values(*score), b.values(*score), *pairings).p
    except RefusedError:
        return math.nan
