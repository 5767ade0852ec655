"""Compare two units in each metric: on new images and runs, and on these test images over runs."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from omnibench.stats.deciding import decide, equivalence_p, identical
from omnibench.stats.influence import Influence
from omnibench.stats.monitoring import Course, sequential_p
from omnibench.stats.result import ALPHA, Floats, RefusedError
from omnibench.stats.t_tests import paired_t, prediction_t, welch_t
from omnibench.stats.units import Score, Unit, split_decoding

Place = tuple[str, str, str]  # task, dataset, adaptation
Outcome = Influence | RefusedError
Verdict = Literal[
    "better", "worse", "equivalent", "undecided", "identical", "described", "untested"
]

TURNED: Mapping[Verdict, Verdict] = {"better": "worse", "worse": "better"}

# Repetitions of these differ in next to nothing: what is over them is over head seeds only.
FROZEN = frozenset({"head seed", "nothing"})
HEAD_SEED = "head seed only"

# Recorded values and those computed from predictions agree in every printed digit; large ones, as
# areas in pixels, as far as float32 tells.
_AGREE, _AGREE_RELATIVE = 5e-5, 1e-6


@dataclass(frozen=True)
class Comparison:
    """One comparison of backbone a with b; values are fractions, NaN where there is none.

    Attributes:
        n_a, n_b: repetitions; 0 where there is no record.
        test: what the difference, its interval and p are for: "new images and runs", or "new
            images" of single repetitions; "none" where it was refused, and `note` says why.
        error, df: standard error and degrees of freedom of that test.
        runs: what a single run of each adds to the variance of the difference; NaN of single runs.
        primary: whether it is of the metric that verdicts are about.
        p_corrected: over its family, which is the backbones compared with b in the primary metric
            of one dataset with one adaptation; NaN of other metrics, which have no verdict.
        family: how many comparisons that family has.
        looks: at how many numbers of repetitions it may be looked at, which its p_corrected allows
            for; 0 where they were fixed beforehand.
        verdict: on a: "better" or "worse" (p_corrected < .05), "equivalent" (within the margin),
            "undecided", "identical" (in what every patient adds, in every repetition; where they
            are unknown each case is one), "described" (of another than the primary metric), or
            "untested".
        equivalent: whether the two are shown to differ by less than the margin; None without one.
        test_runs, p_runs: the test over repetitions on these test images, and its p.
        low_runs, high_runs: its interval.
        effect: Hedges g of it.
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
    looks: int = 0
    verdict: Verdict = "untested"
    equivalent: bool | None = None
    primary: bool = False
    error: float = math.nan
    df: float = math.nan
    runs: float = math.nan
    test_runs: str = "none"
    low_runs: float = math.nan
    high_runs: float = math.nan
    p_runs: float = math.nan
    effect: float = math.nan
    note: str = ""

    @property
    def score(self) -> Score:
        """Return definition and metric."""
        return self.definition, self.metric

    @property
    def reversed(self) -> "Comparison":
        """Return the comparison of b with a."""
        return replace(
            self,
            backbone_a=self.backbone_b,
            backbone_b=self.backbone_a,
            n_a=self.n_b,
            n_b=self.n_a,
            mean_a=self.mean_b,
            mean_b=self.mean_a,
            difference=-self.difference,
            low=-self.high,
            high=-self.low,
            verdict=TURNED.get(self.verdict, self.verdict),
            low_runs=-self.high_runs,
            high_runs=-self.low_runs,
            effect=-self.effect,
            note=self.note.replace(_counts(self.n_a, self.n_b), _counts(self.n_b, self.n_a)),
        )

    @property
    def place(self) -> Place:
        """Return what the two share."""
        return self.task, self.dataset, self.adaptation


def _counts(n_a: int, n_b: int) -> str:
    return f"{n_a} against {n_b} repetitions"


def compare_units(
    place: Place,
    backbones: tuple[str, str],
    units: tuple[Unit, Unit],
    influences: tuple[Mapping[Score, Outcome], Mapping[Score, Outcome]],
    scores: Collection[Score] | None = None,
) -> Iterator[Comparison]:
    """Yield one comparison for each definition and metric that either unit has; none is corrected.

    Args:
        place: what the two share.
        influences: of each unit's metrics, as far as their predictions tell.
        scores: the (definition, metric) pairs wanted; None for all.
    """
    a, b = units
    for score in scores_of_either(a, b, scores):
        row = described(place, score, backbones, a, b)
        try:
            refuse_incomparable(row, a, b)
        except RefusedError as reason:
            yield replace(row, note=str(reason))
            continue
        row = _on_these_images(row, a, b)
        try:
            yield _on_new_images(row, (a, b), (influences[0].get(score), influences[1].get(score)))
        except RefusedError as reason:
            yield replace(row, note=str(reason))


