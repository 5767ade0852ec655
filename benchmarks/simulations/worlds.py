"""Draw what models predict for test cases, in worlds where it is known how good each model is.

In both worlds a case is more or less difficult for all models, each model finds some cases easier
than others do, its runs differ as a whole, and each run differs on each case.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.cases import Cases, Logits
from omnibench.stats.influence import Influence, influences
from omnibench.stats.result import Floats

DEFINITION = "simulated"
MEAN = "mean"  # the metric of `Means`
CASES_OF_UNIT = 156  # where models differ on cases as `Means.own` says


class World(Protocol):
    """Where studies are drawn from."""

    @property
    def cases(self) -> int:
        """Return the number of test cases."""
        ...

    def draw(
        self, rng: np.random.Generator, runs: int, leads: tuple[float, ...]
    ) -> tuple[Cases, ...]:
        """Draw a study: what `runs` runs of each model predict for the same cases.

        Args:
            leads: how much better each model is than one with 0, on the population.
        """
        ...


@dataclass(frozen=True)
class Classifiers:
    """Logits of models that classify; equal leads are equal models in every metric.

    Attributes:
        patients: 0 where every case is a patient of its own. Else half of what makes a case
            difficult, and of what makes it so for one model, is shared by a patient's cases.
        labels: whether a class is that of a patient or drawn for each image. Each class has two
            patients or more.
        own, run, both: standard deviations of logits: between models on a case; between runs, of
            their skill and of their bias to each class; between runs on a case.
    """

    cases: int
    patients: int = 0
    classes: int = 2
    labels: str = "of the patient"
    own: float = 1.0
    run: float = 0.1
    both: float = 0.5

    def draw(
        self, rng: np.random.Generator, runs: int, leads: tuple[float, ...]
    ) -> tuple[Cases, ...]:
        """Draw a study; a lead adds to the right class's logit, 1.8 without."""
        people = self.patients or self.cases
        cluster = np.repeat(np.arange(people), self.cases // people)
        count, shape = len(cluster), (len(cluster), self.classes)
        if self.labels == "of the patient":
            twice = np.repeat(np.arange(self.classes), 2)
            rest = rng.integers(self.classes, size=people - len(twice))
            labels = rng.permutation(np.concatenate([twice, rest]))[cluster]
        else:
            labels = rng.integers(self.classes, size=count)
        groups = cluster if self.patients else None
        difficulty = self._of_cases(rng, cluster)
        right = np.eye(self.classes)[labels]
        models = []
        for lead in leads:
            skill = 1.8 + lead + self.run * rng.standard_normal((runs, 1, 1))
            bias = self.run * rng.standard_normal((runs, 1, self.classes))
            on_cases = difficulty + self.own * self._of_cases(rng, cluster)
            both = self.both * rng.standard_normal((runs, *shape))
            logits = Logits(skill * right + bias + on_cases + both, labels)
            models.append(Cases(runs, np.arange(count), groups, {}, logits))
        return tuple(models)

    def _of_cases(self, rng: np.random.Generator, cluster: NDArray[np.intp]) -> Floats:
        """Draw a standard normal logit a case and class, correlated by patient: [N, C]."""
        drawn = rng.standard_normal((len(cluster), self.classes))
        if not self.patients:
            return drawn
        shared = rng.standard_normal((self.patients, self.classes))[cluster]
        return math.sqrt(0.5) * (shared + drawn)


@dataclass(frozen=True)
class Means:
    """Values of cases whose mean is the metric, as Dice is; the unit is the SD of runs.

    Attributes:
        own: SD over test sets of 156 cases of what a model's mean has of its own; it falls with
            the root of their number.
        both: likewise of a single run.
    """

    cases: int
    own: float = 0.6
    both: float = 0.2

    def draw(
        self, rng: np.random.Generator, runs: int, leads: tuple[float, ...]
    ) -> tuple[Cases, ...]:
        """Draw a study; a lead is the difference of the population means."""
        scale = math.sqrt(CASES_OF_UNIT)
        shared = rng.standard_normal(self.cases)
        models = []
        for lead in leads:
            on_cases = lead + scale * self.own * (shared + rng.standard_normal(self.cases))
            both = scale * self.both * rng.standard_normal((runs, self.cases))
            values = on_cases + rng.standard_normal((runs, 1)) + both
            of_cases = {(DEFINITION, MEAN): values}
            models.append(Cases(runs, np.arange(self.cases), None, of_cases, None))
        return tuple(models)


def influence(cases: Cases, metric: str) -> Influence:
    """Return a metric's influences.

    Raises:
        RefusedError: it has none.
    """
    score = (DEFINITION, metric)
    outcome = influences(cases, [score])[score]
    if not isinstance(outcome, Influence):
        raise outcome
    return outcome
