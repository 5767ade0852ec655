"""Measure which power studies have that `power` plans from a pilot, against planning by the SD.

    python -m benchmarks.power --studies 2000

prints the table of docs/statistics.md. A pilot is drawn, a study is planned from it, and the study
of that size is drawn and tested. So every line has the Monte-Carlo error of its number of studies.
"""

import argparse
import math
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from omnibench.stats.deciding import contrasts, equivalence_p
from omnibench.stats.influence import Summary
from omnibench.stats.pilot import Pilot
from omnibench.stats.power import POWER, power_of_t
from omnibench.stats.result import ALPHA, Floats
from omnibench.stats.sizes import MOST, NONE, Size, smallest
from omnibench.stats.t_tests import t_tails
from omnibench.terminal import echo


@dataclass(frozen=True)
class World:
    """Standard deviations from which two models' values are drawn, and the margin planned for.

    Attributes:
        of_patients: of a patient's value, in each model anew.
        of_runs: of a repetition of each of the two models.
        of_both: of a single repetition on a single patient.
    """

    name: str
    patients: int
    of_patients: float
    of_runs: tuple[float, float]
    of_both: float
    margin: float
    frozen: bool = False


WORLDS = (
    World("runs alike", 156, 0.02, (0.01, 0.01), 0.05, 0.0125),
    World("runs fourfold apart", 156, 0.02, (0.02, 0.005), 0.05, 0.02),
    World("patients a third", 156, 0.05, (0.01, 0.01), 0.10, 0.025),
    World("single cases noisy", 156, 0.05, (0.01, 0.01), 0.20, 0.035),
    World("frozen probe", 156, 0.30, (0.0005, 0.0005), 0.02, 0.05, frozen=True),
)
QUESTIONS = ("detect, 1 rival", "detect, 22 rivals", "match")
RIVALS = {"detect, 1 rival": 1, "detect, 22 rivals": 22, "match": 1}


@dataclass(frozen=True, eq=False)
class Drawn:
    """Values of two models, [n, patients] each, and the patients' part of them: [2, patients]."""

    world: World
    own: Floats
    values: tuple[Floats, Floats]

    @classmethod
    def from_world(cls, rng: np.random.Generator, world: World, size: Size) -> "Drawn":
        """Draw a study with new patients."""
        n, patients = size
        assert n is not None
        own = world.of_patients * rng.normal(size=(2, patients or world.patients))
        return cls(world, own, (_runs(rng, world, own, n, 0), _runs(rng, world, own, n, 1)))

    def continued(self, rng: np.random.Generator, n: int) -> "Drawn":
        """Add repetitions on the same patients, up to n in all."""
        more = max(0, n - len(self.values[0]))
        a, b = (
            np.concatenate([self.values[k], _runs(rng, self.world, self.own, more, k)])[:n]
            for k in (0, 1)
        )
        return Drawn(self.world, self.own, (a, b))

    def summaries(self, difference: float) -> tuple[Summary, Summary]:
        """Return what the deciding test takes; the first model is ahead by a difference."""
        return _summary(self.values[0] + difference), _summary(self.values[1])


def _runs(rng: np.random.Generator, world: World, own: Floats, n: int, k: int) -> Floats:
    size = (n, own.shape[1])
    runs = world.of_runs[k] * rng.normal(size=(n, 1)) + world.of_both * rng.normal(size=size)
    drawn: Floats = own[k] + runs
    return drawn


def _summary(values: Floats) -> Summary:
    n, patients = values.shape
    rows = (values - values.mean(axis=1, keepdims=True)) / patients
    row = rows.mean(axis=0)
    rest = float(((rows - row) ** 2).sum()) * patients / (patients - 1) / (n * (n - 1))
    return Summary(values.mean(axis=1), row, rest, patients)


def planned(pilot: Pilot, world: World, question: str) -> Size:
    """Return the study that `power` plans."""
    level = ALPHA / RIVALS[question]
    if question == "match":
        return smallest(pilot, lambda study: study.power_to_match(world.margin), world.frozen)
    return smallest(pilot, lambda s: s.power_to_detect(world.margin, level), world.frozen)


