"""Measure the paired bootstrap of macro-F1 at OrganAMNIST's size against scikit-learn's loop."""

import time
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks import Measure, best_seconds
from omnibench.stats import bootstrap
from omnibench.stats.bootstrap import RESAMPLES, compare_resampled, resampled_scores
from omnibench.stats.rates import SINGLE_LABEL

CASES, CLASSES = 17778, 11
LOOPS = 20  # resamples of the plain loop; each takes as long as the next

Labels = NDArray[np.int64]


def measure(device: str) -> Iterator[Measure]:
    """Yield the seconds of a first pair, of a further one, and a resample's against the loop."""
    rng = np.random.default_rng(0)
    labels, a, b = rng.integers(0, CLASSES, (3, CASES))
    for guess, wrong in ((a, 0.10), (b, 0.11)):
        right = rng.random(CASES) > wrong
        guess[right] = labels[right]

    def pair() -> None:
        hot = np.eye(CLASSES, dtype=np.bool_)
        metrics = {"macro-f1": SINGLE_LABEL["macro-f1"]}
        alone = np.arange(CASES)
        compare_resampled(
            *(resampled_scores(hot[labels], hot[item][None], alone, metrics) for item in (a, b))
        )

    bootstrap.forget_resamples()
    began = time.perf_counter()
    pair()
    first = time.perf_counter() - began
    further = best_seconds(pair)
    loop = _loop(rng, labels, a, b)
    what = f"{RESAMPLES:,} resamples of macro-F1, {CASES:,} cases, {CLASSES} classes"
    yield Measure("statistics", f"{what}: first pair", first, "s", None, "<= 5")
    yield Measure("statistics", "the same: a further pair on these cases", further, "s")
    yield Measure(
        "statistics", "a loop over scikit-learn, against the first pair", 1e3 * loop, "ms each",
        loop * RESAMPLES / first,
    )  # fmt: skip


def _loop(rng: np.random.Generator, labels: Labels, a: Labels, b: Labels) -> float:
    """Return the seconds of one resample by scikit-learn."""
    from sklearn.metrics import f1_score

    f1_score(labels, a, average="macro")
    began = time.perf_counter()
    for _ in range(LOOPS):
        drawn = rng.integers(0, CASES, CASES)
        for guess in (a, b):
            f1_score(labels[drawn], guess[drawn], average="macro")
    return (time.perf_counter() - began) / LOOPS
