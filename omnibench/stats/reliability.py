"""Predicted probabilities against what occurs, in bins that hold about equally many cases."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from omnibench.stats.influence import Bools, Ints, Patients
from omnibench.stats.rates import BINS
from omnibench.stats.result import CONFIDENCE, Floats, RefusedError

Moved = tuple[float, Floats]  # a value, and its change [G] when each patient is left out

CURVE_BINS = 10
FEWEST = 3  # patients of a bin, so that its variance is known without any of them


def equal_mass_bins(values: Floats, bins: int) -> Ints:
    """Return the index of each value's bin, [N]; equal values share one, so bins may be fewer.

    The bins are [a, b) between the values at ranks k N / bins.
    """
    ordered = np.sort(values)
    edges = ordered[len(values) * np.arange(1, bins) // bins]
    index = np.searchsorted(edges, values, side="right")
    return np.unique(index, return_inverse=True)[1]  # numbered without those that hold none


def squared_calibration_error(probability: Floats, truth: Bools, patients: Patients) -> Moved:
    """Return the debiased squared calibration error, which may be below 0, in 15 bins or fewer.

    In each bin the squared gap of mean probability and share, less the share's own variance over
    patients; bins are weighted by their cases. Where every case is a patient of its own this is
    Kumar's estimate, whose variance is share (1 - share) / (n - 1). Bins become fewer until each
    holds cases of three patients; they stay where they are when a patient is left out.

    Args:
        probability: [N] predicted; truth: [N], whether it came true.
        patients: of all N cases.

    Returns:
        The error, and its change [G] when each patient is left out.

    Raises:
        RefusedError: there are fewer than three patients.

    Source:
        Kumar, Liang & Ma 2019, Verified uncertainty calibration, definition 4.1.
    """
    index = _stable_bins(probability, patients.cluster)
    bins = int(index.max()) + 1
    cells = patients.cluster * bins + index

    def summed(values: Floats | None = None) -> Floats:
        sums = np.bincount(cells, values, minlength=patients.total * bins)
        return sums.reshape(patients.total, bins).astype(np.float64)

    count, sure, hits = summed(), summed(probability), summed(truth.astype(np.float64))
    sums = np.stack([count, sure, hits, hits**2, hits * count, count**2, count > 0])
    whole = sums.sum(axis=1, keepdims=True)
    value = float(_debiased(whole)[0])
    return value, _debiased(whole - sums) - value


def _stable_bins(probability: Floats, cluster: Ints) -> Ints:
    if len(np.unique(cluster)) < FEWEST:
        raise RefusedError(f"there are fewer than {FEWEST} patients")
    total = int(cluster.max()) + 1
    for bins in range(BINS, 1, -1):
        index = equal_mass_bins(probability, bins)
        pairs = np.unique(index * total + cluster)  # of a bin and who has a case in it
        if np.bincount(pairs // total).min() >= FEWEST:
            return index
    return np.zeros(len(probability), np.intp)


def _debiased(sums: Floats) -> Floats:
    """Return the error of each of G sums: [7, G, bins] -> [G]."""
    count, sure, hits, squares, mixed, sizes, patients = sums
    share = hits / count
    spread = squares - 2 * share * mixed + share**2 * sizes
    variance = patients / (patients - 1) * spread / count**2
    gaps = ((sure - hits) / count) ** 2
    error: Floats = (count * (gaps - variance)).sum(axis=1) / count.sum(axis=1)
    return error


@dataclass(frozen=True, eq=False)
class Points:
    """Bins of one class's probabilities, those with cases alone: [B] each.

    Attributes:
        probability: mean in the bin.
        share: of its cases that are of the class.
        low, high: 95 % interval of the share.
    """

    probability: Floats
    share: Floats
    low: Floats
    high: Floats


def points(probabilities: Floats, truth: Bools, bins: int = CURVE_BINS) -> Points:
    """Return probabilities against shares, pooled over repetitions, with Wilson's intervals.

    A case counts once in an interval's number of cases, however many repetitions there are; cases
    are taken as independent.

    Args:
        probabilities: [R, N] of a class; truth: [N], whether a case is of it.
    """
    index = equal_mass_bins(probabilities.ravel(), bins)
    of_class = np.broadcast_to(truth, probabilities.shape).ravel()
    count = np.bincount(index)
    share = np.bincount(index, of_class) / count
    low, high = wilson(share, count / len(probabilities))
    return Points(np.bincount(index, probabilities.ravel()) / count, share, low, high)


def wilson(share: NDArray[np.float64], count: NDArray[np.float64]) -> tuple[Floats, Floats]:
    """Return the 95 % interval of shares of so many cases.

    Source:
        Wilson 1927, Probable inference, the law of succession, and statistical inference.
    """
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    margin = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return np.maximum(0.0, middle - margin), np.minimum(1.0, middle + margin)
