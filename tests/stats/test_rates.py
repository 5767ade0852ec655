"""Formulas of classification against scikit-learn and against their own definition."""

import numpy as np
import pytest
from sklearn import metrics as sk

from omnibench.stats.rates import (
    binary_auc,
    expected_calibration_error,
    placements,
    softmax,
    squared_errors,
)


def test_brier_of_two_classes_is_twice_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    labels, p = rng.integers(0, 2, 80), rng.random(80)
    both = np.stack([1 - p, p], axis=1)
    ours = squared_errors(np.eye(2)[labels], both).mean()
    assert ours == pytest.approx(2 * sk.brier_score_loss(labels, p), abs=1e-12)


def test_calibration_error_by_its_definition() -> None:
    rng = np.random.default_rng(1)
    confidence = np.concatenate([rng.random(200), [0.0, 1.0, 1 / 15, 2 / 15]])
    correct = rng.random(204) < confidence
    expected = 0.0
    for index in range(15):
        low, high = index / 15, (index + 1) / 15
        inside = (confidence > low) & (confidence <= high)
        if index == 0:
            inside |= confidence == 0
        if inside.any():
            gap = abs(correct[inside].mean() - confidence[inside].mean())
            expected += inside.mean() * gap
    assert expected_calibration_error(confidence, correct) == pytest.approx(expected, abs=1e-12)


def test_calibration_error_of_a_calibrated_and_of_an_overconfident_model() -> None:
    assert expected_calibration_error(np.full(10, 0.8), np.arange(10) < 8) == pytest.approx(0)
    assert expected_calibration_error(np.ones(10), np.arange(10) < 5) == pytest.approx(0.5)


def test_auc_without_one_of_the_classes_is_undefined_not_a_number() -> None:
    assert binary_auc(np.ones(5, bool), np.arange(5.0)) is None
    assert binary_auc(np.array([True, False]), np.zeros(2)) == 0.5


def test_extreme_logits_stay_finite() -> None:
    assert np.allclose(softmax(np.array([[1e4, -1e4]])), [[1, 0]])


def test_placements_have_the_auc_as_their_mean() -> None:
    rng = np.random.default_rng(2)
    positive, scores = rng.random(90) > 0.4, rng.integers(0, 12, 90).astype(float)  # with ties
    expected = sk.roc_auc_score(positive, scores)
    assert binary_auc(positive, scores) == pytest.approx(expected)
    for shares in placements(scores[positive], scores[~positive]):
        assert shares.mean() == pytest.approx(expected)
