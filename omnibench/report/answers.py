"""The answer that a report opens with: for each task who leads, by how much, and what is wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from omnibench.report.table import DASH, Cell, Column, Row, Table
from omnibench.report.words import counted, listed, number
from omnibench.stats.pair import Verdict
from omnibench.task import POINTS, Chance

SHOWN_NAMES = 4  # of a list within a sentence


@dataclass(frozen=True)
class Lead:
    """How far the best mean is ahead of another backbone's, for new images and new runs.

    Attributes:
        rival: the name of the other.
        difference: positive where the leader is better, whatever the metric's direction; in the
            metric's unit (fractions for points).
        low, high: its 95 % interval, not corrected; NaN where it is not tested.
        verdict: on the leader: over the next, by the confidence set of the best; over the baseline,
            by the comparison with it.
        note: why it is not tested.
    """

    rival: str
    difference: float
    low: float = math.nan
    high: float = math.nan
    verdict: Verdict = "untested"
    note: str = ""

    @property
    def tested(self) -> bool:
        """Return whether it has an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


@dataclass(frozen=True)
class Contest:
    """The backbones of one task that share dataset and adaptation, in the primary metric.

    Attributes:
        datasets: one, or those that the mean is taken over.
        leader: the name of the best complete mean.
        std: sample standard deviation over repetitions; None of one, and over several datasets.
        models: how many backbones have a mean.
        second: the lead over the next best; None where there is no other.
        baseline: the lead over the suite's baseline; None where that leads or is not there.
        tied: names of those that it can't be told apart from.
        chance: what a guess scores; None where that is not known.
        floors: name and mean of each random control.
        repetitions: of the leader, on one dataset.
        cases: test cases; None where they are not known.
    """

    task: str
    datasets: tuple[str, ...]
    adaptation: str
    metric: str
    unit: str
    leader: str
    mean: float
    std: float | None = None
    models: int = 1
    second: Lead | None = None
    baseline: Lead | None = None
    tied: tuple[str, ...] = ()
    chance: Chance | None = None
    floors: tuple[tuple[str, float], ...] = ()
    repetitions: int = 0
    cases: int | None = None

    @property
    def decided(self) -> bool:
        """Return whether the leader is shown to be the best."""
        return self.second is not None and self.second.verdict == "better"

    @property
    def place(self) -> str:
        """Return dataset, or how many, and adaptation."""
        return f"{self.dataset}, {self.adaptation}"

    @property
    def dataset(self) -> str:
        """Return the dataset, or how many there are."""
        several = len(self.datasets) > 1
        return f"over {len(self.datasets)} datasets" if several else self.datasets[0]

    @property
    def score(self) -> str:
        """Return the leader's mean and standard deviation."""
        spread = "" if self.std is None else f" ± {number(self.std, self.unit)}"
        return f"{number(self.mean, self.unit)}{spread}"

    @property
    def claim(self) -> str:
        """Return a sentence: who leads, by how much, and whether that is decided."""
        what = f"{self.metric} {self.score}{self._unit}"
        if self.second is None:
            return f"{self.leader} alone has a result: {what}."
        ahead = self._ahead(self.second, "the baseline " if self._next_is_baseline else "")
        if self.decided:
            return f"{self.leader} leads with {what}, {ahead}."
        best = f"{self.leader} has the best mean, {what}, {ahead}"
        if self.tied:
            return f"{best}, but can't be told apart from {_names(self.tied)}."
        if self.second.verdict == "identical":
            return f"{best}: the two are identical, patient by patient."
        return f"{best}; that is not tested{_reason(self.second.note)}."

    @property
    def brief(self) -> str:
        """Return the same in the fewest words, with chance, for a line of a terminal."""
        text = f"{self.place}: {self.leader} {_BRIEF[self.decision]}, "
        text += f"{self.metric} {self.score}{self._unit}"
        if self.second is not None:
            text += f"; {number(self.second.difference, self.unit, signed=True)}"
            if self.second.tested:
                bounds = (number(bound, self.unit) for bound in (self.second.low, self.second.high))
                text += f" [{', '.join(bounds)}]"
            text += f" over {self.second.rival}"
        return f"{text}; chance {self.guessed}" if self.chance is not None else text

    @property
    def decision(self) -> str:
        """Return a key of what is said of it: "decided", "undecided", "alone" and others."""
        if self.second is None:
            return "alone"
        if self.decided:
            return "decided"
        return "undecided" if self.tied else self.second.verdict

    @property
    def facts(self) -> str:
        """Return a sentence: the difference from the baseline, chance, floors, n."""
        parts = []
        if self.baseline is not None and not self._says_baseline:
            verdict = _VERDICTS.get(self.baseline.verdict, self.baseline.verdict)
            parts.append(f"{self._ahead(self.baseline, 'the baseline ')}: {verdict}")
        counts = [] if self.cases is None else [counted(self.cases, "test case")]
        counts += [counted(self.repetitions, "repetition")] if self.repetitions else []
        parts += [", ".join(counts)] if counts else []
        if self.chance is not None:
            parts.append(f"chance {self.guessed} ({self.chance.guess})")
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}." if text else ""

    @property
    def guessed(self) -> str:
        """Return what a guess scores; "" where that is not known."""
        return "" if self.chance is None else number(self.chance.value, self.unit)

    @property
    def sentence(self) -> str:
        """Return where, and all that is said of it."""
        return " ".join(filter(None, (f"{self.place}: {self.claim}", self.facts)))

    @property
    def _unit(self) -> str:
        return "" if self.unit == POINTS else f" {self.unit}"

    @property
    def _next_is_baseline(self) -> bool:
        rivals = [lead.rival for lead in (self.second, self.baseline) if lead is not None]
        return len(rivals) == 2 and rivals[0] == rivals[1]

    @property
    def _says_baseline(self) -> bool:
        """Return whether the claim holds against the baseline, too."""
        better = self.baseline is not None and self.baseline.verdict == "better"
        return self._next_is_baseline and better == self.decided

    def _ahead(self, lead: Lead, who: str = "") -> str:
        way = "ahead" if lead.difference >= 0 else "behind"
        size = number(abs(lead.difference), self.unit)
        text = f"{size} {self.unit} {way} of {who}{lead.rival}"
        if not lead.tested:
            return text
        bounds = (lead.low, lead.high) if lead.difference >= 0 else (-lead.high, -lead.low)
        low, high = (number(bound, self.unit) for bound in bounds)
        return f"{text} (95 % interval {low} to {high})"


