"""Calibration slope and intercept, against statsmodels and fits without each patient."""

import numpy as np
import pytest
import statsmodels.api as sm

from omnibench.stats.recalibration import intercept, slope
from omnibench.stats.result import RefusedError
from tests.stats.calibrated import drawn, patients_of


def test_slope_and_intercept_are_those_of_statsmodels() -> None:
    odds, labels, cluster = drawn(np.random.default_rng(0), 200, 1, -0.5, 0.6)
    truth, patients = labels == 1, patients_of(cluster)
    both = sm.Logit(labels, sm.add_constant(odds)).fit(disp=0)
    alone = sm.GLM(labels, np.ones((200, 1)), family=sm.families.Binomial(), offset=odds).fit()
    assert slope(odds[None], truth, patients)[0][0] == pytest.approx(both.params[1], abs=1e-7)
    assert intercept(odds[None], truth, patients)[0][0] == pytest.approx(alone.params[0], abs=1e-7)


def test_one_step_is_close_to_a_fit_without_the_patient() -> None:
    odds, labels, cluster = drawn(np.random.default_rng(1), 25, 6, 0.3, 1.4)
    truth, patients = labels == 1, patients_of(cluster)
    for formula in (slope, intercept):
        [value], [changes] = formula(odds[None], truth, patients)
        refitted = []
        for g in range(25):
            rest = cluster != g
            others = np.unique(cluster[rest], return_inverse=True)[1]
            without = formula(odds[None, rest], truth[rest], patients_of(others))
            refitted.append(without[0][0] - value)
        assert np.abs(changes - refitted).max() < 0.1 * np.abs(refitted).max()


def test_probabilities_that_are_all_0_or_1_have_an_intercept() -> None:
    odds = np.repeat([-80.0, 80.0], 20)
    truth = np.arange(40) % 20 >= 6
    [value], _ = intercept(odds[None], truth, patients_of(np.arange(40)))
    assert 70 < value < 90  # 14 of 20 at -80 are of the class: as many as 12 of them need + 80
    [reversed_slope], _ = slope(odds[None], ~truth, patients_of(np.arange(40)))
    assert abs(reversed_slope) < 1e-6


@pytest.mark.parametrize(
    ("odds", "truth", "reason"),
    [
        (np.arange(20.0), np.arange(20) >= 10, "separated"),
        (np.ones(20), np.arange(20) >= 10, "same probability"),
        (np.arange(20.0), np.zeros(20, bool), "no test case of it"),
        (np.arange(20.0), np.ones(20, bool), "no test case of any other"),
        (np.arange(20.0), np.arange(20) % 5 == 0, "4 test cases of it"),
    ],
)
def test_what_has_no_slope_is_refused(odds: np.ndarray, truth: np.ndarray, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        slope(odds[None], truth, patients_of(np.arange(20)))


def test_a_class_of_one_patient_alone_is_refused() -> None:
    odds, cluster = np.arange(20.0) % 7, np.arange(20) // 5
    with pytest.raises(RefusedError, match="of it are of one patient"):
        slope(odds[None], cluster == 2, patients_of(cluster))


def test_repetitions_are_fitted_side_by_side_as_alone() -> None:
    """One of them needs halved steps: its log-odds are a hundred times too large."""
    odds, labels, cluster = drawn(np.random.default_rng(2), 60, 2, 0.0, 1.0)
    truth, patients = labels == 1, patients_of(cluster)
    several = np.stack([odds, 100 * odds, odds[::-1]])
    for formula in (slope, intercept):
        values, changes = formula(several, truth, patients)
        for row, value, change in zip(several, values, changes, strict=True):
            [alone], [moved] = formula(row[None], truth, patients)
            assert value == pytest.approx(alone, rel=1e-6)
            np.testing.assert_allclose(change, moved, rtol=1e-5, atol=1e-9)
