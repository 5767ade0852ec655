"""Plan a study from a pilot: the power of the deciding test, over what the pilot leaves open."""

from dataclasses import dataclass

import numpy as np

from omnibench.stats.deciding import crossed, df_of_patients, over_patients
from omnibench.stats.influence import Summary
from omnibench.stats.quadrature import variance_ratios
from omnibench.stats.result import ALPHA, NO_SPREAD, Floats


@dataclass(frozen=True, eq=False)
class Study:
    """What the difference and its test may come to in a study, each as likely as another: [P] each.

    Attributes:
        spread: the difference's true standard error.
        error, df: as `contrasts` will estimate them.
    """

    spread: Floats
    error: Floats
    df: Floats

    def power_to_detect(self, difference: float, level: float) -> float:
        """Return the chance of a two-sided p below the level where the truth is a difference."""
        from scipy.special import ndtr, stdtrit

        reach = stdtrit(self.df, 1 - level / 2) * self.error
        return float(
            np.mean(
                ndtr((difference - reach) / self.spread) + ndtr((-difference - reach) / self.spread)
            )
        )

    def power_to_match(self, margin: float) -> float:
        """Return the chance that two one-sided tests at .05 show equal models to be equivalent."""
        from scipy.special import ndtr, stdtrit

        room = margin - stdtrit(self.df, 1 - ALPHA) * self.error
        return float(np.mean(np.maximum(0.0, 2 * ndtr(room / self.spread) - 1)))


@dataclass(frozen=True, eq=False)
class Pilot:
    """What a finished comparison of two models tells of the variances of the next one.

    Attributes:
        patients: how many were tested.
        of_patients: the variance of the difference over patients, what both hold included.
        moving: how many patients move the difference, as `over_patients` has it.
        repetitions: of each model.
        of_run: the variance of one repetition of each model.
        of_both: the part of that which is of single repetitions on single patients.
    """

    patients: int
    of_patients: float
    moving: float
    repetitions: tuple[int, int]
    of_run: tuple[float, float]
    of_both: tuple[float, float]

    @classmethod
    def from_summaries(cls, a: Summary, b: Summary) -> "Pilot":
        """Take the variances of two models, tested on the same patients; 0 of a single run."""
        of_patients, moving = over_patients(a, [b])
        counts = len(a.values), len(b.values)
        of_run = [n * m.of_runs if n > 1 else 0.0 for m, n in zip((a, b), counts, strict=True)]
        return cls(
            min(a.patients, b.patients),
            float(of_patients[0]),
            float(moving[0]),
            counts,
            (of_run[0], of_run[1]),
            (counts[0] * a.of_both, counts[1] * b.of_both),
        )

    @property
    def still(self) -> bool:
        """Tell whether neither patient nor run makes a difference."""
        return max(self.of_patients, *self.of_run) <= NO_SPREAD**2

    def study(self, n: int, patients: float) -> Study:
        """Return what a study of n new repetitions of each model and new patients may come to.

        What the pilot leaves open: a true variance is its estimate over a chi-square variable
        divided by its degrees of freedom. The patients' part and the repetitions' part, the sum of
        both models', have one each; with one for each model's part the plan would ask for twice
        what is needed. The study's own estimates are the true variances times three more.

        The patients' part falls with the number of patients, the repetitions' with n, and what both
        hold with either.

        Args:
            n: of each model; more than 1 wherever the models vary between repetitions.
            patients: infinite for a test set without end.

        Source:
            A variance given its estimate: Box & Tiao 1973, section 2.3. Degrees of freedom of a sum
            of two: Welch 1947, with n + 1 below the squares and 2 less, which is nearly
            unbiased.
        """
        scale = self.patients / patients
        both = np.array(self.of_both)[:, None]  # [2, 1]: of one repetition, as are `of_runs`
        of_patients, of_runs = self._true()
        of_patients = (of_patients + both.sum() / n) * scale
        of_runs = np.maximum(of_runs - both * (1 - scale), 0.0) / n
        df_patients = np.inf
        if scale > 0:
            df_patients = _df_of_patients(patients, self.moving / scale)
        df_runs = max(1.0, n - 1.0)
        rest = np.array(df_patients), np.array(df_runs), both.sum() * scale / n
        true, _ = crossed(of_patients, rest[0], of_runs, rest[1], rest[2])
        of_patients = of_patients * variance_ratios(df_patients, 2)
        of_runs = of_runs * np.stack([variance_ratios(df_runs, 3), variance_ratios(df_runs, 4)])
        estimated, df = crossed(of_patients, rest[0], of_runs, rest[1], rest[2])
        spread, error = (np.sqrt(np.maximum(part, NO_SPREAD**2)) for part in (true, estimated))
        return Study(spread, error, df)

    def _true(self) -> tuple[Floats, Floats]:
        """Return true variances: over patients without what both hold [P], of a run [2, P]."""
        now = sum(part / n for part, n in zip(self.of_both, self.repetitions, strict=True))
        df = _df_of_patients(self.patients, self.moving)
        of_patients = max(self.of_patients - now, 0.0) / variance_ratios(df, 0)
        of_run = np.array(self.of_run)
        parts = of_run**2 / (np.array(self.repetitions) + 1)
        df = float(of_run.sum() ** 2 / parts.sum() - 2) if parts.sum() > 0 else np.inf
        return of_patients, of_run[:, None] / variance_ratios(df, 1)


def _df_of_patients(patients: float, moving: float) -> float:
    return float(df_of_patients(np.array(float(patients)), np.array(moving)))
