"""What a test answers: a difference with its interval and p, or the reason why there is none."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnibench.errors import OmnibenchError

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
ALPHA = 0.05  # 1 - CONFIDENCE is a little more in floating point

# A spread below this is rounding noise of float64 fractions, not variation.
NO_SPREAD = 1e-12

# What a p-value underflows to: p = 0 is never true.
SMALLEST_P = 2.2250738585072014e-308


class RefusedError(OmnibenchError):
    """A test cannot answer; the message is the reason, ready for a table's note."""

    kind = "refused"


@dataclass(frozen=True)
class Answer:
    """The outcome of one two-sided test of a against b.

    Attributes:
        test: the test's name, with what it is paired by and how many repetitions it averages.
        difference: a - b in the metric's own unit.
        low, high: 95 % interval of the difference.
        p: two-sided, in (0, 1].
        effect: Hedges g where the test is over repetitions; else NaN.
        error, df: standard error and degrees of freedom of a t test; NaN of others.
    """

    test: str
    difference: float
    low: float
    high: float
    p: float
    effect: float = math.nan
    error: float = math.nan
    df: float = math.nan


def finite(*samples: Floats) -> tuple[Floats, ...]:
    """Return the samples as float64 vectors.

    Raises:
        RefusedError: a sample is no vector, or holds a NaN or an infinity.
    """
    arrays = tuple(np.asarray(sample, dtype=np.float64) for sample in samples)
    for array in arrays:
        if array.ndim != 1:
            raise RefusedError(f"values must be one a repetition; they have shape {array.shape}")
        undefined = np.flatnonzero(~np.isfinite(array)).tolist()
        if undefined:
            raise RefusedError(f"the metric is undefined in repetitions {undefined}")
    return arrays


def paired_differences(
    a: Floats, b: Floats, pairing_a: Sequence[str], pairing_b: Sequence[str]
) -> Floats:
    """Return a - b of repetitions that share their seeds: [n].

    Args:
        a, b: [n] values of repetition 0, 1, ... of the two models.
        pairing_a, pairing_b: [n] hashes of each repetition's seeds.

    Raises:
        RefusedError: the repetitions do not share their seeds, or a value is not finite.
    """
    a, b = finite(a, b)
    if list(pairing_a) != list(pairing_b) or not len(a) == len(b) == len(pairing_a):
        raise RefusedError("the repetitions do not share their seeds, so they are not paired")
    return a - b


def refuse_floor(smallest: float, what: str) -> None:
    """Raise RefusedError where even the most extreme outcome has p >= .05, naming that p."""
    if smallest >= ALPHA:
        raise RefusedError(
            f"{what} cannot reach p < {ALPHA:.2g}: the smallest p possible is {smallest:.4g}"
        )
