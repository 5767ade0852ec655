"""Measure corrupting test images: one channel at 224 px, on one core."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks import Measure, best_seconds
from omnibench.data.corruptions import corrupted, view_names

IMAGES, SIDE, SEVERITY = 64, 224, 3


def measure(device: str) -> Iterator[Measure]:
    """Yield the images a second of each set on average, and of its slowest corruption."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (IMAGES, SIDE // 8, SIDE // 8), np.uint8)
    images = coarse.repeat(8, axis=1).repeat(8, axis=2)
    seeds = np.arange(IMAGES)
    sets: dict[str, dict[str, float]] = {}
    for view in view_names():
        head, dot, _ = view.partition(".")
        work = partial(corrupted, images, view, SEVERITY, seeds)
        sets.setdefault(head if dot else "medmnistc", {})[view] = best_seconds(work, 3)
    for name, seconds in sets.items():
        mean = IMAGES * len(seconds) / sum(seconds.values())
        yield Measure("corruptions", f"the set {name}", mean, "images/s", bound=">= 500")
        slowest = max(seconds, key=seconds.__getitem__)
        yield Measure(
            "corruptions",
            f"its slowest, {slowest}",
            IMAGES / seconds[slowest],
            "images/s",
            bound=">= 500",
        )
