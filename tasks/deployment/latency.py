"""How long torch and ONNX Runtime take for the same images, by turns on the same cores."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import binom

Runtime = Callable[[NDArray[Any]], object]  # takes images, or other inputs [N, ...]
WARM_UPS = 10
RUNS, FEWEST, SECONDS = 200, 20, 5.0  # of each runtime and batch; fewer where they take longer
CONFIDENCE = 0.95


def latencies(
    runtimes: Mapping[str, Runtime], images: NDArray[Any], batches: tuple[int, ...]
) -> dict[str, dict[str, Any]]:
    """Return for each runtime and batch what `summary` says of its times.

    Two runtimes A and B are timed as A B B A, so that a machine that slows down or speeds up
    meanwhile does so for both.

    Args:
        images: of which batches are cut, from the first on; repeated where they are too few.
    """
    measured: dict[str, dict[str, Any]] = {name: {} for name in runtimes}
    for batch in batches:
        block = np.ascontiguousarray(images[np.arange(batch) % len(images)])
        times = {name: list[float]() for name in runtimes}
        for runtime in runtimes.values():
            for _ in range(WARM_UPS):
                runtime(block)
        began, turn = perf_counter(), [*runtimes]
        while len(times[turn[0]]) < RUNS:
            if len(times[turn[0]]) >= FEWEST and perf_counter() - began > SECONDS:
                break
            for name in (*turn, *reversed(turn)):
                start = perf_counter()
                runtimes[name](block)
                times[name].append(perf_counter() - start)
        for name, own in times.items():
            measured[name][str(batch)] = summary(own, batch)
    return measured


def summary(seconds: list[float], batch: int) -> dict[str, Any]:
    """Return median and 95th percentile in ms, images a second at the median, and the runs.

    The median's interval is exact and of any distribution: of the order statistics whose ranks a
    binomial with p = 1/2 gives (David & Nagaraja 2003, section 7.1).
    """
    ordered, n = np.sort(seconds) * 1000, len(seconds)
    below = int(binom.ppf((1 - CONFIDENCE) / 2, n, 0.5))
    low, high = ordered[max(0, below - 1)], ordered[min(n - 1, n - below)]
    p50 = float(np.median(ordered))
    return {
        "p50_ms": p50,
        "p50_low_ms": float(low),
        "p50_high_ms": float(high),
        "p95_ms": float(np.percentile(ordered, 95)),
        "images_per_s": batch * 1000 / p50,
        "runs": n,
    }


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads in a block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