def decides(drawn: Drawn, question: str) -> bool:
    """Tell whether a study answers as it should."""
    is_match = question == "match"
    a, b = drawn.summaries(0.0 if is_match else drawn.world.margin)
    tested = contrasts(a, [b])
    d, error, df = (float(part[0]) for part in (tested.difference, tested.error, tested.df))
    if is_match:
        return equivalence_p(d, error, df, drawn.world.margin) < ALPHA
    return t_tails(d, error, df)[0] < ALPHA / RIVALS[question]


def by_deviation(drawn: Drawn) -> int:
    """Return the repetitions that a paired t test at .05 needs if the pilot's SD is the true one.

    This is how `power` planned before version 0.2.
    """
    differences = drawn.values[0].mean(axis=1) - drawn.values[1].mean(axis=1)
    effect = drawn.world.margin / float(differences.std(ddof=1))
    low, high = 2, MOST
    while low < high:
        middle = (low + high) // 2
        enough = power_of_t(effect, middle, paired=True) >= POWER
        low, high = (low, middle) if enough else (middle + 1, high)
    return low


def pairing_decides(drawn: Drawn, rivals: int) -> bool:
    """Tell whether the paired t test over repetitions finds the margin."""
    d = drawn.values[0].mean(axis=1) - drawn.values[1].mean(axis=1) + drawn.world.margin
    error = float(d.std(ddof=1)) / math.sqrt(len(d))
    return t_tails(float(d.mean()), error, len(d) - 1)[0] < ALPHA / rivals


@dataclass(frozen=True)
class Task:
    """A line of the table, and how to draw it."""

    world: World
    n: int
    question: str
    studies: int
    seed: int


def measure(task: Task) -> str:
    """Return a line of the table."""
    world, question = task.world, task.question
    rng = np.random.default_rng([task.seed, task.n])
    sizes, new, continuing, before = [], [], [], []
    for _ in range(task.studies):
        pilot = Drawn.from_world(rng, world, Size(task.n, None))
        size = planned(Pilot.from_summaries(*pilot.summaries(0.0)), world, question)
        if size == NONE:
            continue
        assert size.repetitions is not None
        sizes.append(size.patients if world.frozen else size.repetitions)
        new.append(decides(Drawn.from_world(rng, world, size), question))
        if size.patients == world.patients:
            continuing.append(decides(pilot.continued(rng, size.repetitions), question))
        if not world.frozen and question != "match":
            study = Drawn.from_world(rng, world, Size(by_deviation(pilot), None))
            before.append(pairing_decides(study, RIVALS[question]))
    low, median, high = np.percentile([size or 0 for size in sizes], [5, 50, 95])
    needed = f"{median:.0f} ({low:.0f} to {high:.0f})"
    planned_share = len(sizes) / task.studies
    cells = (world.name, task.n, question, needed, f"{planned_share:.2f}")
    powers = (_share(new), _share(continuing), _share(before))
    return "| " + " | ".join(map(str, (*cells, *powers))) + " |"


def _share(outcomes: list[bool]) -> str:
    if not outcomes:
        return "-"
    share = float(np.mean(outcomes))
    error = math.sqrt(share * (1 - share) / len(outcomes))
    return f"{share:.3f} ± {error:.3f}".replace("0.", ".")


def _tasks(studies: int, seed: int) -> Iterator[Task]:
    for world in WORLDS:
        for n in (3, 5):
            for question in QUESTIONS:
                yield Task(world, n, question, studies, seed)


def main() -> None:
    """Print the table and how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    began = time.perf_counter()
    echo("| world | pilot n | question | needed (5 to 95 %) | planned | new | continued | before |")
    echo("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with ProcessPoolExecutor(arguments.jobs) as pool:
        for line in pool.map(measure, _tasks(arguments.studies, arguments.seed)):
            echo(line)
    echo(f"\n{arguments.studies:,} studies a line in {time.perf_counter() - began:.0f} s.")


if __name__ == "__main__":
    main()
