"""Test a published study's own best against the strongest it was compared with, once more."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnibench.stats.correction import holm
from omnibench.stats.published import Row
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.summaries import Summary, one_sample, prediction, student, welch

CLAIMED, IMPLIED = "claimed", "implied"

_REPEATED = (welch, student)
_SINGLE = (one_sample, prediction)
_NAMES: dict[Callable[[Summary, Summary], Answer], str] = {
    welch: "welch", student: "student", one_sample: "one-sample", prediction: "prediction",
}  # fmt: skip


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
        """Two-sided p; NaN where refused."""
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
        """The study's best variant."""
        return self.own[0]


def contests(rows: Sequence[Row]) -> list[Contest]:
    """Return each (table, dataset, primary metric, definition) that the study has a row of."""
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        if row.primary and not row.members:
            groups.setdefault((row.study, row.table, row.dataset, row.metric), []).append(row)
    found = []
    for group in groups.values():
        for definition in dict.fromkeys(row.definition for row in group if row.role == "own"):
            same = [row for row in group if row.definition == definition]
            own = sorted(_of(same, "own"), key=lambda row: -row.merit)
            cited = [row for row in _of(same, "cited") if row.n == 1 and not row.std]
            others = _of((row for row in group if row.definition != definition), "cited")
            rivals = (*_strongest(_of(same, "rerun")), *_strongest(cited))
            found.append(Contest(tuple(own), rivals, tuple(_strongest(others))))
    return found


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
            found = list(_tests(contest.best, rival, claimed, implied))
            tests += found
            places += [place] * len(found)
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


def _of(rows: Iterable[Row], role: str) -> list[Row]:
    return [row for row in rows if row.role == role]


def _strongest(rows: Sequence[Row]) -> list[Row]:
    """The best and every row tied with it."""
    best = max((row.merit for row in rows), default=math.nan)
    return [row for row in rows if row.merit == best]
