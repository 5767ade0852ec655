"""`bench.py speed`: what omnibench costs on this machine, each figure beside what it is held to.

Both sides of a ratio are measured in one run, so that the machine's load falls out of it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

# Part -> "module:attribute" of a function (device) -> iterator of measures.
PARTS = {
    "startup": "omnibench.speed.startup:measure",
    "resize": "omnibench.speed.resize:measure",
    "features": "omnibench.speed.features:measure",
    "augment": "omnibench.speed.augment:measure",
    "training": "omnibench.speed.training:measure",
    "probe": "omnibench.speed.probe:measure",
    "segmentation": "omnibench.speed.segmentation:measure",
    "captioning": "omnibench.speed.captioning:measure",
    "pretraining": "omnibench.speed.pretraining:measure",
    "packing": "omnibench.speed.packing:measure",
    "statistics": "omnibench.speed.statistics:measure",
    "report": "omnibench.speed.reports:measure",
    "scale": "omnibench.speed.scale:measure",
    "engine": "omnibench.speed.engine:measure",
}


@dataclass(frozen=True)
class Measure:
    """One figure.

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
        """Whether the bound holds; None without one."""
        if self.bound is None:
            return None
        sign, limit = self.bound.split()
        figure = self.value if self.ratio is None else self.ratio
        return figure >= float(limit) if sign == ">=" else figure <= float(limit)


Part = Callable[[str], Iterator[Measure]]


def best_seconds(action: Callable[[], object], repeats: int = 5, budget: float = 3.0) -> float:
    """Best time of one call after a warm-up: at most `repeats` calls within about `budget` s."""
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
    """Images a second of the best of `steps` steps of `batch` images, after one to warm up."""
    return image_rates({"": step}, batch, steps, device)[""]


def image_rates(
    ways: Mapping[str, Callable[[int], object]],
    batch: int,
    steps: int,
    device: str,
    rounds: int = 1,
) -> dict[str, float]:
    """The same of several ways, step by step in turn, so that they share the machine's load.

    Every other time they go backwards: none always follows the one that leaves the caches cold.
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