def looked_at(row: Comparison, p: float, looks: tuple[int, ...]) -> float:
    """Return a p of a comparison that allows for all looks at it; () where there is one alone.

    Where one of the two has a single repetition, how looks are correlated is not known, and they
    add up.
    """
    if not looks or max(row.n_a, row.n_b) == 1 or row.runs == 0:
        return p
    if math.isnan(row.runs):
        return min(len(looks) * p, 1.0)
    return sequential_p(p, course_of(row, looks))


def course_of(row: Comparison, looks: tuple[int, ...]) -> Course:
    """Return how the variance of a tested comparison falls over looks."""
    return Course(max(0.0, row.error**2 - row.runs / min(row.n_a, row.n_b)), row.runs, looks)


def judged(
    row: Comparison, margin: float | None, lower_is_better: bool, looks: tuple[int, ...] = ()
) -> Comparison:
    """Return a corrected comparison with its verdict.

    Args:
        looks: at which numbers of repetitions it may be looked at.
        margin: of equivalence, in the metric's own unit; None without one.
    """
    if row.test == "none":
        return row
    if row.verdict == "identical":  # of these cases; nothing is known of how others would vary
        return row
    if margin is not None:
        p = equivalence_p(row.difference, row.error, row.df, margin)
        row = replace(row, equivalent=looked_at(row, p, looks) < ALPHA)
    if not row.primary:
        return replace(row, verdict="described")
    if row.p_corrected < ALPHA:
        return replace(row, verdict=direction(row.difference, lower_is_better))
    return replace(row, verdict="equivalent" if row.equivalent else "undecided")


def direction(difference: float, lower_is_better: bool) -> Verdict:
    """Return whether a difference that is shown makes a better or worse."""
    return "worse" if (difference > 0) == lower_is_better else "better"


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
        name, view = split_decoding(row.definition)
        views = [
            v or "the test set itself" for other, v in map(split_decoding, others) if other == name
        ]
        if n == 0 and view and views:
            raise RefusedError(
                f"{backbone} has predictions of {', '.join(views)} only, not of {view}, and "
                "different views of predictions are never compared"
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


def _on_new_images(
    row: Comparison, units: tuple[Unit, Unit], outcomes: tuple[Outcome | None, Outcome | None]
) -> Comparison:
    """Return a comparison with the test that decides.

    Raises:
        RefusedError: there is no answer.
    """
    models: list[Influence] = []
    for backbone, unit, outcome in zip(
        (row.backbone_a, row.backbone_b), units, outcomes, strict=True
    ):
        if outcome is None:
            raise RefusedError(
                f"{row.metric} as {row.definition} is no mean over test images, and it was not "
                "computed again on parts of them, as `compare --metric` does where the task can"
            )
        if isinstance(outcome, RefusedError):
            raise outcome
        refuse_disagreeing(backbone, outcome, unit.values(*row.score))
        models.append(outcome)
    a, b = models
    if a.rows.shape[1] != b.rows.shape[1]:
        raise RefusedError("the two models were not tested on the same cases")
    if units[0].varies not in FROZEN and row.n_a == row.n_b == 1:
        raise RefusedError(
            "one run of each does not tell how others would do; raise the suite's repetitions"
        )
    answer = decide(a, b)
    notes = [_counts(row.n_a, row.n_b)] * (row.n_a != row.n_b)
    return replace(
        row,
        **{name: getattr(answer, name) for name in ("test", "low", "high", "p", "error", "df")},
        runs=sum(model.summary.of_runs * len(model.values) for model in models),
        verdict="identical" if identical(a, b) else "untested",
        note="; ".join(notes),
    )


def refuse_disagreeing(backbone: str, influence: Influence, recorded: Floats) -> None:
    """Raise RefusedError where stored predictions give other values than the records hold."""
    if len(influence.values) != len(recorded):
        raise RefusedError(f"{backbone} has predictions of another number of repetitions")
    apart = np.abs(influence.values - recorded) - _AGREE_RELATIVE * np.abs(recorded)
    if not (apart <= _AGREE).all():
        k = int(np.argmax(np.where(np.isnan(apart), np.inf, apart)))
        raise RefusedError(
            f"the stored predictions of {backbone} give {influence.values[k]:.4f} where the record "
            f"of repetition {k} says {recorded[k]:.4f}"
        )


def _on_these_images(row: Comparison, a: Unit, b: Unit) -> Comparison:
    """Return a comparison with the test over repetitions, where there is one."""
    values = a.values(*row.score), b.values(*row.score)
    pairings = a.pairing(*row.score), b.pairing(*row.score)
    try:
        if pairings[0] == pairings[1]:
            answer = paired_t(*values, *pairings)
        elif 1 == min(map(len, values)) < max(map(len, values)):
            answer = prediction_t(*values)
        else:
            answer = welch_t(*values)
    except RefusedError:
        return row
    label = f" ({HEAD_SEED})" if a.varies in FROZEN else ""
    return replace(
        row,
        test_runs=answer.test + label,
        low_runs=answer.low,
        high_runs=answer.high,
        p_runs=answer.p,
        effect=answer.effect,
    )
