"""A contest: the backbones that share task, dataset and adaptation, and how far the best leads."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from omnibench.report.words import counted, listed, number
from omnibench.stats.pair import Verdict
from omnibench.task import POINTS, Chance

SHOWN_NAMES = 4  # of a list within a sentence

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
        unranked: name and mean of those that lack repetitions, where others do not.
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
    unranked: tuple[tuple[str, float], ...] = ()
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
        leader = f"Of those with all repetitions, {self.leader}" if self.unranked else self.leader
        if self.second is None:
            only = "has all repetitions" if self.unranked else "has a result"
            return f"{self.leader} alone {only}: {what}."
        ahead = self._ahead(self.second, "the baseline " if self._next_is_baseline else "")
        if self.decided:
            return f"{leader} leads with {what}, {ahead}."
        best = f"{leader} has the best mean, {what}, {ahead}"
        if self.tied:
            return f"{best}, but can't be told apart from {few(self.tied)}."
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
        text = f"{text}; chance {self.guessed}" if self.chance is not None else text
        return f"{text}; {self.without}" if self.unranked else text

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
        parts += [self.without] if self.unranked else []
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}." if text else ""

    @property
    def without(self) -> str:
        """Return whom the contest is without, and their means; "" where it has all."""
        names = [f"{name} with {number(mean, self.unit)}" for name, mean in self.unranked]
        return f"not ranked, for want of repetitions: {few(names, 'and')}" if names else ""

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


def few(names: Sequence[str], last: str = "or") -> str:
    """Return "a, b or c", or the first names and how many others there are."""
    if len(names) <= SHOWN_NAMES:
        return listed(names, last)
    return f"{', '.join(names[:SHOWN_NAMES])} {last} {len(names) - SHOWN_NAMES} others"


def _reason(note: str) -> str:
    return f": {note.rstrip('.')}" if note else ""
