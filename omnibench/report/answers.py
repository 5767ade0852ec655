"""The answer that a report opens with: for each task who leads, by how much, and what is wrong."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from omnibench.report.leads import SHOWN_NAMES, Contest, Lead, few
from omnibench.report.table import DASH, Cell, Column, Row, Table
from omnibench.report.words import counted, listed, number

NO_LEADER, NO_RESULT = "no leader is decided", "There is no result yet."


@dataclass(frozen=True)
class Answer:
    """What a suite's records say of one task.

    Attributes:
        contests: those over several datasets first, then in the order of the suite.
        made: a sentence for each backbone that the task made for others.
        saved: a sentence for each backbone: how many labels it saves against the baseline.
        lacking: a sentence for each state of cells without a result, with the first reason.
        doubts: sentences on what looks wrong.
    """

    task: str
    contests: Sequence[Contest] = ()
    made: Sequence[str] = ()
    saved: Sequence[str] = ()
    lacking: Sequence[str] = ()
    doubts: Sequence[str] = ()

    @property
    def headline(self) -> str:
        """Return a sentence: who leads how often; what was made; or that there is no result."""
        if not self.contests:
            return f"{counted(len(self.made), 'backbone')} made." if self.made else NO_RESULT
        rated = [contest for contest in self.contests if contest.second is not None]
        if not rated:
            models = {name for c in self.contests for name in (c.leader, *dict(c.unranked))}
            if len(models) > 1:
                return "Nowhere do two backbones have all repetitions with the same adaptation."
            return "One backbone alone has results."
        over = [contest for contest in rated if len(contest.datasets) > 1]
        each = [contest for contest in rated if len(contest.datasets) == 1]
        parts = [f"over several datasets {_tally(over)}"] if over else []
        parts += [f"{'dataset by dataset ' if over else ''}{_tally(each)}"] if each else []
        text = "; ".join(parts)
        return f"{text[0].upper() if over or text.startswith(NO_LEADER) else text[0]}{text[1:]}."

    @property
    def sentences(self) -> list[str]:
        """Return a sentence for each contest, each backbone made, and of the labels saved."""
        return [*(contest.sentence for contest in self.contests), *self.made, *self.saved]

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
        Cell(few(contest.tied) if contest.tied else DASH),
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


def _tally(rated: Sequence[Contest]) -> str:
    """Return who leads in how many of several contests, and how many are open."""
    wins = Counter(contest.leader for contest in rated if contest.decided)
    if len(rated) == 1:
        leader = rated[0].leader
        return f"{leader} leads" if wins else f"{NO_LEADER}: {leader} has the best mean"
    order = wins.most_common()
    parts = [f"{name} leads in {count}" for name, count in order[:SHOWN_NAMES]]
    if len(order) > SHOWN_NAMES:
        parts.append(f"others in {sum(count for _, count in order[SHOWN_NAMES:])}")
    if left := len(rated) - wins.total():
        parts.append(f"{NO_LEADER} in {left}")
    return f"{listed(parts)} of {len(rated)} comparisons"
