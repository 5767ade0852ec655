"""Two models in one study: what each test says of their difference."""

import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np

from benchmarks.simulations import below, simulate
from benchmarks.simulations.before import RESAMPLES, hierarchical, over_cases
from benchmarks.simulations.worlds import MEAN, World, influence
from omnibench.stats.cases import Cases
from omnibench.stats.deciding import decide
from omnibench.stats.influence import Influence
from omnibench.stats.result import Answer, RefusedError
from omnibench.stats.t_tests import paired_t, welch_t

METRICS = ("accuracy", "macro-f1", "auc")
WELCH, PAIRED, OVER_CASES, HIERARCHICAL, NOW = TESTS = (
    "Welch t over runs", "paired t over runs", "over cases", "hierarchical bootstrap", "decide",
)  # fmt: skip
_SEARCH = 400  # studies that a lead is searched with


@dataclass(frozen=True)
class Pair:
    """A study of two models: the p of each test, and the interval of the deciding one.

    Attributes:
        lead: how much better the first model is.
        bootstraps: in which share of the studies there are bootstraps, which cost most.
    """

    world: World
    runs: int
    lead: float = 0.0
    metrics: tuple[str, ...] = METRICS
    bootstraps: float = 0.0

    def __call__(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Draw a study, and return "METRIC: TEST" -> p, and what the interval is."""
        a, b = self.world.draw(rng, self.runs, (self.lead, 0.0))
        outcome: dict[str, float] = {}
        for metric in self.metrics:
            answer, p = _decided(a, b, metric)
            outcome |= {f"{metric}: {test}": value for test, value in p.items()}
            outcome[f"{metric}: difference"] = answer.difference
            outcome[f"{metric}: low"], outcome[f"{metric}: high"] = answer.low, answer.high
        bootstrapped = a.logits is not None and rng.random() < self.bootstraps
        outcome |= dict(_bootstrapped(a, b, bootstrapped))
        return outcome


@dataclass(frozen=True)
class WelchAlone:
    """A study of two models whose only outcome is the p of Welch's test."""

    world: World
    runs: int
    lead: float
    metric: str

    def __call__(self, rng: np.random.Generator) -> Mapping[str, float]:
        """Draw a study, and return the p."""
        drawn = self.world.draw(rng, self.runs, (self.lead, 0.0))
        a, b = (influence(cases, self.metric) for cases in drawn)
        return {WELCH: p_of(lambda: welch_t(a.values, b.values))}

    def __repr__(self) -> str:
        """Leave the lead out, so that all leads meet the same studies."""
        return f"{self.world} {self.runs} {self.metric}"


def lead_for_welch(
    world: World, runs: int, metric: str, power: float, seed: int, pool: Executor
) -> float:
    """Return the lead that Welch's test finds with about this power, by bisection."""
    low, high = 0.0, 8.0 if metric == MEAN else 2.0
    for _ in range(7):
        lead = (low + high) / 2
        study = WelchAlone(world, runs, lead, metric)
        reached = below(simulate(study, _SEARCH, seed, pool)()[WELCH]).share
        low, high = (lead, high) if reached < power else (low, lead)
    return (low + high) / 2


def _decided(a: Cases, b: Cases, metric: str) -> tuple[Answer, dict[str, float]]:
    x, y = influence(a, metric), influence(b, metric)
    answer, names = decide(x, y), [str(k) for k in range(len(x.values))]
    p = {
        WELCH: p_of(lambda: welch_t(x.values, y.values)),
        PAIRED: p_of(lambda: paired_t(x.values, y.values, names, names)),
        NOW: answer.p,
    }
    if metric == "auc":
        p |= {OVER_CASES: _delong(x, y), HIERARCHICAL: math.nan}
    elif metric in (MEAN, "macro-f1"):
        p |= {OVER_CASES: math.nan, HIERARCHICAL: math.nan}
    return answer, p


def _delong(a: Influence, b: Influence) -> float:
    """Return the p of DeLong's test by patient, whose variance has no factor for few of them."""
    moved = (a.summary.row - b.summary.row) * math.sqrt(a.patients / (a.patients - 1))
    error = math.sqrt(float(np.sum(moved**2)))
    difference = abs(a.summary.mean - b.summary.mean)
    return math.erfc(difference / error / math.sqrt(2)) if error > 0 else math.nan


def _bootstrapped(a: Cases, b: Cases, wanted: bool) -> Iterator[tuple[str, float]]:
    """Yield the p of both bootstraps of accuracy; NaN where they are not wanted."""
    if a.logits is None or b.logits is None:
        return
    right = [
        (each.decisions & each.truth).sum(axis=2).astype(np.float64)
        for each in (a.logits, b.logits)
        if wanted
    ]
    p = dict.fromkeys((OVER_CASES, HIERARCHICAL), math.nan)
    if wanted:
        p[OVER_CASES] = over_cases(right[0], right[1], a.cluster, RESAMPLES[OVER_CASES])
    if wanted and a.repetitions > 1:
        p[HIERARCHICAL] = hierarchical(right[0], right[1], a.cluster, RESAMPLES[HIERARCHICAL])
    yield from ((f"accuracy: {test}", value) for test, value in p.items())


def p_of(test: Callable[[], Answer]) -> float:
    """Return a test's p; NaN where it refuses to answer."""
    try:
        return test().p
    except RefusedError:
        return math.nan
