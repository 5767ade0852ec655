"""Calibration error and reliability, against brute force, statsmodels and known truths."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.stats.proportion import proportion_confint

from omnibench.stats.reliability import (
    equal_mass_bins,
    points,
    squared_calibration_error,
    wilson,
)
from omnibench.stats.result import Floats, RefusedError
from tests.stats.calibrated import patients_of


def kumar(probability: Floats, truth: NDArray[np.bool_], bins: int) -> float:
    """Return definition 4.1 of Kumar et al. 2019, bin by bin, of values without ties."""
    total = 0.0
    for part in np.array_split(np.argsort(probability), bins):
        n, share = len(part), float(truth[part].mean())
        gap = float(probability[part].mean()) - share
        total += n / len(truth) * (gap**2 - share * (1 - share) / (n - 1))
    return total


def test_error_is_kumars_where_every_case_is_a_patient() -> None:
    rng = np.random.default_rng(0)
    probability = rng.uniform(0.5, 1, 600)
    truth = rng.random(600) < probability**2
    value, _ = squared_calibration_error(probability, truth, patients_of(np.arange(600)))
    assert value == pytest.approx(kumar(probability, truth, 15), abs=1e-12)


def test_error_of_the_calibrated_is_0_on_average_and_of_others_the_squared_gap() -> None:
    rng = np.random.default_rng(1)
    calibrated, off, by_patient = [], [], []
    for _ in range(300):
        probability = rng.uniform(0, 1, 150)
        cluster = np.arange(150) // 5
        shared = np.repeat(rng.uniform(0, 1, 30), 5)
        patients = patients_of(np.arange(150))
        calibrated.append(
            squared_calibration_error(probability, rng.random(150) < probability, patients)[0]
        )
        constant = np.full(150, 0.7)
        off.append(squared_calibration_error(constant, rng.random(150) < 0.5, patients)[0])
        # Cases of one patient turn out alike: without the patient's part the mean would be .006.
        same = np.repeat(rng.random(30), 5) < shared
        by_patient.append(squared_calibration_error(shared, same, patients_of(cluster))[0])
    for values, truth in ((calibrated, 0.0), (off, 0.04), (by_patient, 0.0)):
        assert abs(np.mean(values) - truth) < 3 * np.std(values) / math.sqrt(300)


def test_changes_are_those_of_leaving_patients_out_of_the_same_bins() -> None:
    rng = np.random.default_rng(2)
    # Three values: the bins are theirs, with or without a patient.
    probability = rng.choice([0.2, 0.5, 0.8], 120)
    truth, cluster = rng.random(120) < 0.5, np.arange(120) // 6
    value, changes = squared_calibration_error(probability, truth, patients_of(cluster))
    for g in range(20):
        rest = cluster != g
        others = np.unique(cluster[rest], return_inverse=True)[1]
        without, _ = squared_calibration_error(probability[rest], truth[rest], patients_of(others))
        assert changes[g] == pytest.approx(without - value, abs=1e-12)


def test_equal_values_share_a_bin_whatever_their_order() -> None:
    votes = np.array([0.2, 1.0, 0.2, 0.6, 1.0, 0.2, 0.6, 0.2])
    assert equal_mass_bins(votes, 8).tolist() == [0, 2, 0, 1, 2, 0, 1, 0]
    assert np.bincount(equal_mass_bins(np.random.default_rng(0).random(100), 10)).tolist() == (
        [10] * 10
    )


def test_two_patients_tell_no_error() -> None:
    with pytest.raises(RefusedError, match="fewer than 3 patients"):
        squared_calibration_error(
            np.linspace(0, 1, 8), np.ones(8, bool), patients_of(np.arange(8) // 4)
        )


def test_shares_have_wilsons_interval() -> None:
    low, high = wilson(np.array([0.0, 0.3, 1.0]), np.array([10.0, 20.0, 5.0]))
    expected = [proportion_confint(k, n, method="wilson") for k, n in ((0, 10), (6, 20), (5, 5))]
    assert np.allclose(np.column_stack([low, high]), expected)


def test_points_count_each_case_once_over_repetitions() -> None:
    probabilities = np.random.default_rng(3).random((1, 50))
    truth = np.arange(50) % 3 == 0
    once, twice = (points(np.repeat(probabilities, r, axis=0), truth, 5) for r in (1, 2))
    for name in ("probability", "share", "low", "high"):
        assert np.allclose(getattr(once, name), getattr(twice, name))
    order = np.argsort(probabilities[0])
    assert np.allclose(once.share, [truth[part].mean() for part in np.array_split(order, 5)])
