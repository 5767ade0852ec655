"""Decide whether models differ on new images and with new runs: the test behind every verdict.

Repetitions and patients are crossed: each repetition is tested on every patient. So the variance of
a difference has a part from patients (by how much the two models' means over repetitions differ
from one patient to the next) and a part from repetitions. What a single repetition does on a single
patient is in both parts, and is taken out once.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from omnibench.stats.influence import Influence, Summary
from omnibench.stats.result import NO_SPREAD, SMALLEST_P, Answer, Floats, RefusedError
from omnibench.stats.t_tests import t_tails

NEW_RUNS, NEW_IMAGES = "new images and runs", "new images"


@dataclass(frozen=True, eq=False)
class Contrasts:
    """Differences of one model from K others, each with what its t test needs: [K] each.

    Attributes:
        error: standard errors; 0 where patient and run make no difference.
        df: degrees of freedom.
    """

    difference: Floats
    error: Floats
    df: Floats


def contrasts(a: Summary, others: Sequence[Summary]) -> Contrasts:
    """Return the differences a - b of a model from others, on new patients and with new runs.

    Patients are paired: all models were tested on the same. Repetitions are not, since models that
    share a seed share little more than the order of images; a positive correlation of theirs makes
    the test more careful. A model with one repetition is taken to vary between repetitions as the
    other does; of two such there is no telling, and the answer is for new patients alone.

    The variance over patients has as many degrees of freedom as patients that move the difference,
    less one: where both models decide alike nothing is learnt of it. With m a patient's distance
    from the median, (sum m)^2 / sum m^2 is 2 G / pi of G normal ones; of d equal ones among zeros
    it is d, and the test is then about as careful as McNemar's.

    Source:
        Crossed variances: Owen 2007, The pigeonhole bootstrap, in closed form; unequal variances
        and degrees of freedom: Welch 1947, Satterthwaite 1946.
    """
    of_patients, moving = over_patients(a, others)
    patients = np.array([min(a.patients, b.patients) for b in others], np.float64)
    runs = np.array([[_of_runs(a, b), _of_runs(b, a)] for b in others])  # [K, 2, variance and df]
    variance, df = crossed(
        of_patients,
        df_of_patients(patients, moving),
        runs[:, :, 0].T,
        runs[:, :, 1].T,
        np.array([a.of_both + b.of_both for b in others]),
    )
    means = np.array([b.mean for b in others])
    return Contrasts(a.mean - means, np.sqrt(variance), df)


def over_patients(a: Summary, others: Sequence[Summary]) -> tuple[Floats, Floats]:
    """Return each difference's variance over patients, and how many of them move it: [K] each."""
    moved = a.row - np.stack([b.row for b in others])  # [K, G]
    patients = np.array([min(a.patients, b.patients) for b in others], np.float64)
    of_patients = (moved**2).sum(axis=1) * patients / (patients - 1)
    sizes = np.abs(moved - np.median(moved, axis=1, keepdims=True))
    squares = np.maximum((sizes**2).sum(axis=1), NO_SPREAD**2)
    return of_patients, math.pi / 2 * sizes.sum(axis=1) ** 2 / squares


def df_of_patients(patients: Floats, moving: Floats) -> Floats:
    """Return the degrees of freedom of a variance over patients, at least 1."""
    df: Floats = np.minimum(patients - 1, np.maximum(1.0, moving - 1))
    return df


def crossed(
    of_patients: Floats, df_patients: Floats, of_runs: Floats, df_runs: Floats, of_both: Floats
) -> tuple[Floats, Floats]:
    """Return the variance of a difference over patients and runs, and its degrees of freedom.

    Args:
        of_patients: [K] variances of the difference over patients.
        of_runs: [2, K] variances of the two models' means over repetitions.
        df_patients, df_runs: their degrees of freedom, above 0.
        of_both: [K] what both hold.
    """
    variance = of_patients + np.maximum(0.0, of_runs.sum(axis=0) - of_both)
    degrees = of_patients**2 / df_patients + (of_runs**2 / df_runs).sum(axis=0)
    some = (degrees > 0) & (variance > 0)  # identical models differ in nothing
    return variance, np.where(some, variance**2 / np.where(some, degrees, 1.0), df_patients)


