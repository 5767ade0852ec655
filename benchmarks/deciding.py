"""Count what tests say of simulated studies whose truth is known: docs/simulations.md.

    .venv/bin/python -m benchmarks.deciding --studies 2000 --seed 0 --jobs 2

prints Markdown. Equal numbers of studies and seeds print equal tables, however many processes share
the work.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass

import numpy as np

from benchmarks.simulations import Outcomes, Rate, Study, below, simulate, table
from benchmarks.simulations.columns import Column, Family
from benchmarks.simulations.pairs import METRICS, NOW, PAIRED, TESTS, WELCH, Pair, lead_for_welch
from benchmarks.simulations.variances import errors, families
from benchmarks.simulations.worlds import MEAN, Classifiers, Means, World

RUNS = (3, 5, 10)
SIZES = (156, 624, 8000)
DESIGNS = ((5, 20), (8, 20), (15, 10), (30, 10))  # patients x images
LEADS = (0.0, 0.5, 1.0, 2.0, 4.0)  # SDs of a run
_COSTLY = {(2, 8000): 2, (9, 8000): 8}  # classes, cases -> what divides the number of studies
_CHEAP = 10  # what multiplies it where only variances are drawn


@dataclass(frozen=True)
class Plan:
    """A cell of a table: what stands before it, and the studies that it counts."""

    labels: tuple[str, ...]
    study: Study
    studies: int


def run_plans(
    plans: Sequence[Plan], seed: int, pool: Executor
) -> Iterator[tuple[tuple[str, ...], Outcomes]]:
    """Yield the labels and the outcomes of each plan, in order; all are simulated at once."""
    waiting = [(plan.labels, simulate(plan.study, plan.studies, seed, pool)) for plan in plans]
    for labels, outcomes in waiting:
        yield labels, outcomes()


def equal_models(studies: int, seed: int, pool: Executor) -> str:
    """Return how often each test calls two equal models different."""
    plans = [
        Plan(
            (f"{cases:,} cases, {classes} classes", str(runs)),
            Pair(Classifiers(cases, classes=classes), runs, bootstraps=0.25),
            studies // _COSTLY.get((classes, cases), 1),
        )
        for classes in (2, 9)
        for cases in SIZES
        for runs in RUNS
    ]
    plans += [
        Plan(
            (f"{patients} patients x {images} images, label {labels}", str(runs)),
            Pair(Classifiers(patients * images, patients, labels=labels), runs, bootstraps=1.0),
            studies,
        )
        for labels, every_runs in (("of the patient", RUNS), ("of the image", (5,)))
        for patients, images in DESIGNS
        for runs in every_runs
    ]
    frozen = ("frozen probes", Classifiers(156, run=0.005, both=0.02), (1, *RUNS))
    alike = ("models much alike", Classifiers(156, own=0.2, run=0.05, both=0.2), RUNS)
    plans += [
        Plan(
            (f"{name}, 156 cases, 2 classes", str(runs)),
            Pair(world, runs, bootstraps=1.0),
            studies,
        )
        for name, world, every_runs in (frozen, alike)
        for runs in every_runs
    ]
    rows = [
        (*labels, metric, *(below(outcomes[f"{metric}: {test}"]) for test in TESTS))
        for labels, outcomes in run_plans(plans, seed, pool)
        for metric in METRICS
    ]
    return table(("test set", "runs", "metric", *TESTS), rows)


def coverage(studies: int, seed: int, pool: Executor) -> str:
    """Return how often the interval holds the true difference of unequal models.

    The truth is the mean of the differences over all studies, which the metrics are unbiased for.
    """
    worlds = [(f"{cases} cases", Classifiers(cases)) for cases in SIZES[:2]]
    worlds += [(f"{p} patients x {i} images", Classifiers(p * i, p)) for p, i in DESIGNS]
    plans = [
        Plan((name, str(runs)), Pair(world, runs, lead=0.3), studies)
        for name, world in worlds
        for runs in RUNS
    ]
    rows = []
    for labels, outcomes in run_plans(plans, seed, pool):
        cells = []
        for metric in METRICS:
            low, high = outcomes[f"{metric}: low"], outcomes[f"{metric}: high"]
            truth = outcomes[f"{metric}: difference"].mean()
            cells.append(Rate.from_outcomes(((low <= truth) & (truth <= high)).astype(np.float64)))
        rows.append((*labels, *cells))
    return table(("test set", "runs", *METRICS), rows)


def power(studies: int, seed: int, pool: Executor) -> str:
    """Return what tests find where Welch's finds 80 %, and how often they err in that world."""
    worlds: list[tuple[World, str]] = [(Means(cases), MEAN) for cases in reversed(SIZES)]
    worlds += [(Classifiers(cases), "accuracy") for cases in reversed(SIZES[:2])]
    plans = []
    for world, metric in worlds:
        for runs in RUNS:
            lead = lead_for_welch(world, runs, metric, 0.8, seed, pool)
            labels = (f"{world.cases:,} cases", metric, str(runs), f"{lead:.2f}")
            plans += [
                Plan(labels, Pair(world, runs, each, (metric,)), studies) for each in (lead, 0.0)
            ]
    outcomes = list(run_plans(plans, seed, pool))
    rows = [
        (
            *labels,
            *(below(better[f"{labels[1]}: {test}"]) for test in (WELCH, PAIRED, NOW)),
            *(below(equal[f"{labels[1]}: {test}"]) for test in (WELCH, PAIRED, NOW)),
        )
        for (labels, better), (_, equal) in zip(outcomes[::2], outcomes[1::2], strict=True)
    ]
    tests = ("Welch", "paired t", "decide")
    titles = (f"{of} of {test}" for of in ("power", "error") for test in tests)
    return table(("test set", "metric", "runs", "difference", *titles), rows)


