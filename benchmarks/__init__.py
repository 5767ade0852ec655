"""Measure what omnibench costs on this machine: the parts of `bench.py speed`.

Both sides of a ratio are measured in one run, so that the machine's load falls out of it. The
package comes with a checkout and not with the wheel. `deciding.py` is no part of it: it simulates
how often tests of `omnibench.stats` err.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

# Part -> "module:attribute" of a function (device) -> iterator of measures.
PARTS = {
    "startup": "benchmarks.startup:measure",
    "resize": "benchmarks.resize:measure",
    "features": "benchmarks.features:measure",
    "augment": "benchmarks.augment:measure",
    "training": "benchmarks.training:measure",
    "probe": "benchmarks.probe:measure",
    "labels": "benchmarks.labels:measure",
    "logistic": "benchmarks.logistic:measure",
    "slices": "benchmarks.slices:measure",
    "volumes": "benchmarks.volumes_attention:measure",
    "corruptions": "benchmarks.corruptions:measure",
    "segmentation": "benchmarks.segmentation:measure",
    "shapes": "benchmarks.shapes:measure",
    "clicks": "benchmarks.interactive:measure",
    "captioning": "benchmarks.captioning:measure",
    "pretraining": "benchmarks.pretraining:measure",
    "packing": "benchmarks.packing:measure",
    "statistics": "benchmarks.statistics:measure",
    "report": "benchmarks.reports:measure",
    "page": "benchmarks.page:measure",
    "scale": "benchmarks.scale:measure",
    "engine": "benchmarks.engine:measure",
}
# Measured where they are named alone, since they need what this project does not install.
BESIDE = {"peer": "benchmarks.peer:measure"}


@dataclass(frozen=True)
class Measure:
    """A figure, and what it is held to.

    Attributes:
        ratio: against the reference that `name` states; None where the value stands alone.
        bound: what the ratio (or, without one, the value) is held to, as ">= 1.9" or "<= 10".
    """

    part: str
    name: str
    value: float
    unit: str
    ratio: float | None = None
    bound: str | None = None

    @property
    def holds(self) -> bool | None:
        """Return whether the bound holds; None without a bound."""
        if self.bound is None:
            return None
        sign, limit = self.bound.split()
        figure = self.value if self.ratio is None else self.ratio
        return figure >= float(limit) if sign == ">=" else figure <= float(limit)


Part = Callable[[str], Iterator[Measure]]


def best_seconds(action: Callable[[], object], repeats: int = 5, budget: float = 3.0) -> float:
    """Return the best time of a call after a warm-up: `repeats` calls, or `budget` s of them."""
    action()
    best, spent = float("inf"), 0.0
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        seconds = time.perf_counter() - began
        best, spent = min(best, seconds), spent + seconds
        if spent > budget:
            break
    return best


def image_rate(step: Callable[[int], object], batch: int, steps: int, device: str) -> float:
    """Return images a second of the best of `steps` steps of `batch`, after one to warm up."""
    return image_rates({"": step}, batch, steps, device)[""]


def image_rates(
    ways: Mapping[str, Callable[[int], object]],
    batch: int,
    steps: int,
    device: str,
    rounds: int = 1,
) -> dict[str, float]:
    """Return the rates of several ways, run step by step in turn to share the machine's load.

    Every other time they go backwards, so that none always follows the way that leaves the caches
    cold.
    """
    best = dict.fromkeys(ways, float("inf"))
    for turn, index in enumerate([0, *rounds * list(range(steps))]):
        for name, step in list(ways.items())[:: -1 if turn % 2 else 1]:
            began = time.perf_counter()
            step(index)
            if device.startswith("cuda"):
                import torch

                torch.cuda.synchronize()
            best[name] = min(best[name], time.perf_counter() - began)
    return {name: batch / seconds for name, seconds in best.items()}
