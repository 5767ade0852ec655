"""How several means would move together with other patients and other runs.

What `deciding` tells of one difference this tells of many means at once: of a model at several
label budgets, and of several models.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from omnibench.stats.deciding import crossed, df_of_patients
from omnibench.stats.influence import Influence
from omnibench.stats.result import CONFIDENCE, NO_SPREAD, Floats, RefusedError

DRAWS = 4000
FEWEST = 3  # repetitions: two do not tell how others would do
_SEED = 4


@dataclass(frozen=True, eq=False)
class Crossed:
    """K means over repetitions, and what patients and repetitions add to their errors.

    The covariance is that of resampling patients crossed with repetitions, one resampling for all
    means, in closed form: rows @ rows.T + of_runs - of_both. What single repetitions do on single
    patients is in the first two and is taken out once.

    Attributes:
        means: [K].
        rows: [K, G], of patients.
        of_runs: [K, K], of repetitions; those of one number belong together.
        of_both: [K, K].
        patients: how many the means are computed from.
        repetitions: the fewest that a mean is of which varies between them; 0 where none does.

    Source:
        Owen 2007, The pigeonhole bootstrap.
    """

    means: Floats
    rows: Floats
    of_runs: Floats
    of_both: Floats
    patients: int
    repetitions: int

    @classmethod
    def from_influences(
        cls, influences: Sequence[Influence], repetitions: Sequence[Sequence[int]]
    ) -> "Crossed":
        """Return the means of several points.

        Args:
            influences: of the same patients, in one order.
            repetitions: the numbers of each point's repetitions, as of its values; of a point that
                is deterministic a single one.

        Raises:
            RefusedError: a point has two repetitions, or values that are not finite, or the points
                are not of the same patients.
        """
        counts = {len(numbers) for numbers in repetitions if len(numbers) > 1}
        if counts and min(counts) < FEWEST:
            raise RefusedError(
                f"{min(counts)} repetitions do not tell how others would do; an interval takes "
                f"{FEWEST}"
            )
        if len({influence.rows.shape[1] for influence in influences}) > 1:
            raise RefusedError("the models were not tested on the same cases")
        if not all(np.isfinite(influence.values).all() for influence in influences):
            raise RefusedError("the metric is undefined in some repetition")
        patients = min(influence.patients for influence in influences)
        numbers = sorted({number for some in repetitions for number in some})
        of_runs = np.zeros((len(influences), len(numbers)))
        of_both = np.zeros((*of_runs.shape, influences[0].rows.shape[1]))
        for k, (influence, own) in enumerate(zip(influences, repetitions, strict=True)):
            n = len(own)
            if n > 1:
                at = np.searchsorted(numbers, own)
                share = math.sqrt(1 / (n * (n - 1)))
                of_runs[k, at] = share * (influence.values - influence.values.mean())
                of_both[k, at] = share * (influence.rows - influence.rows.mean(axis=0))
        scale = patients / (patients - 1)
        both = of_both.reshape(len(influences), -1)
        return cls(
            np.array([influence.values.mean() for influence in influences]),
            np.stack([i.rows.mean(axis=0) for i in influences]) * math.sqrt(scale),
            of_runs @ of_runs.T,
            both @ both.T * scale,
            patients,
            min(counts, default=0),
        )

    @cached_property
    def covariance(self) -> Floats:
        """Return the covariance of the means over new patients and runs: [K, K]."""
        values, vectors = np.linalg.eigh(self.of_runs - self.of_both)
        own = (vectors * np.maximum(values, 0.0)) @ vectors.T  # an estimate may be below 0
        covariance: Floats = self.rows @ self.rows.T + own
        return covariance

    @cached_property
    def deviations(self) -> Floats:
        """Return by how much the means are off in each of normal draws: [DRAWS, K]."""
        return normal_draws(self.covariance)

    def error(self, weights: Floats) -> tuple[float, float]:
        """Return the standard error of a weighted sum of the means, and its degrees of freedom."""
        moved = weights @ self.rows
        sizes = np.abs(moved - np.median(moved))
        moving = math.pi / 2 * sizes.sum() ** 2 / max(float((sizes**2).sum()), NO_SPREAD**2)
        variance, df = crossed(
            np.array([moved @ moved]),
            df_of_patients(np.array([float(self.patients)]), np.array([moving])),
            np.array([[weights @ self.of_runs @ weights]]),
            np.array([[max(1.0, self.repetitions - 1.0)]]),
            np.array([weights @ self.of_both @ weights]),
        )
        return math.sqrt(float(variance[0])), float(df[0])

    def drawn(self, weights: Floats) -> Floats:
        """Return the means in each draw, as wide as one weighted sum of them is: [DRAWS, K].

        Normal draws become draws of t(df) with the sum's own error: percentiles of what is linear
        in that sum are its interval of t.
        """
        error, df = self.error(weights)
        spread = math.sqrt(max(0.0, float(weights @ self.covariance @ weights)))
        wide = t_margin(df) / t_margin(math.inf) * error / max(spread, NO_SPREAD)
        drawn: Floats = self.means + wide * self.deviations
        return drawn


def normal_draws(covariance: Floats) -> Floats:
    """Draw normal values of mean 0, the same in every process: [DRAWS, K]."""
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    rng = np.random.default_rng(_SEED)
    drawn: Floats = rng.standard_normal((DRAWS, len(covariance))) @ root.T
    return drawn


def t_margin(df: float) -> float:
    """Return half the width of a 95 % interval in standard errors."""
    from scipy.special import stdtrit  # a whole scipy.stats costs seconds to import

    return float(stdtrit(df, (1 + CONFIDENCE) / 2))


def percentiles(low: Floats, high: Floats) -> tuple[float, float]:
    """Return the 95 % interval of draws that may be infinite, as where they are beyond an end.

    Args:
        low, high: [DRAWS] the least and the most that each draw may be.
    """
    tail = (1 - CONFIDENCE) / 2
    ends = (np.sort(low)[int(tail * len(low))], np.sort(high)[-1 - int(tail * len(high))])
    return float(ends[0]), float(ends[1])
