"""Test a published study's best row against the strongest that it was compared with, again."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnibench.audit.published import Row
from omnibench.stats.correction import holm
from omnibench.stats.power import minimum_detectable_effect
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.t_tests import (
    Summary,
    one_sample,
    pooled_std,
    prediction,
    student,
    tost,
    welch,
)

CLAIMED, IMPLIED = "claimed", "implied"

_REPEATED = (welch, student)
_SINGLE = (one_sample, prediction)
_NAMES: dict[Callable[[Summary, Summary], Answer], str] = {
    welch: "welch", student: "student", one_sample: "one-sample", prediction: "prediction",
}  # fmt: skip

# Points (per cent) to a metric's own unit; an equivalence margin in points means nothing in others.
_POINTS = {"percent": 1.0, "fraction": 0.01}


@dataclass(frozen=True)
class Retest:
    """One test of one comparison.

    Attributes:
        a: the study's best own row; b: the strongest other.
        basis: "claimed" or "implied", whose n it is.
        n: repetitions of a and of b (1 of a single number).
        answer: None where the test was refused, and `note` says why.
        p_corrected: Holm over the study's comparisons by the same test and basis.
        family: how many those are.
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

    @property
    def p(self) -> float:
        """Return the two-sided p; NaN where the test was refused."""
        return self.answer.p if self.answer else math.nan


@dataclass(frozen=True)
class Contest:
    """One dataset under one metric and definition.

    Attributes:
        own: the study's variants, best first.
        rivals: the strongest row that the study ran itself, with all tied with it; and the
            strongest single number cited under the same definition.
        elsewhere: the strongest cited rows of the same metric under other definitions.
    """

    own: tuple[Row, ...]
    rivals: tuple[Row, ...]
    elsewhere: tuple[Row, ...] = ()

    @property
    def best(self) -> Row:
        """Return the study's best variant."""
        return self.own[0]


def contests(rows: Sequence[Row]) -> list[Contest]:
    """Return each (table, dataset, primary metric, definition) that the study has a row of."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.primary and not row.members:
            groups.setdefault((row.study, row.table, row.dataset, row.metric), []).append(row)
    contests = []
    for group in groups.values():
        for definition in dict.fromkeys(row.definition for row in group if row.role == "own"):
            same = [row for row in group if row.definition == definition]
            own = sorted(_with_role(same, "own"), key=lambda row: -row.merit)
            cited = [row for row in _with_role(same, "cited") if row.n == 1 and not row.std]
            others = _with_role((row for row in group if row.definition != definition), "cited")
            rivals = (*_strongest(_with_role(same, "rerun")), *_strongest(cited))
            contests.append(Contest(tuple(own), rivals, tuple(_strongest(others))))
    return contests


def retest(contests: Iterable[Contest], claimed: int | None, implied: int | None) -> list[Retest]:
    """Run every test that the printed numbers allow, for each n, corrected by Holm.

    A family is all datasets of the study under one test and one n. Where several rivals are tied,
    the dataset counts once, with the largest p: to beat the strongest is to beat all of them.

    Args:
        claimed: the n that the study claims for most of its rows.
        implied: the n that its numbers imply instead, if any; taken for rows that claim `claimed`.
    """
    tests: list[Retest] = []
    places: list[int] = []
    for place, contest in enumerate(contests):
        for rival in contest.rivals:
            tests += _tests(contest.best, rival, claimed, implied)
            places += [place] * (len(tests) - len(places))
    families: dict[tuple[str, str], dict[int, float]] = {}
    for place, test in zip(places, tests, strict=True):
        worst = families.setdefault((test.test, test.basis), {})
        if not math.isnan(test.p):
            worst[place] = max(test.p, worst.get(place, 0.0))
    corrected = {
        (*key, place): float(p)
        for key, worst in families.items()
        for place, p in zip(worst, holm(np.array(list(worst.values()))), strict=True)
    }
    return [
        replace(
            test,
            p_corrected=corrected[test.test, test.basis, place] if test.answer else math.nan,
            family=len(families[test.test, test.basis]),
        )
        for place, test in zip(places, tests, strict=True)
    ]


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
    """Return an effect for each Welch test that was answered.

    Args:
        margin: of equivalence, in points.

    Raises:
        RefusedError: the margin is not above 0.
    """
    if not margin > 0 or not math.isfinite(margin):
        raise RefusedError(f"an equivalence margin is above 0, not {margin:g}")
    return [_effect(test, margin) for test in tests if test.test == "welch" and test.answer]


def _effect(test: Retest, margin: float) -> Effect:
    n_a, n_b = test.n
    a, b = test.a.summary(n_a), test.b.summary(n_b)
    detectable = minimum_detectable_effect(n_a) * pooled_std(a, b) if n_a == n_b else math.nan
    points = _POINTS.get(test.a.unit)
    equivalent = tost(a, b, margin * points).p if points else math.nan
    return Effect(test, detectable, equivalent)


def _tests(a: Row, b: Row, claimed: int | None, implied: int | None) -> Iterable[Retest]:
    single = b.n == 1 or (b.n is None and not b.std)
    if not a.std or a.n is None or (not single and (not b.std or b.n is None)):
        return
    counts = {CLAIMED: (a.n, 1 if single else b.n or 1)}
    if implied is not None and a.n == claimed and (single or b.n == claimed):
        counts[IMPLIED] = (implied, 1 if single else implied)
    for test in _SINGLE if single else _REPEATED:
        for basis, n in counts.items():
            try:
                answer, note = test(a.summary(n[0]), b.summary(n[1])), ""
            except RefusedError as reason:
                answer, note = None, str(reason)
            yield Retest(a, b, _NAMES[test], basis, n, answer, note)


def _with_role(rows: Iterable[Row], role: str) -> list[Row]:
    return [row for row in rows if row.role == role]


def _strongest(rows: Sequence[Row]) -> list[Row]:
    """Return the best row and every row tied with it."""
    best = max((row.merit for row in rows), default=math.nan)
    return [row for row in rows if row.merit == best]
