"""Studies of patients whose true calibration is known."""

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.cases import Cases, Logits
from omnibench.stats.influence import Patients
from omnibench.stats.result import Floats

Ints = NDArray[np.int64]


def drawn(
    rng: np.random.Generator, patients: int, each: int, intercept: float, slope: float
) -> tuple[Floats, Ints, NDArray[np.intp]]:
    """Return log-odds [N], labels [N] with logit P = intercept + slope * log-odds, and patients."""
    cluster = np.repeat(np.arange(patients), each)
    odds = rng.normal(0, 1, len(cluster)) + np.repeat(rng.normal(0, 1, patients), each)
    labels = rng.random(len(odds)) < 1 / (1 + np.exp(-intercept - slope * odds))
    return odds, labels.astype(np.int64), cluster


def patients_of(cluster: NDArray[np.intp]) -> Patients:
    return Patients.of_cases(cluster, np.ones(len(cluster), np.bool_))


def binary(odds: Floats, labels: Ints, cluster: NDArray[np.intp] | None = None) -> Cases:
    """Return what repetitions with these log-odds [R, N] of the second class left."""
    logits = np.stack([np.zeros_like(odds), odds], axis=2)
    return Cases(len(odds), np.arange(len(labels)), cluster, {}, Logits(logits, labels))
