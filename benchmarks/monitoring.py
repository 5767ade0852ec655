"""Simulate `run --until-decided`: how often it errs, and how many repetitions it takes.

    .venv/bin/python -m benchmarks.monitoring --studies 1000

A study is a family of rivals and a baseline whose runs vary with SD 1; patients add a part to each
rival's difference that no repetition takes away. Variances are estimated at each look. "Peeking"
stops at the first corrected p below .05 of tests that do not allow for looks.
"""

import argparse
import math
import time
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from omnibench.stats.correction import holm
from omnibench.stats.monitoring import (
    HOPE,
    Course,
    chance_of_an_answer,
    planned_looks,
    sequential_p,
)
from omnibench.terminal import echo

RIVALS = 3
DIFFERENCES = (0.0, 1.0, 2.0, 4.0)  # of the first rival, in SDs of a run; the others have none
PATIENTS = (0.0, 0.5)  # SD over test sets of a difference, in SDs of a run


@dataclass
class Ended:
    """How studies ended: counts, and repetitions at the end."""

    wrong: int = 0  # a rival without a difference is called different
    right: int = 0  # the first rival is
    peeking: int = 0  # as `wrong`, by tests that do not allow for looks
    hopeless: int = 0
    repetitions: int = 0


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--first", type=int, default=3)
    parser.add_argument("--most", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    looks = planned_looks(given.first, given.most)
    began = time.perf_counter()
    echo(f"Looks at n = {', '.join(map(str, looks))}; {RIVALS} rivals; {given.studies} studies.\n")
    echo("| difference | patients | any false | peeking | detected | given up | mean n |")
    echo("| ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for patients in PATIENTS:
        for difference in DIFFERENCES:
            rng = np.random.default_rng([given.seed, int(10 * patients), int(10 * difference)])
            ended = Ended()
            for _ in range(given.studies):
                _study(rng, difference, patients, looks, ended)
            shares = [ended.wrong, ended.peeking, ended.right, ended.hopeless]
            cells = [_rate(count, given.studies) for count in shares]
            if difference == 0:
                cells[2] = "-"
            mean = ended.repetitions / given.studies
            echo(f"| {difference} | {patients} | {' | '.join(cells)} | {mean:.1f} |")
    echo(f"\n{time.perf_counter() - began:.0f} s")


def _rate(count: int, of: int) -> str:
    share = count / of
    return f"{share:.3f} ± {math.sqrt(share * (1 - share) / of):.3f}"


def _study(
    rng: np.random.Generator,
    difference: float,
    patients: float,
    looks: tuple[int, ...],
    ended: Ended,
) -> None:
    runs = rng.normal(size=(RIVALS + 1, looks[-1]))
    truth = np.array([difference, *[0.0] * (RIVALS - 1)])
    offsets = truth + patients * rng.normal(size=RIVALS)
    null = truth == 0
    peeked = False
    for n in looks:
        means, variances = runs[:, :n].mean(axis=1), runs[:, :n].var(axis=1, ddof=1)
        differences = means[1:] - means[0] + offsets
        parts = variances[1:] / n, np.full(RIVALS, variances[0] / n)
        variance = patients**2 + parts[0] + parts[1]
        df = variance**2 / (parts[0] ** 2 / (n - 1) + parts[1] ** 2 / (n - 1))
        p = 2 * stdtr(df, -np.abs(differences) / np.sqrt(variance))
        courses = [Course(patients**2, float(n * (a + parts[1][0])), looks) for a in parts[0]]
        allowed = [sequential_p(float(x), course) for x, course in zip(p, courses, strict=True)]
        decided = holm(np.array(allowed)) < 0.05
        peeked |= bool((holm(p) < 0.05)[null].any())
        waiting = [
            chance_of_an_answer(float(d), n, course, RIVALS, None)
            for d, course, done in zip(differences, courses, decided, strict=True)
            if not done
        ]
        hopeless = bool(waiting) and max(waiting) < HOPE and n < looks[-1]
        if decided.all() or hopeless or n == looks[-1]:
            break
    ended.wrong += bool(decided[null].any())
    ended.right += bool(decided[0])
    ended.hopeless += hopeless
    ended.peeking += peeked
    ended.repetitions += n


if __name__ == "__main__":
    main()
