"""Several models in one study: which may be the best, and false claims in a family."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.simulations.pairs import NOW, PAIRED, WELCH, p_of
from benchmarks.simulations.worlds import MEAN, World, influence
from omnibench.stats.best import standings
from omnibench.stats.correction import holm
from omnibench.stats.deciding import decide
from omnibench.stats.result import ALPHA, Floats
from omnibench.stats.t_tests import paired_t, welch_t


@dataclass(frozen=True)
class Column:
    """A study of several models of which the first is the best, by `standings` and the old rule.

    Attributes:
        lead: of the first before all others, which are equal. Without one each is the best, and
            "covered" is the share of them that a rule names.
    """

    world: World
    runs: int
    models: int
    lead: float

    def __call__(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Draw a study, and return whether each rule names the best, it alone, or everyone."""
        leads = (self.lead, *[0.0] * (self.models - 1))
        drawn = [influence(cases, MEAN) for cases in self.world.draw(rng, self.runs, leads)]
        stood = standings({str(k): each.summary for k, each in enumerate(drawn)}, False)
        places = [standing.place for standing in stood.values()]
        ties = [(1, 1), *[(2, self.models)] * (self.models - 1)] if self.lead else None
        true_ranks = ties or [(1, self.models)] * self.models
        ranked = [
            standing.low is not None
            and standing.high is not None
            and standing.low <= low
            and standing.high >= high
            for standing, (low, high) in zip(stood.values(), true_ranks, strict=True)
        ]
        bold = _bold([each.values for each in drawn])
        bests = slice(1 if self.lead else None)
        return {
            "covered": float(np.mean([place != "behind" for place in places[bests]])),
            "alone": places[0] == "best" and places.count("best") == 1,
            "undecided": "undecided" in places,
            "ranks": float(np.mean(ranked)),
            "old: covered": float(np.mean(bold[bests])),
            "old: alone": bold[0] and sum(bold) == 1,
            "old: undecided": all(bold),
        }


def _bold(values: list[Floats]) -> list[bool]:
    """Tell which models a paired t over runs, by Holm, does not tell apart from the best mean."""
    best = max(range(len(values)), key=lambda k: float(values[k].mean()))
    names = [str(k) for k in range(len(values[best]))]
    others = [k for k in range(len(values)) if k != best]
    p = holm(np.array([paired_t(values[best], values[k], names, names).p for k in others]))
    behind = {k for k, each in zip(others, p, strict=True) if each < ALPHA}
    return [k not in behind for k in range(len(values))]


@dataclass(frozen=True)
class Family:
    """A study of a baseline and equal rivals, whose p-values are corrected by Holm's method."""

    world: World
    runs: int
    rivals: int
    metric: str

    def __call__(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Draw a study, and return whether a test calls any rival different, or better."""
        drawn = self.world.draw(rng, self.runs, (0.0,) * (self.rivals + 1))
        baseline, *others = (influence(cases, self.metric) for cases in drawn)
        names = [str(k) for k in range(self.runs)]
        base, values = baseline.values, [rival.values for rival in others]
        p = {
            PAIRED: [p_of(partial(paired_t, each, base, names, names)) for each in values],
            WELCH: [p_of(partial(welch_t, each, base)) for each in values],
            NOW: [decide(rival, baseline).p for rival in others],
        }
        ahead = np.array([rival.summary.mean > baseline.summary.mean for rival in others])
        outcome: dict[str, float] = {}
        for name, each in p.items():
            apart = holm(np.array(each)) < ALPHA
            outcome[f"{name}: different"] = float(apart.any())
            outcome[f"{name}: better"] = float((apart & ahead).any())
        return outcome
