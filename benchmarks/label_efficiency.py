"""Count how often the intervals of label efficiency hold the truth: docs/simulations.md.

    .venv/bin/python -m benchmarks.label_efficiency --studies 1000 --jobs 2

prints Markdown.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.simulations import Rate, simulate, table
from benchmarks.simulations.label_curves import Efficiencies, Line
from omnibench.terminal import echo

DESIGNS = ((156, 3), (156, 5), (156, 10), (624, 3), (624, 5), (624, 10))
STEEP = (Line(0.5, 0.05), Line(0.45, 0.05))
WORLDS = {
    "labels count little": Efficiencies(0, 0).models,
    "labels count much": STEEP,
}


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    began = time.perf_counter()
    with ProcessPoolExecutor(given.jobs) as pool:
        waiting = [
            ((name, str(cases), str(runs)), simulate(study, given.studies, given.seed, pool))
            for name, models in WORLDS.items()
            for cases, runs in DESIGNS
            for study in [Efficiencies(cases, runs, models)]
        ]
        rows, heads = [], list[str]()
        for labels, outcomes in waiting:
            counted = outcomes()
            heads = list(counted)
            rows.append((*labels, *(Rate.from_outcomes(some) for some in counted.values())))
    echo(table(("world", "test cases", "repetitions", *heads), rows))
    echo(f"{given.studies} studies a row; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
