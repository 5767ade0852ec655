"""Intervals over patients alone: how far a mean over repetitions would move on other patients."""

import math
from dataclasses import dataclass

import numpy as np

from omnibench.stats.influence import Influence
from omnibench.stats.result import CONFIDENCE, Floats, RefusedError


@dataclass(frozen=True)
class Estimate:
    """A mean over repetitions with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def root(self) -> "Estimate":
        """Return the square roots; 0 of what is below 0."""
        return Estimate(*(math.sqrt(max(0.0, x)) for x in (self.value, self.low, self.high)))


Measure = Estimate | RefusedError


def over_patients(influence: Influence) -> Estimate:
    """Return the mean over repetitions with its interval for other patients and the same runs."""
    value = float(influence.values.mean())
    margin = float(margins(influence.rows.mean(axis=0)))
    return Estimate(value, value - margin, value + margin)


def margins(rows: Floats) -> Floats:
    """Return half the width of the 95 % interval of each value, t(G - 1) of its jackknife error.

    Args:
        rows: [..., G] centred influences of all G patients, as of `Influence`.

    Source:
        Tukey 1958; with so few as five patients: Cameron & Miller 2015, section VI.
    """
    from scipy.special import stdtrit  # a whole scipy.stats costs seconds to import

    patients = rows.shape[-1]
    error = np.sqrt((rows**2).sum(axis=-1) * patients / (patients - 1))
    half: Floats = stdtrit(patients - 1, (1 + CONFIDENCE) / 2) * error
    return half
