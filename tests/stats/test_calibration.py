"""A unit's calibration: its parts, what is undefined, and intervals that cover."""

import numpy as np
import pytest

from omnibench.stats.calibration import calibration, columns_of, log_odds
from omnibench.stats.cases import Cases, Logits
from omnibench.stats.over_patients import Estimate
from omnibench.stats.rates import softmax
from omnibench.stats.recalibration import slope
from omnibench.stats.result import RefusedError
from tests.stats.calibrated import binary, drawn, patients_of


def estimate(measure: Estimate | RefusedError) -> Estimate:
    assert isinstance(measure, Estimate)
    return measure


def test_brier_score_has_the_interval_of_a_mean_over_patients() -> None:
    odds, labels, _ = drawn(np.random.default_rng(0), 40, 1, 0, 1)
    brier = estimate(calibration(binary(odds[None], labels)).brier)
    errors = 2 * (1 / (1 + np.exp(-odds)) - labels) ** 2
    margin = 2.0226909 * errors.std(ddof=1) / np.sqrt(40)  # t(39)
    assert brier.value == pytest.approx(errors.mean())
    assert (brier.high - brier.low) / 2 == pytest.approx(margin, rel=1e-6)


def test_repetitions_are_averaged_and_classes_too() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(2, 300, 3))
    labels = rng.integers(0, 3, 300)
    logits[:, np.arange(300), labels] += 1
    cases = Cases(2, np.arange(300), None, {}, Logits(logits, labels))
    actual, patients = calibration(cases), patients_of(np.arange(300))
    by_class = []
    for k in range(3):
        shares = softmax(logits)[:, :, k]
        odds = np.log(shares / (1 - shares))
        by_class.append(slope(odds, labels == k, patients)[0].mean())
        assert estimate(actual.slopes[k]).value == pytest.approx(by_class[k])
    assert estimate(actual.slope).value == pytest.approx(np.mean(by_class))
    assert cases.logits is not None
    assert np.allclose(
        log_odds(cases.logits, 0)[0],
        np.log(softmax(logits)[0, :, 0] / (1 - softmax(logits)[0, :, 0])),
    )


def test_a_class_without_cases_is_undefined_and_the_others_remain() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 200)
    logits = rng.normal(size=(1, 200, 3))
    actual = calibration(Cases(1, np.arange(200), None, {}, Logits(logits, labels)))
    assert str(actual.slopes[2]) == "there is no test case of it"
    assert isinstance(actual.intercepts[2], RefusedError)
    values = [estimate(actual.slopes[k]).value for k in (0, 1)]
    assert estimate(actual.slope).value == pytest.approx(np.mean(values))


def test_labels_are_told_each_by_itself() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (1, 400, 2))
    shares = 1 / (1 + np.exp(-logits[0]))
    labels = (rng.random((400, 2)) < shares).astype(np.int64)
    stored = Logits(logits, labels)
    actual = calibration(Cases(1, np.arange(400), None, {}, stored))
    assert list(columns_of(stored)) == [0, 1]
    assert estimate(actual.brier).value == pytest.approx(np.mean((shares - labels) ** 2))
    assert estimate(actual.slope).low < 1 < estimate(actual.slope).high
    assert estimate(actual.error).low == 0


def test_of_a_perfect_model_nothing_is_said_of_the_slope() -> None:
    labels = np.arange(40) % 2
    actual = calibration(binary(np.array([labels * 8.0 - 4]), labels))
    assert "separated" in str(actual.slope)
    assert isinstance(actual.intercept, Estimate)


def test_one_patient_or_no_logits_are_refused() -> None:
    odds, labels, cluster = drawn(np.random.default_rng(4), 1, 30, 0, 1)
    with pytest.raises(RefusedError, match="one patient"):
        calibration(binary(odds[None], labels, cluster))
    with pytest.raises(RefusedError, match="no logits"):
        calibration(Cases(1, np.arange(3), None, {}, None))


@pytest.mark.parametrize(("patients", "each"), [(150, 1), (30, 6), (12, 10)])
def test_intervals_cover_in_95_of_100_studies(patients: int, each: int) -> None:
    """250 studies, whose own error is 1.4 points."""
    rng = np.random.default_rng(5)
    odds, labels, _ = drawn(rng, 200_000, 1, -0.5, 0.6)
    truths = {
        "slope": 0.6,
        "intercept": float(_shift(odds, labels)),
        "brier": float(2 * np.mean((1 / (1 + np.exp(-odds)) - labels) ** 2)),
    }
    covered = dict.fromkeys(truths, 0)
    for _ in range(250):
        odds, labels, cluster = drawn(rng, patients, each, -0.5, 0.6)
        actual = calibration(binary(odds[None], labels, cluster))
        for name, truth in truths.items():
            interval = estimate(getattr(actual, name))
            covered[name] += interval.low <= truth <= interval.high
    assert all(0.91 <= count / 250 <= 0.99 for count in covered.values()), covered


def _shift(odds: np.ndarray, labels: np.ndarray) -> float:
    """Return what must be added to the log-odds so that the mean probability is the share."""
    low, high = -5.0, 5.0
    for _ in range(50):
        middle = (low + high) / 2
        below = np.mean(1 / (1 + np.exp(-odds - middle))) < labels.mean()
        low, high = (middle, high) if below else (low, middle)
    return low