@dataclass(frozen=True)
class Answer:
    """What a suite's records say of one task.

    Attributes:
        contests: those over several datasets first, then in the order of the suite.
        made: a sentence for each backbone that the task made for others.
        lacking: a sentence for each state of cells without a result, with the first reason.
        doubts: sentences on what looks wrong.
    """

    task: str
    contests: Sequence[Contest] = ()
    made: Sequence[str] = ()
    lacking: Sequence[str] = ()
    doubts: Sequence[str] = ()

    @property
    def headline(self) -> str:
        """Return a sentence: who leads how often; what was made; or that there is no result."""
        single = [contest for contest in self.contests if len(contest.datasets) == 1]
        rated = [contest for contest in single if contest.second is not None]
        if not rated:
            if self.made:
                return f"{counted(len(self.made), 'backbone')} made."
            return "One backbone alone has results." if single else "There is no result yet."
        wins = dict.fromkeys((contest.leader for contest in rated if contest.decided), 0)
        for contest in rated:
            if contest.decided:
                wins[contest.leader] += 1
        order = sorted(wins, key=lambda name: -wins[name])
        of = f" of {len(rated)}" if len(rated) > 1 else ""
        parts = [f"{name} leads in {wins[name]}{of}" for name in order[:SHOWN_NAMES]]
        if len(order) > SHOWN_NAMES:
            parts.append(f"others in {sum(wins[name] for name in order[SHOWN_NAMES:])}")
        open_ = len(rated) - sum(wins.values())
        if open_:
            parts.append(f"no leader is decided in {open_}{of}" if parts else _undecided(rated))
        what = "comparisons of backbones" if len(rated) > 1 else "comparison of backbones"
        return f"{listed(parts)} {what}." if wins else f"{listed(parts)}."

    @property
    def sentences(self) -> list[str]:
        """Return a sentence for each contest and each backbone made."""
        return [*(contest.sentence for contest in self.contests), *self.made]

    @cached_property
    def table(self) -> Table:
        """Return a row for each contest, with no rows where there is none."""
        baseline = any(contest.baseline for contest in self.contests)
        columns = [
            *(Column("dataset"), Column("adaptation"), Column("best mean"), Column("metric")),
            *(Column("score", "value"), Column("next"), Column("ahead by", "number")),
            *(Column("95 % interval", "number"), Column("decided"), Column("not told apart from")),
            *([Column("ahead of the baseline", "number")] if baseline else []),
            *(Column("chance", "number"), Column("n", "number"), Column("test cases", "number")),
        ]
        rows = tuple(
            Row(_cells(contest, baseline), contest.adaptation) for contest in self.contests
        )
        return Table(f"{self.task}: who leads", tuple(columns), rows, labels=2)


