"""Test a published study's best row against the strongest that it was compared with, again."""

import functools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from omnibench.audit.contests import Contest
from omnibench.audit.published import Row
from omnibench.audit.rounding import (
    NO_BOUNDS,
    Bounds,
    normal_bounds,
    single_bounds,
    welch_bounds,
)
from omnibench.audit.uncertainty import IMAGES, RUNS
from omnibench.stats.correction import holm
from omnibench.stats.power import minimum_detectable_effect
from omnibench.stats.result import ALPHA, NO_SPREAD, Answer, RefusedError
from omnibench.stats.t_tests import (
    one_sample,
    pooled_std,
    prediction,
    student,
    t_tails,
    tost,
    welch,
)

CLAIMED, IMPLIED = "claimed", "implied"
# Numbers of runs to try where none is stated; with one nothing can be tested over runs.
WHAT_IF = (3, 5, 10)

_REPEATED = {"welch": welch, "student": student}
_SINGLE = {"one-sample": one_sample, "prediction": prediction}

# Points (per cent) to a metric's own unit; an equivalence margin in points means nothing in others.
_POINTS = {"percent": 1.0, "fraction": 0.01}


@dataclass(frozen=True)
class Retest:
    """One test of one comparison.

    Attributes:
        a: the study's best own row; b: the strongest other.
        basis: "claimed" or "implied", whose n it is; "assumed 5" where none is stated.
        n: repetitions of a and of b (1 of a single number).
        answer: None where the test was refused, and `note` says why.
        p_corrected: Holm over the study's comparisons by the same test and basis.
        family: how many those are.
        contest: which of the study's contests it belongs to.
        over: "runs" (on these test images), or "images".
        bounds: p over all means and spreads that print so; bounds_corrected: that after Holm.
    """

    a: Row
    b: Row
    test: str
    basis: str
    n: tuple[int, int]
    answer: Answer | None
    note: str = ""
    p_corrected: float = math.nan
    family: int = 0
    contest: int = 0
    over: str = RUNS
    bounds: Bounds = NO_BOUNDS
    bounds_corrected: Bounds = NO_BOUNDS

    @property
    def p(self) -> float:
        """Return the two-sided p; NaN where the test was refused."""
        return self.answer.p if self.answer else math.nan

    @property
    def is_assumed(self) -> bool:
        """Tell whether its n is one of several that nobody stated."""
        return self.basis.startswith("assumed")

    @property
    def is_settled(self) -> bool:
        """Tell whether p after correction is on one side of .05 for all digits that print so."""
        return (self.bounds_corrected.least < ALPHA) == (self.bounds_corrected.largest < ALPHA)


def retest(contests: Iterable[Contest], claimed: int | None, implied: int | None) -> list[Retest]:
    """Run every test that the printed numbers allow, for each n, corrected by Holm.

    A family is all datasets of the study under one test and one n. Where several rivals are tied,
    the dataset counts once, with the largest p: to beat the strongest is to beat all of them.

    Args:
        claimed: the n that the study claims for most of its rows.
        implied: the n that its numbers imply instead, if any; taken for rows that claim `claimed`.
    """
    tests = [
        replace(test, contest=place)
        for place, contest in enumerate(contests)
        for rival in contest.rivals
        for test in _tests(contest.best, rival, claimed, implied)
    ]
    families: dict[tuple[str, str], dict[int, list[Retest]]] = {}
    for test in tests:
        if not math.isnan(test.bounds.largest):
            family = families.setdefault((test.test, test.basis), {})
            family.setdefault(test.contest, []).append(test)
    corrected = {key: _corrected(family) for key, family in families.items()}
    return [
        replace(
            test,
            p_corrected=corrected[test.test, test.basis][test.contest][0]
            if test.answer
            else math.nan,
            bounds_corrected=Bounds(*corrected[test.test, test.basis][test.contest][1:]),
            family=len(families[test.test, test.basis]),
        )
        if (test.test, test.basis) in families and not math.isnan(test.bounds.largest)
        else test
        for test in tests
    ]


def _corrected(family: dict[int, list[Retest]]) -> dict[int, tuple[float, float, float]]:
    """Return p of each contest after Holm: at the printed digits, at its least and its largest.

    A test that the printed digits leave undefined counts with its largest p.
    """
    ends = [
        (
            max(test.p if test.answer else test.bounds.largest for test in tied),
            max(test.bounds.least for test in tied),
            max(test.bounds.largest for test in tied),
        )
        for tied in family.values()
    ]
    columns = [holm(np.array(column)).tolist() for column in zip(*ends, strict=True)]
    return dict(zip(family, zip(*columns, strict=True), strict=True))