def moderation(studies: int, seed: int, pool: Executor) -> str:
    """Return how often equal models differ with variances moderated over a family, and without."""
    rng = np.random.default_rng(seed)
    rows = [
        (name, runs, *moderated, *separate)
        for name, sd in families()
        for runs in RUNS
        for moderated, separate in [errors(sd, runs, studies * _CHEAP, rng)]
    ]
    return table(
        ("family", "runs", "moderated", "its worst rival", "Welch", "its worst rival"), rows
    )


def best(studies: int, seed: int, pool: Executor) -> str:
    """Return what the confidence set of the best holds, beside the rule before it."""
    plans = [
        Plan((str(models), str(runs), f"{lead:g}"), Column(Means(156), runs, models, lead), count)
        for models, count in ((3, studies), (8, studies // 4))
        for runs in RUNS
        for lead in LEADS
    ]
    names = ("covered", "alone", "undecided")
    columns = (*names, "ranks", *(f"old: {name}" for name in names))
    rows = [
        (*labels, *(Rate.from_outcomes(outcomes[name]) for name in columns))
        for labels, outcomes in run_plans(plans, seed, pool)
    ]
    return table(
        ("models", "runs", "lead", "set holds the best", "it alone", "undecided",
         "rank intervals hold", "old rule holds the best", "it alone", "all bold"),
        rows,
    )  # fmt: skip


def multiplicity(studies: int, seed: int, pool: Executor) -> str:
    """Return how often a family of nine equal rivals, corrected, has any false claim."""
    worlds = [(f"{cases} cases", Classifiers(cases)) for cases in SIZES[:2]]
    worlds += [(f"{p} patients x {i} images", Classifiers(p * i, p)) for p, i in DESIGNS[1:2]]
    plans = [
        Plan((name, metric, str(runs)), Family(world, runs, 9, metric), studies // 4)
        for name, world in worlds
        for metric in ("accuracy", "auc")
        for runs in RUNS
    ]
    columns = [
        f"{test}: {claim}" for test in (WELCH, PAIRED, NOW) for claim in ("different", "better")
    ]
    rows = [
        (*labels, *(Rate.from_outcomes(outcomes[name]) for name in columns))
        for labels, outcomes in run_plans(plans, seed, pool)
    ]
    return table(("test set", "metric", "runs", *columns), rows)


SECTIONS: dict[str, tuple[str, Callable[[int, int, Executor], str]]] = {
    "equal": ("Equal models called different, at the 5 % level", equal_models),
    "coverage": ("95 % intervals that hold the difference of unequal models", coverage),
    "power": ("Power where Welch's test has 80 %, and what it is bought with", power),
    "moderation": ("Equal models called different with moderated variances", moderation),
    "best": ("The confidence set of the best", best),
    "multiplicity": ("Any false claim among nine equal rivals, after Holm", multiplicity),
}


def main() -> None:
    """Simulate the sections that are named, or all, and print their tables and how long it took."""
    parser = argparse.ArgumentParser(description="Simulate what tests say of known truths.")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    # Each process has a core; NumPy's own threads would only wait for each other.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    began = time.perf_counter()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, mp_context=context) as pool:
        for name in options.only:
            title, section = SECTIONS[name]
            since = time.perf_counter()
            text = section(options.studies, options.seed, pool)
            seconds = time.perf_counter() - since
            sys.stdout.write(f"## {title}\n\n{text}\n{seconds:.0f} s.\n\n")
            sys.stdout.flush()
    minutes = (time.perf_counter() - began) / 60
    sys.stdout.write(
        f"{options.studies} studies a cell (fewer of 8,000 cases and of 8 or 10 models), "
        f"seed {options.seed}, {options.jobs} processes: {minutes:.1f} minutes.\n"
    )


if __name__ == "__main__":
    main()
