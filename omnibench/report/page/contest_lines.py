"""The first screen: a line a contest, with the leader's distance to the next as a small picture."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from omnibench.report.answers import Answer
from omnibench.report.leads import Contest, Lead, few
from omnibench.report.table import Facets
from omnibench.report.words import counted, number
from omnibench.task import POINTS

SHOWN = 6  # lines of a task, and sentences on what is wrong; the others are folded
WIDTH, HEIGHT, MARGIN = 96, 20, 6  # of a picture, in pixels


@dataclass(frozen=True)
class Interval:
    """A 95 % interval as a picture: positions in pixels from its left edge, and its words."""

    low: float
    middle: float
    high: float
    zero: float
    words: str


@dataclass(frozen=True)
class Line:
    """What the page says of one contest.

    Attributes:
        place: dataset and adaptation.
        score: the leader's, with its metric and unit.
        lead: how far it is ahead, and of whom; "" without a rival.
        bounds: the lead's interval; "" where it is not tested.
        interval: the same as a picture.
        verdict: in one or two words.
        reason: whom it is not told apart from, or why nothing is tested.
        facts: chance, n and test cases.
        facets: what it is of.
    """

    place: str
    leader: str
    score: str
    lead: str
    bounds: str
    interval: Interval | None
    verdict: str
    reason: str
    facts: str
    facets: Facets

    @property
    def is_decided(self) -> bool:
        """Return whether the leader is shown to be the best."""
        return self.verdict == DECIDED


DECIDED = "decided"


def lines(answer: Answer) -> Iterator[Line]:
    """Yield a line for each contest of a task; the pictures of one unit share one scale."""
    for contest in answer.contests:
        leads = [c.second for c in answer.contests if c.second and c.unit == contest.unit]
        verdict, reason = _verdict(contest)
        second = contest.second
        yield Line(
            f"{contest.dataset} · {contest.adaptation}",
            contest.leader,
            f"{contest.metric} {contest.score}" + _other(contest.unit),
            _ahead(second, contest.unit) if second else "",
            _bounds(second, contest.unit) if second and second.tested else "",
            _interval(second, leads, contest.unit) if second and second.tested else None,
            verdict,
            reason,
            _facts(contest),
            {
                "task": (contest.task,),
                "dataset": contest.datasets,
                "adaptation": (contest.adaptation,),
                "metric": (contest.metric,),
            },
        )


def _ahead(lead: Lead, unit: str) -> str:
    return f"{number(lead.difference, unit, signed=True)} {unit} over {lead.rival}"


def _other(unit: str) -> str:
    return "" if unit == POINTS else f" {unit}"


def _bounds(lead: Lead, unit: str) -> str:
    return f"{number(lead.low, unit)} to {number(lead.high, unit)}"


def _verdict(contest: Contest) -> tuple[str, str]:
    if contest.second is None:
        return "no rival", ""
    if contest.decided:
        return DECIDED, ""
    if contest.tied:
        return "undecided", f"not told apart from {few(contest.tied)}"
    if contest.second.verdict == "identical":
        return "identical", "no test case tells the two apart"
    return "not tested", contest.second.note.rstrip(".")


def _interval(lead: Lead, leads: list[Lead], unit: str) -> Interval:
    bounds = [0.0, *(b for other in leads if other.tested for b in (other.low, other.high))]
    low, high = min(bounds), max(bounds)
    scale = (WIDTH - 2 * MARGIN) / (high - low or math.inf)

    def position(value: float) -> float:
        return round(MARGIN + (value - low) * scale, 1)

    side = "without zero" if lead.low > 0 or lead.high < 0 else "with zero inside"
    words = f"95 % interval of the lead: {_bounds(lead, unit)} {unit}, {side}"
    return Interval(
        position(lead.low), position(lead.difference), position(lead.high), position(0.0), words
    )


def _facts(contest: Contest) -> str:
    facts = []
    if contest.chance is not None:
        facts.append(f"chance {number(contest.chance.value, contest.unit)}")
    if contest.repetitions:
        facts.append(f"n = {contest.repetitions}")
    if contest.cases is not None:
        facts.append(counted(contest.cases, "test case"))
    if contest.unranked:
        facts.append(contest.without)
    return " · ".join(facts)
