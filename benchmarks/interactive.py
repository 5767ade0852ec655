"""Measure clicks: the rules that make them, and `clicks-knn` from kept maps."""

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import Measure
from omnibench.tasks.interactive.knn import Features, NearestClicks
from omnibench.tasks.interactive.sequences import Target, clicked
from omnibench.tasks.interactive.simulators import SIMULATORS, edt

SIDE, CLICKS = 224, 20
SHAPES = ((40, 28, 28), (112, 14, 14), (320, 7, 7))  # of efficientnet-lite0 at 224 px


def measure(device: str) -> Iterator[Measure]:
    """Yield clicks a second of a core's time, and images a second of `clicks-knn`."""
    truth = disc(100, 110, 50)
    nothing = np.zeros_like(truth)
    missed, extra = truth & ~disc(90, 90, 50), disc(90, 90, 50) & ~truth
    for name, rule in SIMULATORS.items():
        rate = 1 / core_seconds(lambda rule=rule: rule(missed, extra, nothing), 50)  # type: ignore[misc]
        yield Measure("clicks", f"{name} at {SIDE} px", rate, "clicks/s", bound=">= 200")
    random = np.random.default_rng(0)
    maps = [random.normal(size=shape).astype(np.float32) for shape in SHAPES]

    def outline() -> None:
        method = NearestClicks(Features.from_maps(maps, (SIDE, SIDE)), None)
        clicked(Target(truth, ~nothing), method, edt, CLICKS)

    # Objects are independent, so that a second core does as much again.
    what = f"clicks-knn, {CLICKS} clicks at {SIDE} px from kept maps"
    yield Measure("clicks", what, 1 / core_seconds(outline), "images/s", bound=">= 10")


def core_seconds(action: Callable[[], object], repeats: int = 5) -> float:
    """Return the least processor time of a call after a warm-up."""
    action()
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        seconds.append(time.process_time() - began)
    return min(seconds)


def disc(row: int, column: int, radius: int) -> NDArray[np.bool_]:
    """Return a disc in an image of SIDE px."""
    rows, columns = np.ogrid[:SIDE, :SIDE]
    inside: NDArray[np.bool_] = (rows - row) ** 2 + (columns - column) ** 2 < radius**2
    return inside