@dataclass(frozen=True)
class Effect:
    """The size behind one Welch test, in the metric's own unit.

    Attributes:
        test: the Welch test it belongs to, with difference, interval and Hedges g.
        detectable: smallest true difference found with 80 % power; NaN for unequal n.
        p_equivalent: TOST within the margin; NaN where the unit is not points.
    """

    test: Retest
    detectable: float
    p_equivalent: float


def effects(tests: Iterable[Retest], margin: float) -> list[Effect]:
    """Return an effect for each Welch test that was answered, with an n that is not assumed.

    Args:
        margin: of equivalence, in points.

    Raises:
        RefusedError: the margin is not above 0.
    """
    if not margin > 0 or not math.isfinite(margin):
        raise RefusedError(f"an equivalence margin is above 0, not {margin:g}")
    return [
        _effect(test, margin)
        for test in tests
        if test.test == "welch" and test.answer and not test.is_assumed
    ]


def _effect(test: Retest, margin: float) -> Effect:
    n_a, n_b = test.n
    a, b = test.a.summary(n_a), test.b.summary(n_b)
    detectable = _detectable(n_a) * pooled_std(a, b) if n_a == n_b else math.nan
    points = _POINTS.get(test.a.unit)
    equivalent = tost(a, b, margin * points).p if points else math.nan
    return Effect(test, detectable, equivalent)


@functools.cache
def _detectable(n: int) -> float:
    return minimum_detectable_effect(n)


def _tests(a: Row, b: Row, claimed: int | None, implied: int | None) -> Iterator[Retest]:
    if a.uncertainty and b.uncertainty and IMAGES == _over(a) == _over(b):
        yield _over_images(a, b)
        return
    if _is_single(a) and b.over_runs and not _is_single(b):
        a, b = b, a
    if not a.over_runs or not (b.over_runs or _is_single(b)):
        if a.uncertainty and b.uncertainty:
            note = (
                f"the spread of {a.model} is over {_over(a)}, that of {b.model} over {_over(b)}, "
                "as far as the table says"
            )
            yield Retest(a, b, "welch", CLAIMED, (a.n or 1, b.n or 1), None, note)
        return
    single = _is_single(b)
    counts = _counts(a, b, single, claimed, implied)
    for name, test in (_SINGLE if single else _REPEATED).items():
        for basis, n in counts.items():
            try:
                answer, note = test(a.summary(n[0]), b.summary(n[1])), ""
            except RefusedError as reason:
                answer, note = None, str(reason)
            yield Retest(a, b, name, basis, n, answer, note, bounds=_bounds(name, a, b, n))


def _counts(
    a: Row, b: Row, single: bool, claimed: int | None, implied: int | None
) -> dict[str, tuple[int, int]]:
    """Return whose n there are, and for each how many runs of a and of b."""
    if a.n is None or (b.n is None and not single):
        return {f"assumed {n}": (a.n or n, 1 if single else b.n or n) for n in WHAT_IF}
    counts = {CLAIMED: (a.n, 1 if single else b.n or 1)}
    if implied is not None and a.n == claimed and (single or b.n == claimed):
        counts[IMPLIED] = (implied, 1 if single else implied)
    return counts


def _bounds(test: str, a: Row, b: Row, n: tuple[int, int]) -> Bounds:
    known, other = a.over_runs, b.over_runs
    if known is None or n[0] < 2 or a.definition != b.definition:
        return NO_BOUNDS
    mean_a, mean_b, std = a.mean_range, b.mean_range, known.std(n[0])
    if test in _SINGLE:
        return single_bounds(mean_a, mean_b, std, n[0], float(test == "prediction"))
    if other is None or n[1] < 2:
        return NO_BOUNDS
    return welch_bounds(mean_a, mean_b, std, other.std(n[1]), *n, equal=test == "student")


def _over_images(a: Row, b: Row) -> Retest:
    """Test two numbers by their standard errors over test images, taken as independent."""
    if a.uncertainty is None or b.uncertainty is None:
        raise ValueError("both rows have a spread")
    error_a, error_b = a.uncertainty.error, b.uncertainty.error
    bounds = normal_bounds(a.mean_range, b.mean_range, error_a, error_b)
    error, d = math.hypot(error_a.value, error_b.value), a.value - b.value
    answer, note = None, "both intervals are printed without width, so p is undefined"
    if error > NO_SPREAD:
        p, margin = t_tails(d, error, math.inf)
        answer, note = Answer("normal", d, d - margin, d + margin, p), ""
    return Retest(a, b, "normal", CLAIMED, (1, 1), answer, note, over=IMAGES, bounds=bounds)


def _over(row: Row) -> str:
    """Return what a row's spread is over; of one that does not say, the images of that number."""
    return RUNS if row.over_runs else IMAGES


def _is_single(row: Row) -> bool:
    """Tell whether a row is one run: nothing is repeated, whatever stands beside it."""
    return row.n == 1 or (row.n is None and row.uncertainty is None)