_DECISIONS = {
    "alone": DASH,
    "decided": "yes",
    "undecided": "no",
    "identical": "identical",
    "untested": "not tested",
}
# What a terminal says behind the name of the best mean.
_BRIEF = {
    "alone": "alone",
    "decided": "leads",
    "undecided": "best but undecided",
    "identical": "best but identical",
    "untested": "best, not tested",
}
# Of a leader against the baseline.
_VERDICTS = {"better": "decided", "worse": "decided", "untested": "not tested"}


def _cells(contest: Contest, with_baseline: bool) -> tuple[Cell, ...]:
    second, chance = contest.second, contest.chance
    return (
        *map(Cell, (contest.dataset, contest.adaptation, contest.leader, contest.metric)),
        Cell(
            number(contest.mean, contest.unit),
            "value",
            contest.mean,
            "" if contest.std is None else number(contest.std, contest.unit),
            ("best",) if contest.decided else (),
            details=(contest.claim, *filter(None, [contest.facts])),
        ),
        Cell(second.rival if second else DASH),
        *_lead(second, contest),
        Cell(_DECISIONS[contest.decision]),
        Cell(_names(contest.tied) if contest.tied else DASH),
        *(_lead(contest.baseline, contest)[:1] if with_baseline else ()),
        Cell.from_number(
            chance.value if chance else None, number(chance.value, contest.unit) if chance else ""
        ),
        Cell.from_number(contest.repetitions or None, str(contest.repetitions)),
        Cell.from_number(contest.cases, f"{contest.cases or 0:,}"),
    )


def _lead(lead: Lead | None, contest: Contest) -> tuple[Cell, Cell]:
    if lead is None:
        return Cell(DASH, "number"), Cell(DASH, "number")
    bounds = f"{number(lead.low, contest.unit)} to {number(lead.high, contest.unit)}"
    return (
        Cell(number(lead.difference, contest.unit, signed=True), "number", lead.difference),
        Cell(bounds, "number", lead.low) if lead.tested else Cell(DASH, "number"),
    )


def _names(names: Sequence[str]) -> str:
    if len(names) <= SHOWN_NAMES:
        return listed(names, "or")
    return f"{', '.join(names[:SHOWN_NAMES])} or {len(names) - SHOWN_NAMES} others"


def _reason(note: str) -> str:
    return f": {note.rstrip('.')}" if note else ""


def _undecided(rated: Sequence[Contest]) -> str:
    if len(rated) > 1:
        return f"No leader is decided in any of {len(rated)} comparisons of backbones"
    contest = rated[0]
    return f"No leader is decided: {contest.leader} has the best mean"