def decide(a: Influence, b: Influence) -> Answer:
    """Test the difference a - b on new patients and with new repetitions, as `contrasts` has it.

    Assumes independent patients and about normal means of repetitions.

    Args:
        a, b: of the same patients, in one order.

    Returns:
        Two-sided p and interval of t(df). Where neither patient nor run makes a difference, and
        there is none, the difference is exactly 0 and p is 1.

    Raises:
        RefusedError: a value is not finite, or the two differ by the same on every patient.
    """
    _refuse_undefined(a, b)
    test = NEW_IMAGES if max(len(a.values), len(b.values)) == 1 else NEW_RUNS
    if identical(a, b):
        return Answer(test, 0.0, 0.0, 0.0, 1.0, error=0.0, df=a.patients - 1)
    tested = contrasts(a.summary, [b.summary])
    d, error, df = (float(part[0]) for part in (tested.difference, tested.error, tested.df))
    if error <= NO_SPREAD:
        if abs(d) <= NO_SPREAD:
            return Answer(test, 0.0, 0.0, 0.0, 1.0, error=0.0, df=df)
        raise RefusedError("the two differ by the same on every patient, so p is undefined")
    p, margin = t_tails(d, error, df)
    return Answer(test, d, d - margin, d + margin, p, error=error, df=df)


def estimate(a: Influence) -> Answer:
    """Return the mean of a metric over repetitions with its interval for new patients and runs.

    Raises:
        RefusedError: a value is not finite, or is the same whoever is tested.
    """
    nothing = Influence(np.zeros(2), np.zeros((2, a.rows.shape[1])), a.patients)
    if len(a.values) == 1:
        nothing = Influence(np.zeros(1), np.zeros((1, a.rows.shape[1])), a.patients)
    answer = decide(a, nothing)
    if answer.error <= NO_SPREAD:
        raise RefusedError("the metric is the same whoever is tested, so its interval is undefined")
    return answer


def identical(a: Influence, b: Influence) -> bool:
    """Tell whether no patient in no repetition tells the two models apart."""
    same = a.rows.shape == b.rows.shape and np.array_equal(a.values, b.values)
    return same and np.array_equal(a.rows, b.rows)


def equivalence_p(difference: float, error: float, df: float, margin: float) -> float:
    """Return the p of |difference| >= margin, by two one-sided t tests; a small one shows less.

    Args:
        difference, error, df: of `decide`.
        margin: above 0, in the metric's own unit, declared beforehand.

    Source:
        Schuirmann 1987.
    """
    from scipy.special import stdtr  # a whole scipy.stats costs seconds to import

    if not margin > 0:
        raise RefusedError(f"an equivalence margin is above 0, not {margin}")
    reach = abs(difference) - margin
    if error <= NO_SPREAD:
        return SMALLEST_P if reach < 0 else 1.0
    return max(float(stdtr(df, reach / error)), SMALLEST_P)


def _of_runs(a: Summary, b: Summary) -> tuple[float, float]:
    """Return the variance of a's mean over repetitions and its degrees of freedom."""
    n_a, n_b = len(a.values), len(b.values)
    if n_a > 1:
        return a.of_runs, n_a - 1.0
    return (b.of_runs * n_b, n_b - 1.0) if n_b > 1 else (0.0, 1.0)


def _refuse_undefined(*models: Influence) -> None:
    for model in models:
        undefined = np.flatnonzero(~np.isfinite(model.values)).tolist()
        if undefined:
            raise RefusedError(f"the metric is undefined in repetitions {undefined}")
