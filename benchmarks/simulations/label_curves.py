"""Models whose accuracy rises by a known amount with each doubling of the labels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.simulations.worlds import DEFINITION
from omnibench.stats.cases import Cases
from omnibench.stats.influence import Influence, influences
from omnibench.stats.label_efficiency import Bounded, Target, efficiencies
from omnibench.stats.label_points import Curve
from omnibench.stats.result import Floats

LABELS = (8, 16, 32, 64, 128, 256, 512)
CHANCE, SHARE = 0.5, 0.9
SCORE = (DEFINITION, "accuracy")


@dataclass(frozen=True)
class Line:
    """A model whose accuracy is first + slope * log2(labels)."""

    first: float
    slope: float

    def at(self, labels: Floats) -> Floats:
        """Return the accuracy on the population."""
        accuracy: Floats = self.first + self.slope * np.log2(labels)
        return accuracy

    def labels_to(self, target: float) -> float:
        """Return with how many labels a target is reached."""
        return float(2 ** ((target - self.first) / self.slope))


@dataclass(frozen=True)
class Efficiencies:
    """A study of two models; whether each interval holds the truth, by name.

    A case is right where a normal value is below a threshold. Of its variance a part is the case's
    (how difficult it is), a part the model's on that case, a part a run's, half of it at all
    budgets, and the rest a single run's on a single case at one budget.

    Attributes:
        cases, runs: of the study.
        models: the second is the rival and the baseline.
        difficulty, own, run: shares of the variance.
    """

    cases: int
    runs: int
    models: tuple[Line, Line] = (Line(0.55, 0.04), Line(0.5, 0.035))
    difficulty: float = 0.35
    own: float = 0.15
    run: float = 0.02

    def draw(self, rng: np.random.Generator) -> list[Curve]:
        """Draw the curves of both models."""
        difficulty = rng.standard_normal(self.cases)
        return [
            self._curve(rng, name, line, difficulty)
            for name, line in zip("ab", self.models, strict=True)
        ]

    def _curve(self, rng: np.random.Generator, name: str, line: Line, difficulty: Floats) -> Curve:
        from scipy.special import ndtri

        labels = np.array(LABELS, np.float64)
        budgets, runs = len(labels), self.runs
        of_model = rng.standard_normal((self.cases, budgets))
        of_runs = rng.standard_normal((runs, 1, 1)) + rng.standard_normal((runs, 1, budgets))
        rest = math.sqrt(1 - self.difficulty - self.own - self.run)
        value = math.sqrt(self.difficulty) * difficulty[:, None] + math.sqrt(self.own) * of_model
        value = value + math.sqrt(self.run / 2) * of_runs
        value = value + rest * rng.standard_normal((runs, self.cases, budgets))
        right = (value < ndtri(line.at(labels))).astype(np.float64)
        moved = [_influence(right[:, :, k]) for k in range(budgets)]
        return Curve(
            name,
            tuple(f"linear@{count}shot" for count in LABELS),
            labels,
            right.mean(axis=(0, 1)),
            (tuple(range(runs)),) * budgets,
            tuple(moved),
        )

    def __call__(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Draw a study, and return "NUMBER" -> 1 where its interval holds the truth, else 0."""
        curves = self.draw(rng)
        line, other = self.models
        whole = np.array(LABELS[-1:], np.float64)
        own = [CHANCE + SHARE * (float(m.at(whole)[0]) - CHANCE) for m in self.models]
        of_own = efficiencies(curves, Target(SHARE, CHANCE, None), "b")
        of_baseline = efficiencies(curves, Target(SHARE, CHANCE, "b"), "b")
        goals = (line.labels_to(own[0]), line.labels_to(own[1]), other.labels_to(own[1]))
        area = float(line.at(np.sqrt(whole * LABELS[0]))[0])
        low, high = of_own[0].area.low, of_own[0].area.high
        ratios = of_own[0].ratio, of_baseline[0].ratio
        return {
            "ALC": float(low <= area <= high),
            "labels, own target": _holds(of_own[0].needed, goals[0]),
            "labels, baseline's target": _holds(of_baseline[0].needed, goals[1]),
            "ratio, own targets": _holds(ratios[0], goals[2] / goals[0]),
            "ratio, baseline's target": _holds(ratios[1], goals[2] / goals[1]),
        }


def _holds(number: Bounded | None, truth: float) -> float:
    assert number is not None
    return float(number.low <= truth <= number.high)


def _influence(right: Floats) -> Influence:
    cases = Cases(len(right), np.arange(right.shape[1]), None, {SCORE: right}, None)
    outcome = influences(cases, [SCORE])[SCORE]
    assert isinstance(outcome, Influence)
    return outcome
