"""Plan what decides a suite's comparisons: the repetitions or the test cases that they need."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnibench.stats.cases import Cases, Predictions, bare, read_cases, refuse_other_cases
from omnibench.stats.deciding import identical
from omnibench.stats.influence import Influence, influences
from omnibench.stats.pair import FROZEN, Place
from omnibench.stats.pilot import Pilot, Study
from omnibench.stats.power import power_over_runs
from omnibench.stats.result import ALPHA, NO_SPREAD, RefusedError
from omnibench.stats.sizes import NONE, PowerOf, Size, detectable, smallest
from omnibench.stats.units import Key, Score, Unit, primary_score, split_decoding

NO_BASELINE = "no finished run of the baseline"
NO_RUN = "no finished run"


@dataclass(frozen=True)
class Needed:
    """What would decide one comparison with the baseline; values are fractions, NaN for none.

    Attributes:
        family: how many backbones are compared with the baseline here. To detect is meant at level
            .05 / family, which is the worst case of Holm's correction; to match at .05.
        frozen: whether the two are frozen probes, of which test cases decide.
        n: repetitions of the one with fewer; cases: patients tested, where known, else test cases.
        by_patient: whether cases are patients.
        detectable: the difference that these find with 80 % power.
        to_detect: the study that finds a difference of the margin with 80 % power.
        to_match: the study that shows equivalence within the margin with 80 % power, if there is no
            difference.
        needed: the study that does both.
        correlation: of the n repetitions, where they share their seeds; NaN of frozen probes.
        power_paired, power_welch: of tests over n repetitions at the margin, uncorrected; they
            answer for these test images alone.
        note: why there is no answer.
    """

    task: str
    dataset: str
    adaptation: str
    definition: str
    metric: str
    backbone: str
    baseline: str
    family: int
    frozen: bool = False
    n: int = 0
    cases: int = 0
    by_patient: bool = False
    detectable: float = math.nan
    to_detect: Size = NONE
    to_match: Size = NONE
    needed: Size = NONE
    correlation: float = math.nan
    power_paired: float = math.nan
    power_welch: float = math.nan
    note: str = ""

    @property
    def enough(self) -> bool:
        """Tell whether what is at hand is what is needed."""
        repetitions, cases = self.needed
        if repetitions is None or cases is None:
            return False
        return repetitions <= self.n and cases <= self.cases


def plan(
    units: Mapping[Key, Unit],
    predictions: Predictions,
    baseline: str,
    rivals: Mapping[Place, Sequence[str]],
    primary: Mapping[str, str],
    margin: float,
) -> list[Needed]:
    """Plan every comparison with the baseline in its task's primary metric.

    The test is the one that decides (`deciding`): over new patients and new runs.

    Args:
        units: of the finished records.
        predictions: digest -> what that record stored for its test cases.
        rivals: the backbones that a suite compares with the baseline, by place.
        primary: task -> "definition/metric"; places of other tasks are left out.
        margin: the difference that matters, as a fraction.

    Raises:
        RefusedError: no positive margin.
    """
    if not margin > 0:
        raise RefusedError(f"the margin must be positive; it is {margin}")
    rows: list[Needed] = []
    for place, backbones in rivals.items():
        task = place[0]
        if task not in primary:
            continue
        of_baseline = units.get((*place, baseline))
        score = primary_score(of_baseline.scores if of_baseline else (), primary[task])
        score = score or _split(primary[task])
        base = _side(of_baseline, score, predictions, NO_BASELINE)
        for backbone in backbones:
            row = Needed(*place, *score, backbone, baseline, len(backbones))
            unit = units.get((*place, backbone))
            rival = base
            if not isinstance(base, RefusedError):
                rival = _side(unit, score, predictions, NO_RUN)
            rows.append(_planned(row, rival, base, margin))
    return rows


@dataclass(frozen=True, eq=False)
class _Side:
    """A model of a comparison: its unit, what tells its test cases apart, its influences."""

    unit: Unit
    cases: Cases
    influence: Influence


def _side(
    unit: Unit | None, score: Score, predictions: Predictions, absent: str
) -> _Side | RefusedError:
    """Read what a model predicted; the reason where it cannot be planned with."""
    definition, metric = score
    if unit is None:
        return RefusedError(absent)
    values = unit.values(*score)
    if not len(values):
        return RefusedError(f"no {metric} as {definition} in the records")
    if not np.isfinite(values).all():
        return RefusedError(f"{metric} is undefined in some repetition")
    try:
        cases = read_cases(unit.digests, predictions, [score], split_decoding(definition)[1])
        influence = influences(cases, [score]).get(score)
    except RefusedError as reason:
        return reason
    if influence is None:
        return RefusedError(f"{metric} as {definition} has no test over images")
    return influence if isinstance(influence, RefusedError) else _Side(unit, bare(cases), influence)


def _planned(
    row: Needed, rival: _Side | RefusedError, base: _Side | RefusedError, margin: float
) -> Needed:
    for side in (base, rival):
        if isinstance(side, RefusedError):
            return replace(row, note=str(side))
    assert isinstance(rival, _Side)
    assert isinstance(base, _Side)
    counts = len(rival.influence.values), len(base.influence.values)
    row = replace(
        row,
        n=min(counts),
        cases=min(rival.influence.patients, base.influence.patients),
        by_patient=base.cases.groups is not None,
        frozen=base.unit.varies in FROZEN,
    )
    if note := _obstacle(rival, base):
        return replace(row, note=note)
    pilot = Pilot.from_summaries(rival.influence.summary, base.influence.summary)
    level = ALPHA / row.family

    def detects(study: Study) -> float:
        return study.power_to_detect(margin, level)

    def matches(study: Study) -> float:
        return study.power_to_match(margin)

    detect, match = (smallest(pilot, power, row.frozen) for power in (detects, matches))
    row = replace(row, detectable=detectable(pilot, level), to_detect=detect, to_match=match)
    row = replace(row, needed=_both(pilot, detects, matches, row))
    return row if row.frozen else _with_tests_over_runs(row, rival.unit, base.unit, margin)


def _obstacle(rival: _Side, base: _Side) -> str:
    """Return why two models that were read cannot be planned for; "" if they can."""
    a, b = rival.unit, base.unit
    if a.varies != b.varies:
        return f"repetitions differ in {a.varies} on one side, in {b.varies} on the other"
    try:
        refuse_other_cases(rival.cases, base.cases, "the two models")
    except RefusedError as reason:
        return str(reason)
    counts = len(rival.influence.values), len(base.influence.values)
    if min(counts) == 1 and (max(counts) > 1 or b.varies not in FROZEN):
        return "a single repetition, which tells nothing of its spread (run two)"
    if identical(rival.influence, base.influence):
        return "the two are identical, patient by patient, so there is no variance to plan with"
    if Pilot.from_summaries(rival.influence.summary, base.influence.summary).still:
        return "the same difference on every image and in every repetition"
    return ""


def _both(pilot: Pilot, detects: PowerOf, matches: PowerOf, row: Needed) -> Size:
    """Return the smallest study that answers either way."""
    sizes = row.to_detect, row.to_match
    if None in (sizes[0].repetitions, sizes[1].repetitions):
        return NONE
    first, second = sorted(sizes, key=lambda size: (size.patients or 0, size.repetitions or 0))
    if (first.repetitions or 0) <= (second.repetitions or 0):
        return second  # as large in either way
    return smallest(pilot, lambda study: min(detects(study), matches(study)), row.frozen)


def _with_tests_over_runs(row: Needed, a: Unit, b: Unit, margin: float) -> Needed:
    """Add what tests over the repetitions at hand would give."""
    score = row.definition, row.metric
    values = a.values(*score), b.values(*score)
    deviations = float(values[0].std(ddof=1)), float(values[1].std(ddof=1))
    if max(deviations) <= NO_SPREAD:
        return row
    shared = a.pairing(*score) == b.pairing(*score)
    if not shared or min(deviations) <= NO_SPREAD or row.n < 3:  # of two, it is 1 or -1
        return replace(row, power_welch=power_over_runs(margin, deviations, 0.0, row.n).welch)
    correlation = float(np.corrcoef(*values)[0, 1].clip(-1, 1))
    paired, welch = power_over_runs(margin, deviations, correlation, row.n)
    return replace(row, correlation=correlation, power_paired=paired, power_welch=welch)


def _split(primary: str) -> Score:
    definition, _, metric = primary.partition("/")
    return definition, metric
